"""ROUGE and SQuAD's metrics are those that others publish, and shipped suites report them without a gate."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.gates.config import load_gates
from harness.schema import Case
from harness.scoring import evaluate_metrics, published_metrics
from harness.scoring.base import run
from harness.suites.discovery import find_suites
from tests.support.written_metrics import answer, offline_library

SUITES = Path(__file__).parents[3] / "evalsuites"
CAT = "the cat was found under the bed"
BED = "the cat was under the bed"


@pytest.fixture(scope="module", autouse=True)
def library(tmp_path_factory):
    """The `evaluate` library with caches of its own and no network."""
    with offline_library(tmp_path_factory.mktemp("cache")) as evaluate:
        yield evaluate


def load(library, name):
    return library.load(evaluate_metrics.script(name), keep_in_memory=True)


def test_rouge_of_a_pair_worked_by_hand(library):
    """Seven words against six, six shared and in order; six pairs of words against five, four shared."""
    found = load(library, "rouge").compute(predictions=[CAT], references=[[BED]])
    six_of_seven = 2 * (6 / 7) * 1 / (6 / 7 + 1)
    pairs = 2 * (4 / 6) * (4 / 5) / (4 / 6 + 4 / 5)
    assert found == pytest.approx(
        {"rouge1": six_of_seven, "rouge2": pairs, "rougeL": six_of_seven, "rougeLsum": six_of_seven}
    )


def test_rouge_takes_the_best_reference_and_the_arguments_of_the_hub_s_metric(library):
    rouge = load(library, "rouge")
    assert rouge.compute(predictions=[CAT], references=[["a dog", CAT]], rouge_types=["rougeL"]) == {"rougeL": 1.0}
    stemmed = rouge.compute(predictions=["changes"], references=[["changed"]], use_stemmer=True)
    assert stemmed["rouge1"] == 1.0
    assert rouge.compute(predictions=["changes"], references=[["changed"]])["rouge1"] == 0.0


@pytest.mark.parametrize(
    ("said", "accepted"),
    [
        ("The Denver Broncos.", ["Denver Broncos"]),
        ("O.C.G.A. § 44-5-62", ["O.C.G.A. § 44-14-60"]),
        ("absolute conveyance; O.C.G.A. § 44-14-60", ["O.C.G.A. § 44-14-60"]),
        ("in the year 1990, it was", ["1990", "the year 1991"]),
        ("yes yes no", ["yes no no"]),
        ("nothing alike", ["other words"]),
    ],
)
def test_squad_agrees_with_the_functions_of_transformers(library, said, accepted):
    from transformers.data.metrics.squad_metrics import compute_exact, compute_f1

    found = load(library, "squad").compute(predictions=[said], references=[accepted])
    assert found["exact_match"] == max(compute_exact(one, said) for one in accepted)
    assert found["f1"] == pytest.approx(max(compute_f1(one, said) for one in accepted))


@pytest.mark.parametrize(
    ("name", "tag", "reported"),
    [
        ("legal/summaries", "summary", {"rouge1", "rougeL"}),
        ("legal/citations", "answer", {"exact_match", "squad_f1"}),
    ],
)
def test_a_shipped_suite_reports_a_published_metric_and_gates_none(name, tag, reported):
    (suite,) = find_suites([str(SUITES / name)])
    assert reported <= {metric.name for metric in suite.metrics}
    assert not reported & {gate.metric for gate in load_gates(suite.gates_path).gate}
    case = suite.cases[0]
    right, wrong = (run(suite.scorers, case, answer(text)) for text in (case.tags[tag], "zebra"))
    scorers = [metric.scorer for metric in suite.metrics if metric.name in reported]
    assert [(right[s].value, wrong[s].value) for s in scorers] == [(1.0, 0.0)] * 2


def test_rouge_on_a_persons_summary_needs_no_tag():
    case = Case(id="a", input={"document": "x"}, expected=[BED], cluster="c")
    assert run(published_metrics.rouge(), case, answer(CAT))["rougeL"].value == pytest.approx(12 / 13)


def test_scoring_loads_no_torch():
    """`evaluate` imports transformers' pipelines where it can, which took four of its six seconds."""
    code = f"""
import sys
from harness.schema import Case
from harness.scoring import published_metrics
from harness.scoring.base import run
from tests.support.written_metrics import answer
case = Case(id="a", input={{"document": "x"}}, expected=[{BED!r}], cluster="c")
scores = run([*published_metrics.rouge(), *published_metrics.squad()], case, answer({CAT!r}))
assert not [s.reason for s in scores.values() if s.value is None], scores
assert "transformers" not in sys.modules and "torch" not in sys.modules
import transformers
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=SUITES.parent, check=False)
    assert done.returncode == 0, done.stderr
