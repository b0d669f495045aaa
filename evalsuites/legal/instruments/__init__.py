"""Georgia instruments: the material of the legal suites."""
