"""Metrics of `evaluate` that the tests write, answers scored by them over the bridge, and the library offline."""

import sys
from contextlib import contextmanager

import pytest

from harness.schema import Case
from harness.scoring import evaluate_bridge
from harness.scoring.base import run
from tests.support.answers import answer

REVISION = "0123456789abcdef0123456789abcdef01234567"
SCRIPT = """
import datasets
import evaluate


class Overlap(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=datasets.Features({features})
        )

    def _compute(self, {takes}):
        {body}
"""
TEXT, TEXTS = 'datasets.Value("string")', 'datasets.Sequence(datasets.Value("string"))'
WORDS = "p, r = {*predictions[0].split()}, {*references[0].split()}; return {'overlap': len(p & r) / len(p)}"
ANY_OF = "return {'exact': sum(p in r for p, r in zip(predictions, references)) / len(predictions)}"
GOOD = "class Own(evaluate.Metric):\n    pass\n"


def write(folder, body, references=TEXT, predictions=TEXT, name="overlap", takes="predictions, references", more=""):
    features = f'{{"predictions": {predictions}, "references": {references}{more}}}'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(SCRIPT.format(features=features, takes=takes, body=body))
    return path


def case(*expected, **variables):
    return Case(id="lease-1", input={"document": "x", **variables}, expected=list(expected), cluster="c")


def scored(made, text, *expected, finish_reason="stop", **variables):
    return run([made], case(*expected, **variables), answer(text, finish_reason))[made.name]


def bridged(path, **options):
    return evaluate_bridge.metric(str(path), **{"worst": 0.0, "best": 1.0, **options})


@contextmanager
def offline_library(root):
    """The `evaluate` library with caches of its own below `root` and no network.

    It loads once a process, without transformers, which it would only import for parts that nothing here uses.
    """
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("HF_HUB_OFFLINE", "HF_EVALUATE_OFFLINE", "HF_DATASETS_OFFLINE"):
            patch.setenv(variable, "1")
        patch.setenv("HF_HOME", str(root))
        with pytest.MonkeyPatch.context() as hidden:
            if "transformers" not in sys.modules:
                hidden.setitem(sys.modules, "transformers", None)
            import evaluate

        patch.setattr(evaluate.config, "HF_MODULES_CACHE", root / "modules")
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", root / "metrics")
        patch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
        patch.syspath_prepend(str(root / "modules"))
        _forget_loaded_scripts()
        yield evaluate
    _forget_loaded_scripts()


def _forget_loaded_scripts():
    """While their package stays imported, scripts of another cache are looked for in the folder of the first one."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "evaluate_modules"]:
        del sys.modules[name]
