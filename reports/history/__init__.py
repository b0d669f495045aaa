"""Earlier runs for readers: a listing for terminals, trends, and a page. Reads the index; computes no estimate."""
