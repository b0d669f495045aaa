"""Clauses in passages of the public CUAD contracts."""
