"""Judgments by models and by people."""
