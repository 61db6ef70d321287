"""One experiment: a plan driven through the stack, phase by phase, and what is kept of it."""
