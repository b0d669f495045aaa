"""The measures of the scorer: hand-worked counts, a planted scorer that is right or wrong, tables and markers."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.schema import Case, Completion, Span
from harness.scoring.grounding import facts
from tests.benchmarks.test_injected import load

people, known, validity = load("validity_people"), load("validity_injected"), load("scorer_validity")
completions, truth = load("validity_known_truth"), load("known_truth")
injected = load("injected")
ROOT = Path(__file__).parents[2]
MARKERS = "".join(f"<!-- {n}: written by x -->\nold {n}\n<!-- /{n} -->\n" for n in validity.PARTS)


def item(cluster: str, positive: bool, source: str = "Rent is $5.", statement: str = "Rent is $5."):
    return people.Labelled(source, statement, cluster, positive)


def copy(operator: str, spans: tuple[tuple[int, int], ...], cluster: str = "a", part: str = "open"):
    case = Case(id=f"{operator}-{cluster}", input={"document": "x"}, expected=[], cluster=cluster)
    said = Completion(key="k", text="0123456789", finish_reason="stop", prompt_tokens=1, output_tokens=1)
    return injected.Copy(case, said, operator, "kind", spans, "own", part == "frozen")


def span(start: int, end: int) -> Span:
    return Span(start=start, end=end, quote="0123456789"[start:end], kind="count", verdict="ungrounded")


def test_measures_of_a_hand_worked_table():
    answers = [True] * 3 + [False] * 1 + [True] * 1 + [False] * 3
    truth = [True] * 4 + [False] * 4
    found = people.measured(people.counts(answers, truth).sum(0)[None])[0]
    assert found.tolist() == [0.75, 0.75, 0.75]


def test_a_detector_that_calls_everything_wrong_has_a_balanced_accuracy_of_one_half():
    items = [item(str(n), n % 3 == 0) for n in range(30)]
    rows = people.rows(items, {"all": [True] * 30, "right": [i.positive for i in items]}, "right")
    assert rows[0].values["balanced accuracy"][0] == 0.5
    assert rows[1].values["balanced accuracy"] == (1.0, 1.0, 1.0)
    assert rows[2].values["balanced accuracy"] == (-0.5, -0.5, -0.5)


def test_intervals_are_clustered_by_source():
    alone = [item(str(n), n % 2 == 0) for n in range(80)]
    together = [i._replace(cluster=str(n // 20)) for n, i in enumerate(alone)]
    answers = [i.positive if n // 20 % 2 else not i.positive for n, i in enumerate(alone)]

    def width(items):
        _, low, high = people.rows(items, {"it": answers}, "it")[0].values["recall"]
        return high - low

    assert width(together) > 2 * width(alone)


def test_sources_never_stand_on_both_sides_of_a_fold():
    assert len({people.fold(item("one", flag)) for flag in (True, False)}) == 1
    assert {people.fold(item(str(n), True)) for n in range(50)} == set(range(people.FOLDS))


def test_a_choice_is_not_made_on_the_source_that_it_is_judged_on():
    """One option is right on one fold alone, the other everywhere else: by choice, that fold is all wrong."""
    items = [item(str(n), n % 2 == 0) for n in range(60)]
    odd = 3
    options = [
        ("mostly right", lambda i: i.positive != (people.fold(i) == odd)),
        ("right there", lambda i: i.positive == (people.fold(i) == odd)),
    ]
    answers, chosen = people.cross_validated(items, options)
    assert chosen == ["mostly right"] * people.FOLDS
    assert all((a == i.positive) == (people.fold(i) != odd) for a, i in zip(answers, items, strict=True))


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("Rent is $5.", False),
        ("Rent is $6.", True),
        ("Today, rent is due to Marlow.", True),
        ("Marlow is owed.", False),
        ("Rent is due. Payment is $5.", False),
    ],
)
def test_the_untuned_rule_looks_for_numbers_and_for_names_inside_a_sentence(statement, wrong):
    assert people.untuned_rule(item("a", True, statement=statement)) is wrong


def test_the_scorer_calls_a_statement_wrong_for_a_figure_that_the_source_lacks():
    assert people.scorer(item("a", True, statement="Rent is $6 a month."))
    assert not people.scorer(item("a", True, statement="Rent is $5 a month."))
    assert not people.scorer(item("a", True, statement="Rent is $6 a month."), families=("name",))


def test_an_error_is_caught_only_where_a_finding_overlaps_it():
    assert known.hit(copy("swap a figure", ((2, 4),)), [span(3, 6)])
    assert not known.hit(copy("swap a figure", ((2, 4),)), [span(4, 6)])
    assert not known.hit(copy("swap a figure", ((2, 4),)), [])
    assert known.hit(copy("drop the exception", ((4, 4),)), [span(4, 6)])
    assert not known.hit(copy("drop the exception", ((4, 4),)), [span(5, 6)])


def test_any_finding_in_a_faithful_copy_is_a_false_alarm():
    assert known.hit(copy("restated", ()), [span(0, 1)])
    assert not known.hit(copy("restated", ()), [])


def test_targets_are_judged_in_their_own_direction():
    results = [(copy("swap a figure", ((0, 1),), str(n)), n > 0) for n in range(10)]
    results += [(copy("untouched", (), str(n)), n == 0) for n in range(100)]
    results += [(copy("swap parties", ((0, 1),), str(n)), False) for n in range(10)]
    made = {r.operator: r for r in known.rates(results) if r.kind == "all"}
    assert (made["swap a figure"].value, made["swap a figure"].met) == (0.9, False)
    assert (made["untouched"].value, made["untouched"].met) == (0.01, True)
    assert made["swap parties"].met is None


def test_a_perfect_recall_is_not_shown_as_certain():
    results = [(copy("swap a figure", ((0, 1),), str(n)), True) for n in range(20)]
    (rate, _) = known.rates(results)
    assert rate.value == 1.0
    assert rate.low < 0.9


def test_the_frozen_part_is_scored_only_when_asked_for(monkeypatch):
    made = (copy("untouched", (), "a"), copy("untouched", (), "b", "frozen"))
    monkeypatch.setattr(known, "copies", lambda origin: made if origin == "own" else ())
    assert [c.case.cluster for c, _ in known.judged(("open",))] == ["a"]
    assert [c.case.cluster for c, _ in known.judged(("open", "frozen"))] == ["a", "b"]


@pytest.fixture(scope="module")
def of_own_text():
    """What the scorer makes of every open copy of our own text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known, "ORIGINS", ("own",))
        return known.judged(("open",))


