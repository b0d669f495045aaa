"""Gates: reading gates.toml, gathering evidence, judging, and the power of each gate."""
