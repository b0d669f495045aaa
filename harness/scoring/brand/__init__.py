"""Scorers for brand-voice suites."""
