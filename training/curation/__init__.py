"""Checks and cleaning of training data."""
