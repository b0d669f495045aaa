"""The live view of a running evaluation or training, on a terminal. Knows nothing that a run depends on."""
