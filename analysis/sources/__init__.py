"""One file per form that spans come in."""
