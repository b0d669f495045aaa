"""Evaluate, compare, gate and train fine-tuned language models.

    from tunegate import Case, Suite, scorer

    result = tunegate.compare("smollm2-135m-instruct", "runs/20260101T000000Z-train-1a2b3c4d", ["evalsuites/legal"])
    for verdict in result.verdicts:
        print(verdict.suite, verdict.gate, verdict.outcome)

Importing this package loads nothing: each name loads its module when it is first used, so that pytest starts quickly.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import Case, Completion, Metric, Record, Score, Span, Suite, Unavailable, UserError, __version__
    from harness.engines.options import engine_config
    from harness.scoring.base import scorer
    from tunegate.api import compare, evaluate, load_run, train

__all__ = [
    "Case",
    "Completion",
    "Metric",
    "Record",
    "Score",
    "Span",
    "Suite",
    "Unavailable",
    "UserError",
    "__version__",
    "compare",
    "engine_config",
    "evaluate",
    "load_run",
    "scorer",
    "train",
]
_MODULES = {"engine_config": "harness.engines.options", "scorer": "harness.scoring.base"} | dict.fromkeys(
    ("compare", "evaluate", "load_run", "train"), "tunegate.api"
)
"""Where the names are that `harness` does not have."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_MODULES.get(name, "harness")), name)

    def __dir__() -> list[str]:
        return __all__
