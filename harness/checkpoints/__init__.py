"""Checkpoints: what they are, how they are resolved, checked, merged and quantized."""
