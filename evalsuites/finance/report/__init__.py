"""Investment-report paragraphs from fact sheets."""
