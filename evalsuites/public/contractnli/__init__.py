"""Statements about excerpts of the public ContractNLI non-disclosure agreements."""
