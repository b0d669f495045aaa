"""Reading tables into cases and training rows."""
