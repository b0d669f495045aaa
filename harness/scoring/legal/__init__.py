"""Scorers for legal suites."""
