"""Passages of public terms and privacy policies, in plain English."""
