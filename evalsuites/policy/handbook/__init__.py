"""Questions on a company handbook with numbered guidelines and a department register."""
