"""Suites on legal instruments."""
