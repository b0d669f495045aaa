"""What a CI service is shown of a run: annotations, a summary, comments, metrics, and the export they travel in."""
