"""Product copy and support replies in the voice of an invented client, Ambleworth."""
