"""Critical clauses in Georgia real-estate contracts."""
