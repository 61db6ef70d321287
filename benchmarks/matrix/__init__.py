"""The fault matrix: every toxic on every link of the shop, every misbehaviour of its services, and nothing at all."""
