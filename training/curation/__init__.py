"""Curation of training rows: `checks.py` lists the checks, one a file; `review.py` runs them. Trains nothing."""
