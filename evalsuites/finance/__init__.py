"""Finance: writing from fact sheets."""
