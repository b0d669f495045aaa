"""Turns scores into numbers with intervals.

`observations` reads records, `estimates` gives levels, `paired` compares two variants, `power` says how many cases a
claim needs, `summary` fills metrics.json. `reviews`, `consensus` and `times` read what people said, on the questions of
`scales`, and `agreement` says how far raters agree. `intervals`, `resample` and `bootstrap` hold the arithmetic, on
plain arrays.
"""
