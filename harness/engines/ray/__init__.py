"""Engine that spreads generation over a Ray cluster."""
