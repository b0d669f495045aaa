"""Suites: cases, prompts and how suites are found."""
