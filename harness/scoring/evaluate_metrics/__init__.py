"""Scripts by which the project's own metrics load with the `evaluate` library. Knows no rule: each calls `scoring`.

evaluate.load(script("clause_lists"), keep_in_memory=True)

`evaluate` copies a script into its cache and reads its import lines, so each script imports the installed package only,
one module a line. Without `keep_in_memory=True` the library writes what it is given to files in its cache.
"""

from pathlib import Path

from harness.errors import UserError

NAMES = ("checkable_facts", "clause_lists", "cuad_spans", "rouge", "squad")


def script(name: str) -> str:
    """Absolute path of a script's folder, as `evaluate.load` takes it."""
    if name not in NAMES:
        raise UserError(f"evaluate_metrics: no metric {name!r}. There are: {', '.join(NAMES)}")
    return str(Path(__file__).resolve().parent / name)
