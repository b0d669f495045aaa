"""The documents are true: every command block of theirs runs."""
