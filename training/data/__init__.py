"""Training rows and their tokens."""
