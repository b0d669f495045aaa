"""Accepted baselines: the file format, accepting a run, comparing with it."""