@pytest.mark.slow
def test_tables_and_figures_are_written_and_the_words_around_them_stay(tmp_path, monkeypatch, of_own_text):
    asked = []
    monkeypatch.setattr(known, "judged", lambda parts: asked.append(parts) or of_own_text)
    docs, figures = tmp_path / "d.md", tmp_path / "f.json"
    docs.write_text(f"before\n{MARKERS}after\n")
    validity.main(["--only", "injected", "--docs", str(docs), "--json", str(figures)])
    assert asked == [("open",)]
    written = docs.read_text()
    assert written.startswith("before\n") and written.endswith("after\n")
    assert "old people" in written and "old injected" not in written
    assert "| swap a figure |" in written
    assert "frozen" not in written
    told = json.loads(figures.read_text())
    assert told["fabrication_rate"]["scorer"] == facts.fabricated.version
    assert {row["detector"] for row in told["fabrication_rate"]["rows"]} == {"fact scorer"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["measured"])


def test_a_file_without_markers_is_refused(tmp_path):
    docs = tmp_path / "d.md"
    docs.write_text("nothing here")
    with pytest.raises(UserError, match="put both lines in"):
        validity.write_between(docs, "frank", "x")


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_statement_is_joined_to_the_whole_of_its_source(tmp_path):
    """Pages are stored in pieces, and statements on one page share a cluster; a partly supported claim is wrong."""
    write(tmp_path / "wice/docs.jsonl", [{"doc_id": "p", "text": ["Ann Lee.", "Born 1950."]}])
    labels = ["supported", "partially_supported", "not_supported"]
    rows = [{"doc_id": "p", "claim": f"claim {label}", "label": label} for label in labels]
    write(tmp_path / "wice/claims.jsonl", rows)
    assert people.load("wice", tmp_path) == [
        people.Labelled("Ann Lee.\nBorn 1950.", f"claim {label}", "p", label != "supported") for label in labels
    ]


def test_rows_that_a_set_leaves_out_are_not_read(tmp_path):
    row = {"source": "x", "source_id": "a", "summary": "y", "Factuality": 0.5, "split": "valid"}
    write(tmp_path / "frank/summaries.jsonl", [row, row | {"split": "test"}])
    assert people.load("frank", tmp_path) == [people.Labelled("x", "y", "a", True)]


@pytest.mark.parametrize(
    ("name", "statements", "wrong", "sources"),
    [
        ("frank", 671, 428, 149),
        ("faithbench", 330, 230, 33),
        ("summedits", 2964, 1891, 104),
        ("wice", 353, 244, 351),
        ("begin", 2458, 1520, 712),
    ],
)
def test_the_labelled_sets_are_the_ones_that_the_figures_speak_of(name, statements, wrong, sources):
    data = Path(os.environ.get("TUNEGATE_DATA", ""))
    if not (data / people.SETS[name].file).is_file():
        pytest.skip(f"TUNEGATE_DATA names no folder with {people.SETS[name].file}")
    items = people.load(name, data)
    found = (len(items), sum(i.positive for i in items), len({i.cluster for i in items}))
    assert found == (statements, wrong, sources)


