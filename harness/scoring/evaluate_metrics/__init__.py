"""Scripts that load the project's own metrics with the `evaluate` library.

evaluate.load(script("clause_lists"), keep_in_memory=True)

`evaluate` copies a script into its cache and reads its import lines, so each script imports the installed package only,
one module per line. Without `keep_in_memory=True` the library writes its inputs to files in its cache.
"""

from pathlib import Path

from harness.errors import UserError

NAMES = ("checkable_facts", "clause_lists", "cuad_spans", "rouge", "squad")


def script(name: str) -> str:
    """Return the absolute path of a script's folder, for `evaluate.load`. Raises UserError for an unknown name."""
    if name not in NAMES:
        raise UserError(f"evaluate_metrics: no metric {name!r}. Expected one of {', '.join(NAMES)}")
    return str(Path(__file__).resolve().parent / name)
