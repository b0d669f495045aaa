"""Read text for scorers: numbers, dates, quantities, ids, phrases, refusals."""
