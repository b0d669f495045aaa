"""Scorers that look for facts a source does not hold."""
