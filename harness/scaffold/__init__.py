"""Creating new suites."""
