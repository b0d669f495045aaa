"""Clauses of Georgia instruments, quoted word for word."""
