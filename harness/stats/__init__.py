"""Turns scores into numbers with intervals.

`observations` reads records, `estimates` gives levels, `paired` compares two variants, `power` says how many cases a
claim needs, `summary` fills metrics.json. `human_review` and `review_times` read what people said, and `agreement` says
how far raters agree. `intervals`, `permutation` and `bootstrap` hold the arithmetic, on plain arrays.
"""
