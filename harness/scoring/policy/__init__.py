"""Scorers for policy suites."""
