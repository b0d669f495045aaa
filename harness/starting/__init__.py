"""Writes a new suite from plain answers, or from a suite that comes with tunegate. Asks no model.

`kinds` reads kinds.toml, what can be asked of a model and how it is measured; `questions` gets a person's answers;
`bars` turns them into gates; `files` renders the folder; `placing` puts it where it belongs, whole or not at all;
`copying` takes a shipped suite instead; `names` reads DOMAIN/SUITE.
"""