def test_novelty_counts_the_runs_of_words_that_the_source_lacks():
    it = item("a", True, statement="Rent is five dollars.")  # of three pairs, the source has "rent is"
    assert people.is_novel(it, 2, 2 / 3) and not people.is_novel(it, 2, 0.7)


def test_the_scorer_meets_its_targets_on_open_own_text(of_own_text):
    rates = [r for r in known.rates(of_own_text) if r.kind == "all" and r.origin == "own"]
    missed = [(r.operator, round(r.value, 3)) for r in rates if r.met is False]
    assert missed == []


DOCUMENT = "The rent is $1,200 a month, due on the 3rd. Ann Lee pays it unless the roof leaks."


def completion(number: int, text: str, *errors: tuple[str, str]) -> Any:
    """A completion over DOCUMENT with typed errors."""
    marks = [truth.Error(kind, text.index(wrong), text.index(wrong) + len(wrong)) for kind, wrong in errors]
    return truth.Known(f"c{number}", "doc", "summary", "prose", "", text, tuple(marks))


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(completions, "source_of", lambda each: DOCUMENT)
    return [
        completion(1, "Rent of 1,200 dollars falls due."),
        completion(2, "Rent of $1,300 is due, paid by Bob.", ("absent-amount", "$1,300"), ("absent-name", "Bob")),
        completion(3, "The rent is due always.", ("meaning-exception", "always")),
    ]


def test_rivals_see_numbers_and_names_that_the_document_lacks(three):
    faithful, wrong, _ = three
    assert (completions.numbers(faithful), completions.numbers_and_names(faithful)) == ([], [])
    assert [wrong.text[a:b] for a, b in completions.numbers(wrong)] == ["1,300"]
    assert [wrong.text[a:b] for a, b in completions.numbers_and_names(wrong)] == ["1,300", "Bob"]
    assert completions.novelty(faithful.text, DOCUMENT, 1) == pytest.approx(4 / 6)
    assert completions.novelty(three[2].text, DOCUMENT, 2) == pytest.approx(2 / 4)


def test_a_detector_is_measured_by_class_by_completion_and_by_finding(three):
    found = completions.judged("rule", completions.numbers_and_names, three)
    assert {kind: share.value for kind, share in found.recall.items() if kind != "join"} == {"absent": 1, "meaning": 0}
    assert (found.alarms.value, found.precision.value, found.accuracy.value) == (0, 1, 1)
    every = completions.judged("all", lambda each: [(0, 4), (5, 6)], three)
    assert (every.alarms.value, every.accuracy.value, every.precision.value) == (1, 0.5, 0)
    assert every.density.value == pytest.approx(2 / 0.06)
    types = completions.judged("rule", completions.numbers, three, by_type=True).recall
    assert {kind: share.value for kind, share in types.items()} == {
        "absent-amount": 1, "absent-name": 0, "meaning-exception": 0,
    }  # fmt: skip


def test_a_verdict_on_a_whole_completion_has_no_places(three):
    found = completions.judged("whole", lambda each: [(0, len(each.text))], three)
    assert found.precision.value != found.precision.value and found.accuracy.value == 0.5


def test_completions_whose_errors_are_of_meaning_alone_are_neither_positive_nor_negative(three):
    assert [completions.is_positive(each) for each in three] == [False, True, None]


def test_the_novelty_of_runs_is_chosen_where_it_tells_the_parts_apart(three):
    apart = [completion(4, "The rent is due."), three[1], three[2]]
    size, threshold = completions.chosen_novelty(apart)
    assert [completions.novelty(each.text, DOCUMENT, size) >= threshold for each in apart[:2]] == [False, True]


def test_the_page_was_measured_with_the_scorer_as_it_is():
    page = (ROOT / "docs" / "scorer-validity.md").read_text("utf-8")
    parts = page.partition("<!-- checker: ")[0]  # a checker takes hours: its tables name the scorer of their time
    versions = re.findall(r"scorer version (\w+)\.", parts)
    assert versions == [facts.fabricated.version] * len(validity.PARTS)
    shipped = json.loads((ROOT / "harness" / "scoring" / "validity.json").read_text("utf-8"))
    assert shipped["fabrication_rate"]["scorer"] == facts.fabricated.version
