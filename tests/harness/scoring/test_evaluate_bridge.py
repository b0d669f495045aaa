"""A metric of `evaluate` scores answers one by one, and what only an answer shows to be wrong stops the run."""

import sys

import pytest

from harness.errors import Unavailable, UserError
from harness.gates.judge import judge
from harness.schema import Case, Gate, GateFile, Objective
from harness.scoring import evaluate_bridge
from harness.scoring.base import run
from tests.support.answers import answer, scored_record
from tests.support.written_metrics import (
    ANY_OF,
    GOOD,
    REVISION,
    TEXT,
    TEXTS,
    WORDS,
    bridged,
    offline_library,
    scored,
    write,
)


@pytest.fixture(scope="module", autouse=True)
def library(tmp_path_factory):
    """The `evaluate` library with caches of its own and no network."""
    with offline_library(tmp_path_factory.mktemp("cache")) as evaluate:
        yield evaluate


def test_a_script_scores_one_answer_by_its_case(tmp_path):
    made = bridged(write(tmp_path, WORDS))
    assert scored(made, "sixty days notice", "sixty days").value == pytest.approx(2 / 3)
    assert [m.name for m in made.metrics] == ["overlap", "overlap_complete_rate"]
    assert made.metrics[0].kind == "mean" and made.metrics[0].higher_is_better


def test_a_folder_of_the_script_s_name_will_do_and_a_path_is_relative_to_the_calling_file(tmp_path):
    write(tmp_path / "suite" / "overlap", WORDS)
    caller = tmp_path / "suite" / "test_suite.py"
    names = {"__file__": str(caller), "bridge": evaluate_bridge}
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


def test_the_fields_of_one_answer_cost_one_call(tmp_path):
    path = write(tmp_path, "self.n = getattr(self, 'n', 0) + 1; return {'one': self.n / 9, 'two': self.n / 9}")
    one, two = bridged(path, field="one"), bridged(path, field="two")
    calls = [scored(made, text, "b").value * 9 for text in ("first", "second") for made in (one, two)]
    assert calls == pytest.approx([1, 1, 2, 2])


def test_an_answer_can_be_compared_with_a_tag_of_its_case(tmp_path):
    made = bridged(write(tmp_path, ANY_OF, TEXTS), reference="summary", complete=False)
    tagged = Case(
        id="a", input={"document": "x"}, expected=["!rent: $900"], cluster="c", tags={"summary": "Rent is $900."}
    )
    assert run([made], tagged, answer("Rent is $900."))[made.name].value == 1.0
    assert run([made], tagged, answer("!rent: $900"))[made.name].value == 0.0
    assert scored(made, "x", "x").value is None, "the case has no such tag"
    assert [m.name for m in made.metrics] == ["overlap"]


def test_a_number_may_come_wrapped_for_one_answer(tmp_path):
    made = bridged(write(tmp_path, "import numpy; return {'score': numpy.array([0.25], dtype='float32')}"))
    assert scored(made, "a", "b").value == 0.25


@pytest.mark.parametrize(("body", "value"), [("1 + 1e-12", 1.0), ("-1e-12", 0.0), ("True", 1.0)])
def test_rounding_does_not_carry_a_value_out_of_its_range(tmp_path, body, value):
    assert scored(bridged(write(tmp_path, f"return {{'score': {body}}}")), "a", "b").value == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return {'score': float('nan')}", "the metric gave nan, expected 0 to 1"),
        ("return {'score': float('inf')}", "the metric gave inf"),
        ("return {'score': 40.0}", "the metric gave 40.0, expected 0 to 1"),
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
        assert score.unreadable == ["empty answer, on which the metric fails: ZeroDivisionError"]
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
    assert score.value is None and not score.failed and "the case has no expected answer" in score.reason


def test_text_where_the_metric_wants_a_number_is_wrong(tmp_path):
    number = 'datasets.Value("int32")'
    made = bridged(write(tmp_path, "return {'same': float(predictions == references)}", number, number))
    texts = (" 30\n", "31", "thirty", "30 days", "", "9" * 40)
    assert [scored(made, text, "30").value for text in texts] == [1, 0, 0, 0, 0, 0]
    assert scored(made, "thirty", "30").unreadable == ["not a number (int32)"]
    with pytest.raises(UserError, match="takes references as int32, but a case has 'thirty'"):
        scored(made, "30", "thirty")


def test_other_inputs_come_from_the_case(tmp_path):
    more = f', "sources": {TEXT}, "question": {TEXT}'
    body = "return {'seen': float(sources == ['x'] and question == ['why?'])}"
    made = bridged(write(tmp_path, body, takes="predictions, references, sources, question", more=more))
    assert scored(made, "a", "b", question="why?").value == 1.0
    with pytest.raises(UserError, match="takes an input 'question', but case 'lease-1' has no variable"):
        scored(made, "a", "b")


def test_a_metric_that_draws_gives_equal_scores_in_any_order(tmp_path):
    path = write(tmp_path, "import numpy; return {'draw': float(numpy.random.random())}")
    made, again = bridged(path), bridged(path)
    first = scored(made, "a", "b").value
    evaluate_bridge.module.cache_clear()
    import numpy

    numpy.random.seed(7)
    assert scored(again, "z", "b").value == first == scored(made, "a", "b").value


def test_a_mean_by_a_script_is_gated(tmp_path):
    made = bridged(write(tmp_path, WORDS))
    texts = {"baseline": "ten dollars due or so", "tuned": "ten dollars due"}

    def records(variant):
        for i in range(40):
            asked = Case(id=f"c{i}", input={}, expected=["ten dollars"], cluster=f"k{i}")
            said = answer(texts[variant] + (" now" if i % 4 == 0 else ""))
            yield scored_record([made], asked, said, variant)

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


def test_a_script_of_the_hub_is_the_cached_one_of_its_commit(tmp_path, monkeypatch):
    """Laid out as huggingface_hub lays out its cache; no other commit and no folder of that name is taken for it."""
    import huggingface_hub

    write(tmp_path / "owner" / "rouge", "return {'score': 0.1}", name="rouge")
    repo = tmp_path / "hub" / "spaces--owner--rouge"
    write(repo / "snapshots" / REVISION, "return {'score': 0.7}", name="rouge")
    write(repo / "snapshots" / REVISION[::-1], "return {'score': 0.2}", name="rouge")
    monkeypatch.setattr(huggingface_hub.file_download.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    made = evaluate_bridge.metric("hub:owner/rouge", revision=REVISION, worst=0.0, best=1.0)
    assert scored(made, "a", "b").value == 0.7 and made.config["revision"] == REVISION


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        (("return {'a': 1, 'b': 2}", TEXT), {}, "gives a, b: name one with field="),
        (("return {'a': 1, 'b': 2}", TEXT), {"field": "c"}, "gives a, b, but no 'c': check field="),
        (("return 0.5", TEXT), {}, "gives no named result"),
        (("pass", TEXT, TEXTS), {}, "takes predictions as .*expected one text per answer"),
        (("pass", '{"id": datasets.Value("string")}'), {}, "takes references as .*expected one text"),
        (("pass", 'datasets.Value("bool")'), {}, "takes references as bool; expected text or a number"),
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
    with pytest.raises(UserError, match="takes the imported class Overlap as the metric"):
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


def test_without_the_library_a_suite_is_left_out_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "evaluate", None)
    (rouge, _) = evaluate_bridge.rouge()
    with pytest.raises(Unavailable, match=r"'evaluate', which is not installed.*pip install '\.\[metrics\]'"):
        rouge.check(Case(id="c", input={"document": "d"}, expected=["a"], cluster="k"))
