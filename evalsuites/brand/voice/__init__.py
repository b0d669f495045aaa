"""Copy and support replies in the voices of four invented clients."""
