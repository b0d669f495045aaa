"""Scripts that load the project's own metrics with the `evaluate` library.

evaluate.load(script("clause_lists"), keep_in_memory=True)

`evaluate` copies a script into its cache and reads its import lines, so each script imports the installed package only,
one module per line. Without `keep_in_memory=True` the library writes its inputs to files in its cache.
"""

from pathlib import Path
from typing import Any

from harness.errors import UserError

NAMES = ("checkable_facts", "clause_lists", "cuad_spans", "rouge", "squad")


def script(name: str) -> str:
    """Return the absolute path of a script, for `evaluate.load`. Raises UserError for an unknown name."""
    if name not in NAMES:
        raise UserError(f"evaluate_metrics: no metric {name!r}. Expected one of {', '.join(NAMES)}")
    return str(Path(__file__).resolve().with_name(f"{name}.py"))


def info(description: str, inputs: str, **features: type) -> Any:
    """Describe a metric to `evaluate`; each input is a text (`str`) or a list of texts (`list`)."""
    import datasets
    import evaluate

    text = datasets.Value("string")
    kinds: dict[type, Any] = {str: text, list: datasets.Sequence(text)}
    return evaluate.MetricInfo(
        description=description,
        citation="",
        inputs_description=inputs,
        features=datasets.Features({name: kinds[kind] for name, kind in features.items()}),
    )
