"""The originals that tests and benchmarks hold tracegap against: where they are, and how they start."""
