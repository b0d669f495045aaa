"""Suites about a company's own rules."""
