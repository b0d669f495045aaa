"""Summaries of Georgia real-estate contracts that carry every critical clause with its terms."""
