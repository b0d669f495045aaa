"""Evaluation runs: plan, generate, score, judge, and judge again."""
