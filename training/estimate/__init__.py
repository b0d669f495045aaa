"""Estimates of memory and time before training."""
