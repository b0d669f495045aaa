"""Metrics over runs: trends, their page and the table of runs."""
