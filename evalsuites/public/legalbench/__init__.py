"""Few-shot classification tasks of the public LegalBench, in its own layout."""
