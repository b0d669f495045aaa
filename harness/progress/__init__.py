"""Progress of runs and how it is shown."""
