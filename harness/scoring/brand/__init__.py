"""Scorers for a client's voice."""

from harness.scoring.brand import style_guide, voice

__all__ = ["style_guide", "voice"]
