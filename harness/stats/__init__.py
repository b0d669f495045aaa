"""Turns scores into numbers with intervals. Knows no engine, suite file or report; loads nothing until it is used.

`observations` reads records, `estimates` gives levels, `paired` compares two variants, `power` says how many cases a
claim needs, `summary` fills metrics.json. `intervals` and `resample` hold the arithmetic, on plain arrays.
"""
