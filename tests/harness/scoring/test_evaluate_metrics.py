"""The `evaluate` library: its traps, what it leaves on disk, and the project's metric scripts in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.gates.config import load_gates
from harness.schema import Case
from harness.scoring import base, evaluate_bridge, evaluate_metrics
from harness.scoring.base import run
from harness.scoring.grounding import facts
from harness.scoring.legal import clauses, cuad
from harness.suites.discovery import find_suites
from tests.support.answers import answer
from tests.support.written_metrics import ANY_OF, GOOD, TEXTS, case, offline_library, scored, write

SUITES = Path(__file__).parents[3] / "evalsuites"
CAT = "the cat was found under the bed"
BED = "the cat was under the bed"


@pytest.fixture(scope="module", autouse=True)
def library(tmp_path_factory):
    """The `evaluate` library with caches of its own and no network."""
    with offline_library(tmp_path_factory.mktemp("cache")) as evaluate:
        yield evaluate


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        (f"import datasets, evaluate\n{GOOD}", ImportError),
        (f"import evaluate\nimport neighbour\n{GOOD}", ImportError),
        # The base class that a script imports is taken for its metric, and has no description of itself.
        ("from evaluate import Metric\nclass Own(Metric):\n    own = True\n", NotImplementedError),
    ],
)
def test_the_traps_are_still_there(library, tmp_path, text, raised):
    """What the refusals above guard against; where a later `evaluate` loads these, the rules can go."""
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(raised):
        library.load(str(tmp_path / "own.py"), keep_in_memory=True)


# Nothing is kept, nothing is reached

CHILD = """
import json
import socket
import sys


def refuse(*given, **more):
    raise AssertionError("the network was reached for")


socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from harness.schema import Case, Completion
from harness.scoring import evaluate_bridge
from harness.scoring.base import run

