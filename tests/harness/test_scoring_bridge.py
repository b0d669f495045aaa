"""Metrics of `evaluate` as scorers, and the project's metrics in `evaluate`: offline, nothing kept, traps named.

Scripts are written by the tests. `evaluate` loads once, without transformers, which it would only import for parts
that nothing here uses.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import evaluate_metrics
from harness.errors import UserError
from harness.gates import judge
from harness.schema import Case, Completion, Gate, GateFile, Objective, Record
from harness.scoring import base, bridge, bridge_scripts, clauses, cuad_spans, facts
from harness.scoring.base import run

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


def write(folder, body, references=TEXT, predictions=TEXT, name="overlap", takes="predictions, references", more=""):
    features = f'{{"predictions": {predictions}, "references": {references}{more}}}'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(SCRIPT.format(features=features, takes=takes, body=body))
    return path


def answer(text, finish_reason="stop"):
    return Completion(key="k", text=text, finish_reason=finish_reason, prompt_tokens=0, output_tokens=0)


def case(*expected, **variables):
    return Case(id="lease-1", input={"document": "x", **variables}, expected=list(expected), cluster="c")


def scored(made, text, *expected, finish_reason="stop", **variables):
    return run([made], case(*expected, **variables), answer(text, finish_reason))[made.name]


def bridged(path, **options):
    return bridge.metric(str(path), **{"worst": 0.0, "best": 1.0, **options})


@pytest.fixture(scope="module", autouse=True)
def library(tmp_path_factory):
    """The `evaluate` library with caches of its own and no network."""
    root = tmp_path_factory.mktemp("cache")
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
        yield evaluate


# Scores


def test_a_script_scores_one_answer_by_its_case(tmp_path):
    made = bridged(write(tmp_path, WORDS))
    assert scored(made, "sixty days notice", "sixty days").value == pytest.approx(2 / 3)
    assert [m.name for m in made.metrics] == ["overlap", "overlap_complete_rate"]
    assert made.metrics[0].kind == "mean" and made.metrics[0].higher_is_better


def test_a_folder_of_the_script_s_name_will_do_and_a_path_is_relative_to_the_calling_file(tmp_path):
    write(tmp_path / "suite" / "overlap", WORDS)
    caller = tmp_path / "suite" / "test_suite.py"
    names = {"__file__": str(caller), "bridge": bridge}
    exec("made = bridge.metric('./overlap', worst=0.0, best=1.0)", names)
    assert scored(names["made"], "sixty", "sixty").value == 1.0


def test_a_metric_with_several_references_gets_them_all_and_one_with_one_keeps_the_best(tmp_path):
    assert scored(bridged(write(tmp_path, ANY_OF, TEXTS)), "b", "a", "b").value == 1.0
    made = bridged(write(tmp_path, WORDS, name="one"))
    assert scored(made, "a b", "c", "a").value == 0.5
    fewer = bridged(write(tmp_path, WORDS, name="two"), worst=1.0, best=0.0)
    assert scored(fewer, "a b", "c", "a").value == 0.0 and not fewer.metrics[0].higher_is_better


def test_a_metric_with_a_choice_of_inputs_gets_all_references(tmp_path):
    body = ANY_OF.replace("sum(p in r", "sum(isinstance(r, list) and p in r")
    path = write(tmp_path, body, TEXTS, name="either")
    path.write_text(
        path.read_text()
        .replace(
            "datasets.Features({",
            f'[datasets.Features({{"predictions": {TEXT}, "references": {TEXT}}}), datasets.Features({{',
        )
        .replace("})\n", "})]\n", 1)
    )
    assert scored(bridged(path), "b", "a", "b").value == 1.0


def test_field_and_arguments_reach_the_metric_and_are_part_of_its_version(tmp_path):
    path = write(tmp_path, "return {'one': scale * 0.1, 'two': scale * 0.2}", takes="predictions, references, scale=1")
    one, two = bridged(path, field="one"), bridged(path, field="two", arguments={"scale": 3})
    assert (scored(one, "a", "b").value, scored(two, "a", "b").value) == pytest.approx((0.1, 0.6))
    assert (one.name, two.name) == ("overlap_one", "overlap_two")
    same = {"field": "one", "name": "x"}
    first = bridged(path, **same)
    changed = [
        bridged(path, **same | {"field": "two"}),
        bridged(path, **same, arguments={"scale": 2}),
        bridged(path, **same, best=2.0),
    ]
    assert bridged(path, **same).version == first.version
    path.write_text(path.read_text().replace("0.1", "0.3"))
    assert len({made.version for made in [first, *changed, bridged(path, **same)]}) == 5


def test_a_number_may_come_wrapped_for_one_answer(tmp_path):
    made = bridged(write(tmp_path, "import numpy; return {'score': numpy.array([0.25], dtype='float32')}"))
    assert scored(made, "a", "b").value == 0.25


@pytest.mark.parametrize(("body", "value"), [("1 + 1e-12", 1.0), ("-1e-12", 0.0), ("True", 1.0)])
def test_rounding_does_not_carry_a_value_out_of_its_range(tmp_path, body, value):
    assert scored(bridged(write(tmp_path, f"return {{'score': {body}}}")), "a", "b").value == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return {'score': float('nan')}", "the metric gave nan, and its range is 0 to 1"),
        ("return {'score': float('inf')}", "the metric gave inf"),
        ("return {'score': 40.0}", "the metric gave 40.0, and its range is 0 to 1"),
        ("return {'score': None}", "gives NoneType as 'score', expected one number"),
        ("return {'score': [0.1, 0.2]}", "gives list as 'score'"),
        ("raise RuntimeError('out of words')", "raised RuntimeError: out of words"),
    ],
)
def test_what_is_no_number_of_the_range_fails_its_answer_and_the_next_one_is_scored(tmp_path, body, said):
    path = write(tmp_path, "if predictions == ['odd']:\n            " + body + "\n        " + WORDS, name="odd")
    path.write_text(path.read_text().replace("'overlap'", "'score'"))
    made = bridged(path)
    score = scored(made, "odd", "a")
    assert score.value is None and score.failed and said in score.reason
    assert scored(made, "a", "a").value == 1.0


def test_an_answer_that_breaks_half_way_leaves_nothing_to_the_next_one(tmp_path):
    body = "self.kept = getattr(self, 'kept', 0) + len(predictions)\n        assert predictions != ['odd']\n        "
    made = bridged(write(tmp_path, f"{body}share, self.kept = 1 / self.kept, 0\n        return {{'share': share}}"))
    assert scored(made, "odd", "a").failed and scored(made, "\ud800", "a").failed
    assert scored(made, "a", "a").value == 1.0


def test_an_empty_answer_is_the_metric_s_business_and_the_worst_where_it_fails(tmp_path):
    polite = bridged(write(tmp_path, "return {'share': 0.25 if predictions == [''] else 1.0}"))
    assert scored(polite, "", "a").value == 0.25
    made = bridged(write(tmp_path, WORDS, name="divides"), worst=9.0, best=0.0)
    for text in ("", " \n"):
        score = scored(made, text, "a")
        assert score.value == 9.0 and not score.failed and score.complete == 0
        assert score.unreadable == ["empty, where the metric fails: ZeroDivisionError"]
    empty_nan = bridged(write(tmp_path, "return {'score': float('nan')}", name="undefined"))
    assert scored(empty_nan, "", "a").value == 0.0


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\x00\x07\x1b", "ﬀ é 👩‍👩‍👧", "租约\r\n期限", "{{ answer }} %s"])
def test_odd_answers_reach_the_metric_unaltered(tmp_path, text):
    assert scored(bridged(write(tmp_path, ANY_OF, TEXTS)), text, "a", text).value == 1.0


def test_failed_cut_and_whole_answers_are_told_apart(tmp_path):
    made = bridged(write(tmp_path, ANY_OF, TEXTS))
    failed, cut = (scored(made, "a", "a", finish_reason=how) for how in ("error", "length"))
    assert (failed.value, failed.complete) == (0.0, 0)
    assert (cut.value, cut.complete, scored(made, "a", "a").complete) == (1.0, 0, 1)


def test_a_case_without_a_reference_is_unscored_where_the_metric_compares(tmp_path):
    made = bridged(write(tmp_path, WORDS))
    score = scored(made, "a")
    assert score.value is None and not score.failed and "the case expects nothing" in score.reason


def test_references_and_answers_of_another_type_are_left_out_and_named(tmp_path):
    made = bridged(write(tmp_path, ANY_OF, TEXTS))
    odd = scored(made, "a", None, "a", 7)
    assert (odd.value, odd.counts["left_out"], odd.extracted["left_out"]) == (1.0, 2, ["NoneType", "int"])
    only_odd = scored(made, "a", None)
    assert only_odd.value is None and "left out: 1 of another type (NoneType)" in only_odd.reason
    assert made(case("a"), answer(None)).reason == "the answer is NoneType, expected text"


def test_text_where_the_metric_wants_a_number_is_wrong(tmp_path):
    number = 'datasets.Value("int32")'
    made = bridged(write(tmp_path, "return {'same': float(predictions == references)}", number, number))
    assert [scored(made, text, "30").value for text in (" 30\n", "31", "thirty", "30 days", "", "9" * 40)] == [
        1,
        0,
        0,
        0,
        0,
        0,
    ]
    assert scored(made, "thirty", "30").unreadable == ["not a number (int32)"]
    with pytest.raises(UserError, match="takes references as int32, and a case has 'thirty'"):
        scored(made, "30", "thirty")


def test_other_inputs_come_from_the_case(tmp_path):
    more = f', "sources": {TEXT}, "question": {TEXT}'
    body = "return {'seen': float(sources == ['x'] and question == ['why?'])}"
    made = bridged(write(tmp_path, body, takes="predictions, references, sources, question", more=more))
    assert scored(made, "a", "b", question="why?").value == 1.0
    with pytest.raises(UserError, match="takes an input 'question', and case 'lease-1' has no variable"):
        scored(made, "a", "b")


def test_a_metric_that_draws_gives_equal_scores_in_any_order(tmp_path):
    path = write(tmp_path, "import numpy; return {'draw': float(numpy.random.random())}")
    made, again = bridged(path), bridged(path)
    first = scored(made, "a", "b").value
    bridge.module.cache_clear()
    import numpy

    numpy.random.seed(7)
    assert scored(again, "z", "b").value == first == scored(made, "a", "b").value


def test_a_mean_by_a_script_is_gated(tmp_path):
    made = bridged(write(tmp_path, WORDS))
    texts = {"baseline": "ten dollars due or so", "tuned": "ten dollars due"}

    def records(variant):
        for i in range(40):
            asked = Case(id=f"c{i}", input={}, expected=["ten dollars"], cluster=f"k{i}")
            completion = answer(texts[variant] + (" now" if i % 4 == 0 else ""))
            yield Record(
                case=asked,
                variant=variant,
                input_hash="i",
                prompt_hash="p",
                expected_hash="e",
                completion=completion,
                scores=run([made], asked, completion),
            )

    gates = [
        Gate(metric="overlap", rule="at_least", value=0.5),
        Gate(metric="overlap", rule="improves"),
        Gate(metric="overlap", rule="no_worse", margin=0.1),
        Gate(metric="overlap", rule="at_least", value=0.9),
    ]
    found = judge(
        "a/b",
        GateFile(objective=Objective(text="x"), gate=gates),
        made.metrics,
        {variant: list(records(variant)) for variant in texts},
        expected_cases=40,
        slices={},
    )
    assert [v.outcome for v in found] == ["pass", "pass", "pass", "fail"], [v.reason for v in found]


# What is refused


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        ("rouge", None, "could be a path or a name on a hub"),
        ("owner/rouge", None, "could be a path or a name on a hub"),
        ("metrics/rouge.py", None, "could be a path or a name on a hub"),
        ("https://x.test/rouge.py", None, "could be a path or a name on a hub"),
        ("", None, "could be a path or a name on a hub"),
        ("./absent", None, "no script .*absent.py is there"),
        ("hub:rouge", REVISION, "expected hub:owner/name"),
        ("hub:../rouge/x", REVISION, "expected hub:owner/name"),
        ("hub:owner/rouge", None, "revision is None, expected the 40 hex digits"),
        ("hub:owner/rouge", "main", "revision is 'main', expected the 40 hex digits"),
        ("hub:owner/rouge", REVISION[:12], "expected the 40 hex digits"),
        ("hub:owner/rouge", REVISION, "is not in the cache and could not be fetched"),
        ("./overlap.py", REVISION, "a local path, which has no revision"),
    ],
)
def test_a_source_that_is_not_exact_is_refused_in_one_line(tmp_path, monkeypatch, source, revision, said):
    write(tmp_path / "owner" / "rouge", WORDS, name="rouge")
    write(tmp_path, WORDS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=said) as refused:
        bridge.metric(source, worst=0.0, best=1.0, revision=revision)
    assert "\n" not in str(refused.value)


def test_a_script_of_the_hub_is_the_cached_one_of_its_commit(tmp_path, monkeypatch):
    """Laid out as huggingface_hub lays out its cache; no other commit and no folder of that name is taken for it."""
    import huggingface_hub

    write(tmp_path / "owner" / "rouge", "return {'score': 0.1}", name="rouge")
    repo = tmp_path / "hub" / "spaces--owner--rouge"
    write(repo / "snapshots" / REVISION, "return {'score': 0.7}", name="rouge")
    write(repo / "snapshots" / REVISION[::-1], "return {'score': 0.2}", name="rouge")
    monkeypatch.setattr(huggingface_hub.file_download.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    made = bridge.metric("hub:owner/rouge", revision=REVISION, worst=0.0, best=1.0)
    assert scored(made, "a", "b").value == 0.7 and made.config["revision"] == REVISION


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"per": "suite"}, "no gate may use one"),
        ({"per": "corpus"}, "per is 'corpus', expected case"),
        ({"worst": float("nan")}, "expected two different finite numbers"),
        ({"worst": 1.0}, "expected two different finite numbers"),
        ({"name": "a b"}, "'a b' cannot name a metric"),
        ({"arguments": {"tokenizer": object()}}, "plain data that JSON can hold"),
    ],
)
def test_options_that_cannot_be_used_are_refused(tmp_path, options, said):
    with pytest.raises(UserError, match=said) as refused:
        bridged(write(tmp_path, WORDS), **options)
    assert "\n" not in str(refused.value)


GOOD = "class Own(evaluate.Metric):\n    pass\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"import datasets, evaluate\n{GOOD}", "line 1: 'import datasets, evaluate' is read as one odd name"),
        (f"import datasets; import evaluate\n{GOOD}", "line 1: several statements on one line"),
        (f"import evaluate\nimport neighbour\n{GOOD}", "line 2: 'neighbour' is a neighbour of the script"),
        (f"import evaluate\nfrom neighbour import x\n{GOOD}", "line 2: 'neighbour' is a neighbour of the script"),
        (f"import evaluate\nfrom .neighbour import x\n{GOOD}", "line 2: the import of 'neighbour' is relative"),
        (f"import evaluate\nfrom . import neighbour\n{GOOD}", "line 2: the import of 'neighbour' is relative"),
        (f"import evaluate\nimport no_such_package\n{GOOD}", "'no_such_package' is imported and not installed"),
        ("from evaluate import Metric\nclass Own(Metric):\n    pass\n", "line 1: 'from evaluate import Metric' makes"),
        (f"import evaluate\nfrom evaluate.module import Metric as M\n{GOOD}", "line 2: 'from evaluate.module import"),
        (f"import evaluate\nfrom evaluate import *\n{GOOD}", "makes evaluate use its own class"),
        (f"import evaluate\n{GOOD}class Other(Own):\n    pass\n", r"several metric classes \(Own, Other\)"),
        ("import evaluate\n\nclass Own:\n    pass\n", "no class derives from evaluate.Metric"),
        ("def broken(:\n", "line 1: not Python"),
    ],
)
def test_a_script_that_would_not_load_is_refused_before_anything_runs(tmp_path, text, said):
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        bridged(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        (f"import datasets, evaluate\n{GOOD}", ImportError),
        (f"import evaluate\nimport neighbour\n{GOOD}", ImportError),
        ("from evaluate import Metric\nclass Own(Metric):\n    pass\n", NotImplementedError),
    ],
)
def test_the_traps_are_still_there(library, tmp_path, text, raised):
    """What the refusals above guard against; where a later `evaluate` loads these, the rules can go."""
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(raised):
        library.load(str(tmp_path / "own.py"), keep_in_memory=True)


def test_every_problem_of_a_script_is_named_together(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("import os, evaluate\nfrom evaluate import Metric\n")
    with pytest.raises(UserError, match="2 problems") as refused:
        bridged(path)
    assert "line 1" in str(refused.value) and "line 2" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        (("return {'a': 1, 'b': 2}", TEXT), {}, "gives a, b: say which with field="),
        (("return {'a': 1, 'b': 2}", TEXT), {"field": "c"}, "gives a, b, and no 'c': check field="),
        (("return 0.5", TEXT), {}, "gives no named result"),
        (("pass", TEXT, TEXTS), {}, "takes predictions as .*the bridge gives one text an answer"),
        (("pass", '{"id": datasets.Value("string")}'), {}, "takes references as .*the bridge gives one text"),
        (("pass", 'datasets.Value("bool")'), {}, "takes references as bool; the bridge gives text or a number"),
    ],
)
def test_what_only_the_first_answer_shows_stops_the_run_in_one_line(tmp_path, path, options, said):
    made = bridged(write(tmp_path, *path), **options)
    with pytest.raises(UserError, match=said) as refused:
        scored(made, "a", "b")
    assert "\n" not in str(refused.value)


def test_a_class_that_an_import_brings_and_a_script_that_breaks_are_named(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "brought.py").write_text(write(tmp_path, "return {'a': 0.5}").read_text())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    path = tmp_path / "late.py"
    path.write_text(f"import evaluate\nfrom brought import Overlap\n{GOOD}")
    with pytest.raises(UserError, match="takes the imported class Overlap for the metric"):
        scored(bridged(path), "a", "b")
    path.write_text(f"import evaluate\n1 / 0\n{GOOD}")
    with pytest.raises(UserError, match="cannot load it: ZeroDivisionError") as refused:
        scored(bridged(path), "a", "b")
    assert "\n" not in str(refused.value)


def test_a_script_that_changes_after_it_was_read_is_refused(tmp_path):
    path = write(tmp_path, WORDS)
    made = bridged(path)
    path.write_text(path.read_text() + "\n# changed\n")
    with pytest.raises(UserError, match="changed after the suite was read"):
        scored(made, "a", "b")


# Nothing is kept, nothing is reached

CHILD = """
import json
import socket
import sys


