"""Coverage-guided fuzzing of the readers: see readers.py."""
