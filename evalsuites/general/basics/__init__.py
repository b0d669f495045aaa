"""General questions that a tuned model must still answer."""
