"""Tests of `tunegate init`: what it writes runs, and nothing else is touched."""
