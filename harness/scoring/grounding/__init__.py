"""Check what an answer states against its source: citations, figures, names and quotations, alone and together."""
