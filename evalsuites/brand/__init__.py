"""Suites on a brand's voice: what a client's copy and replies may and may not say."""
