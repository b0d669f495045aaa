"""Checks of training rows, one file per theme."""
