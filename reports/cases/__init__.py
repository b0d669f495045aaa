"""Cases of a run: reading, choosing and showing them."""
