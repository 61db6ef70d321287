"""Spans in, findings out. Everything outside `sources` and `report` does no I/O."""
