"""One file per form that a diagnosis goes out in."""
