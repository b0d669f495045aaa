"""Engine that queries OpenAI-compatible servers."""
