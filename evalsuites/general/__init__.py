"""Suites on general ability: what tuning must not lose."""
