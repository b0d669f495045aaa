"""Sweeps: one training configuration, several settings, one table, a winner that is asked the test once.

`run.py` does it, top to bottom; `settings.py` reads the file, `points.py` draws the points, `process.py` trains one,
`table.py` compares them, `confirm.py` asks the test.
"""
