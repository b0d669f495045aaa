"""Suite legal/clauses_long: critical clauses in whole Georgia real-estate contracts."""
