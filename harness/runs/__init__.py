"""Run folders: writing, sealing, redaction, provenance, approval and history."""