def refuse(*given, **more):
    raise AssertionError("the network was reached for")


socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from harness.schema import Case, Completion
from harness.scoring import bridge
from harness.scoring.base import run

made = bridge.metric(sys.argv[1], worst=0.0, best=1.0)
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
    done = subprocess.run(command, capture_output=True, text=True, env=kept | settings, cwd=caches, timeout=120)
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


@pytest.mark.parametrize("name", evaluate_metrics.NAMES)
def test_a_script_of_the_project_has_no_trap(name):
    path = Path(evaluate_metrics.script(name)) / f"{name}.py"
    assert bridge_scripts.problems(path.read_text(), path) == []


def test_an_unknown_script_is_refused():
    with pytest.raises(UserError, match=r"no metric 'rouge'\. There are: checkable_facts, clause_lists, cuad_spans"):
        evaluate_metrics.script("rouge")


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
    points = cuad_spans.curve({"0": ["a b"], "1": ["c d"]}, {"0": [("a b", 0.9), ("x", 0.5)], "1": [("c d", 0.3)]})
    assert found["aupr"] == cuad_spans.aupr(points) == pytest.approx(0.5 + 0.5 * 2 / 3)
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
    made = bridge.metric(
        evaluate_metrics.script("checkable_facts"), field="fabrication_response_rate", worst=1.0, best=0.0
    )
    assert base.metrics_of([made])[0].name == "checkable_facts_fabrication_response_rate"
    assert [scored(made, text, document="Rent is $1,200.").value for text in ("It is $1,200.", "It is $9.")] == [0, 1]