made = evaluate_bridge.metric(sys.argv[1], worst=0.0, best=1.0)
assert "evaluate" not in sys.modules and "datasets" not in sys.modules and "numpy" not in sys.modules
sys.modules["transformers"] = None
import evaluate
del sys.modules["transformers"]
case = Case(id="a", input={"document": sys.argv[2]}, expected=[sys.argv[3]], cluster="c")
for text in sys.argv[4:]:
    completion = Completion(key="k", text=text, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    score = run([made], case, completion)[made.name]
    print(json.dumps([score.value, score.failed, score.reason]))
"""


def test_no_text_of_a_case_is_left_on_disk_and_nothing_is_reached(tmp_path):
    """Also after an answer at which the metric raised, which by the library's default leaves its file behind."""
    secret = ["Harrowgate-Document", "Harrowgate-Expected", "Harrowgate-Answer", "Harrowgate-Raises"]
    body = "assert 'Raises' not in predictions[0]\n        " + ANY_OF
    path = write(tmp_path / "scripts", body, TEXTS)
    caches = tmp_path / "caches"
    caches.mkdir()
    names = ("HF_HOME", "XDG_CACHE_HOME", "TMPDIR", "HOME")
    settings = {name: str(caches / name.lower()) for name in names} | {
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(Path.cwd()),
    }
    for name in names:
        Path(settings[name]).mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_"))}
    command = [sys.executable, "-c", CHILD, str(path), *secret]
    done = subprocess.run(command, capture_output=True, text=True, env=kept | settings, cwd=caches, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0] == [0.0, False, None] and lines[1][1] is True and "AssertionError" in lines[1][2]
    files = [path for path in caches.rglob("*") if path.is_file()]
    assert any(path.name == "overlap.py" for path in files)
    assert not [path for path in files if b"Harrowgate" in path.read_bytes()]
    assert not [path for path in files if path.suffix == ".arrow"]


def test_the_library_s_default_does_leave_text_on_disk(library, tmp_path):
    """What keep_in_memory is for: the same call without it, on a metric that raises."""
    path = write(tmp_path / "scripts", "raise RuntimeError", TEXTS)
    careless = library.load(str(path), cache_dir=str(tmp_path / "cache"))
    with pytest.raises(RuntimeError):
        careless.compute(predictions=["Harrowgate"], references=[["b"]])
    assert [p for p in (tmp_path / "cache").rglob("*.arrow") if b"Harrowgate" in p.read_bytes()]


# The project's metrics in evaluate


def load(library, name):
    return library.load(evaluate_metrics.script(name), keep_in_memory=True)


def test_clause_lists_agree_with_the_project_s_scorer(library):
    gold = [["Insurance", "Audit Rights"], [], ["Holdover"], ["As Is", "Holdover"]]
    named = [["insurance", "Audit rights."], ["Insurance"], [], ["As Is", "Deposit", "As Is"]]
    found = load(library, "clause_lists").compute(predictions=named, references=gold)
    assert found == pytest.approx(
        {"exact_set": 0.25, "recall": 3 / 5, "precision": 3 / 5, "f1": 3 / 5, "tp": 3, "fp": 2, "fn": 2}
    )
    scorer = clauses.among(["Insurance", "Audit Rights", "Holdover", "As Is", "Deposit"])
    scores = [
        scorer(case(*there), answer("; ".join(given) or "none")).counts
        for given, there in zip(named, gold, strict=True)
    ]
    assert [sum(s[count] for s in scores) for count in ("tp", "fp", "fn")] == [found[c] for c in ("tp", "fp", "fn")]


def test_clause_lists_with_nothing_to_count_have_no_rate(library):
    found = load(library, "clause_lists").compute(predictions=[[]], references=[[]])
    assert (found["exact_set"], found["recall"], found["precision"], found["f1"]) == (1.0, None, None, None)


def test_cuad_spans_follow_cuad_s_rule(library):
    metric = load(library, "cuad_spans")
    gold = [["a b c d"], [], ["one two"], ["Oakmere LLC"]]
    quoted = [["a b x c", "q"], ["z"], [], ["by Oakmere LLC of the first part and others"]]
    found = metric.compute(predictions=quoted, references=gold)
    assert (found["tp"], found["fp"], found["fn"]) == (1, 3, 2)
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx((1 / 4, 1 / 3, 2 / 7))
    assert found["f2"] == pytest.approx(5 / (5 + 3 + 4 * 2)) and "aupr" not in found
    parties = metric.compute(predictions=quoted, references=gold, questions=["w", "x", "y", "z Parties"])
    assert (parties["tp"], parties["fp"], parties["fn"]) == (2, 2, 1)


def test_cuad_spans_have_a_curve_where_there_are_confidences(library):
    gold, quoted, sure = [["a b"], ["c d"]], [["a b", "x"], ["c d"]], [[0.9, 0.5], [0.3]]
    found = load(library, "cuad_spans").compute(predictions=quoted, references=gold, confidences=sure)
    points = cuad.curve({"0": ["a b"], "1": ["c d"]}, {"0": [("a b", 0.9), ("x", 0.5)], "1": [("c d", 0.3)]})
    assert found["aupr"] == cuad.aupr(points) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert found["precision_at_80_recall"] == pytest.approx(2 / 3)


def test_checkable_facts_agree_with_the_project_s_scorer(library):
    source = "Rent is $1,200 a month. Notice is thirty (30) days."
    texts = ["The rent is $1,200.", "The rent is $1,300 on 45 days' notice.", "It says nothing."]
    found = load(library, "checkable_facts").compute(predictions=texts, sources=[source] * 3)
    scores = [facts.fabricated(case(document=source), answer(text)).counts for text in texts]
    assert found["claims"] == sum(s["claims"] for s in scores) == 3
    assert found["fabricated"] == sum(s["fabricated"] for s in scores) == 2
    assert (found["fabrication_rate"], found["fabrication_response_rate"]) == pytest.approx((2 / 3, 1 / 3))
    assert load(library, "checkable_facts").compute(predictions=texts[2:], sources=[source])["fabrication_rate"] is None


def test_a_metric_of_the_project_comes_back_over_the_bridge():
    made = evaluate_bridge.metric(
        evaluate_metrics.script("checkable_facts"), field="fabrication_response_rate", worst=1.0, best=0.0
    )
    assert base.metrics_of([made])[0].name == "checkable_facts_fabrication_response_rate"
    assert [scored(made, text, document="Rent is $1,200.").value for text in ("It is $1,200.", "It is $9.")] == [0, 1]


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
    [("legal/summaries", "summary", {"rouge1", "rougeL"}), ("legal/citations", "answer", {"exact_match", "squad_f1"})],
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
    assert run(evaluate_bridge.rouge(), case, answer(CAT))["rougeL"].value == pytest.approx(12 / 13)


def test_scoring_loads_no_torch():
    """`evaluate` imports transformers' pipelines where it can, which took four of its six seconds."""
    code = f"""
import sys
from harness.schema import Case
from harness.scoring import evaluate_bridge
from harness.scoring.base import run
from tests.support.answers import answer
case = Case(id="a", input={{"document": "x"}}, expected=[{BED!r}], cluster="c")
scores = run([*evaluate_bridge.rouge(), *evaluate_bridge.squad()], case, answer({CAT!r}))
assert not [s.reason for s in scores.values() if s.value is None], scores
assert "transformers" not in sys.modules and "torch" not in sys.modules
import transformers
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=SUITES.parent, check=False)
    assert done.returncode == 0, done.stderr
