"""Suites on public data that a user fetches. None of the data is part of the project."""
