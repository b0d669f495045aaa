"""What CI services show of a run."""
