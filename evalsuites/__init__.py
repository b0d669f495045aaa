"""Suites, one folder a domain and one inside it a suite. Imports the harness, never training or reports."""
