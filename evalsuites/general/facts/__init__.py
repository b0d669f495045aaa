"""Simple general questions that even a small model can answer: a short check of what tuning must not lose."""
