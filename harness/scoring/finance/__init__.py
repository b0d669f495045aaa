"""Scorers for finance suites."""
