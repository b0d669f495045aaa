"""A metric script; `evaluate` copies the file of this folder's name alone."""
