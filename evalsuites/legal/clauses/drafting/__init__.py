"""Drafts the suite's contracts, and training rows that share nothing with them."""
