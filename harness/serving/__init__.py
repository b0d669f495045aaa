"""Serving a judged model with vLLM."""
