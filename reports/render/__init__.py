"""Views of the report model: HTML, Markdown, PDF and terminal."""
