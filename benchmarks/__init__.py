"""What is measured, against whom. Never a test."""
