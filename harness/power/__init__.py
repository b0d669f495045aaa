"""What the gates of a suite can and cannot show with its cases, before a model is asked. Starts no engine.

`foresight` counts what each gate will judge, `rules` says what one rule can show of it, `report` puts a suite together,
`view` prints it. The formulas are those of `harness.stats.power` and `harness.stats.chances`.
"""
