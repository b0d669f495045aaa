"""Approval of merges and deployments: the policy file, and what it allows."""
