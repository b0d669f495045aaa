"""Text that scorers share: numbers, dates, quantities, phrases, refusals."""
