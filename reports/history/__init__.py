"""Trends over runs."""
