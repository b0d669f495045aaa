"""The suite legal/citations: fair cases, training rows that share nothing with them, and no gate passed by rote."""

import itertools
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from evalsuites.legal.citations import generate
from evalsuites.legal.citations.floor import keyword_floor
from evalsuites.legal.citations.test_citations import suite
from harness.gates.judge import judge, load_gates
from harness.schema import Case, Completion, Record
from harness.scoring import base
from harness.scoring.grounding.citation_parser import citations_in
from harness.scoring.grounding.citations import known_code
from harness.suites.prompts import load_template, messages
from tests.evalsuites.separation import names_in, shared_figures, shared_runs

SUITE = Path(generate.__file__).parent
CASES = suite.cases
BANKS = {side: generate.load(side) for side in ("eval", "train")}
SECOND_HAND = "44-14-162.2"


@cache
def training() -> tuple[Case, ...]:
    """Cases of more training and dev rows than the defaults write."""
    rows = [*generate.training_pairs("train", 2400, 0), *generate.training_pairs("dev", 400, 1)]
    return tuple(case for case, _ in rows)


@cache
def records(answer) -> list[Record]:
    found = []
    for case in CASES:
        done = Completion(key="k", text=answer(case), finish_reason="stop", prompt_tokens=1, output_tokens=1)
        scores = base.run(suite.scorers, case, done)
        found.append(
            Record(
                case=case,
                variant="tuned",
                input_hash=case.id,
                prompt_hash="p",
                expected_hash="e",
                completion=done,
                scores=scores,
            )
        )
    return found


def outcomes(answer) -> dict[str, str]:
    """Outcome of each gate that needs no baseline."""
    verdicts = judge(
        suite.name,
        load_gates(suite.gates_path),
        suite.metrics,
        {"tuned": records(answer)},
        expected_cases=len(CASES),
        slices=suite.slice_values(),
    )
    return {v.gate: v.outcome for v in verdicts if v.outcome != "skipped"}


def rate(answer, name: str, kind: str | None = None) -> float:
    metric = next(m for m in suite.metrics if m.name == name)
    total: Counter = Counter()
    for record in records(answer):
        if kind in (None, record.case.tags["kind"]):
            total.update(record.scores[metric.scorer].counts)
            total["cases"] += 1
    return total[metric.numerator] / total[metric.denominator or "cases"]


def all_options(case: Case) -> str:
    return "; ".join(
        [*sorted({s for c in citations_in(case.document, True) for s in c.sections}), "not in the document"]
    )


def sections_of(cases) -> set[str]:
    return {
        s
        for case in cases
        for text in (case.document, *case.expected)
        for c in citations_in(text, True)
        for s in c.sections
    }


def test_suite_has_enough_documents_and_half_of_its_cases_have_no_answer():
    kinds = Counter(case.tags["kind"] for case in CASES)
    assert len({case.cluster for case in CASES}) >= 75
    assert min(kinds.values()) >= 40
    absent = kinds["not_in_document"] + kinds["invented_section"]
    assert absent == sum(case.expected == ["not in the document"] for case in CASES)
    assert absent * 2 == len(CASES)
    assert len({(case.document, case.input["question"]) for case in CASES}) == len(CASES)


def test_prompts_stay_short():
    template = load_template(SUITE / "prompt.jinja")
    lengths = [len(" ".join(m["content"] for m in messages(template, case)).split()) for case in CASES]
    assert max(lengths) <= 350


def test_an_expected_section_stands_in_its_document_and_an_invented_one_nowhere():
    invented = set(BANKS["eval"]["pools"]["invented"]) | set(BANKS["train"]["pools"]["invented"])
    assert not invented & set(known_code().sections)
    for case in (*CASES, *training()):
        named = sections_of([case])
        assert not named & invented, case.id
        wanted = {s for line in case.expected for c in citations_in(line, True) for s in c.sections}
        assert wanted <= {s for c in citations_in(case.document, True) for s in c.sections}, case.id
        asked = {s for c in citations_in(case.input["question"], True) for s in c.sections}
        assert bool(asked) == (case.tags["kind"] == "invented_section"), case.id
        assert asked <= invented


def test_a_question_without_an_answer_is_on_no_section_of_its_document():
    for side, cases in (("eval", CASES), ("train", training())):
        for case in cases:
            if case.tags["kind"] == "not_in_document":
                about = [s for s in BANKS[side]["section"] if any(a in case.input["question"] for a in asks(s))]
                assert about, case.id
                near = {n for group in BANKS[side]["near"] for s in about if s["number"] in group for n in group}
                assert not sections_of([case]) & ({s["number"] for s in about} | near), case.id


def asks(section) -> list[str]:
    return [form for ask in section["ask"] for form in (ask, ask[0].upper() + ask[1:])]


def test_every_section_is_in_the_georgia_list_as_read_but_for_the_one_second_hand():
    known = known_code().sections
    for cases in (CASES, training()):
        assert {s for s in sections_of(cases) if known[s].confidence != "read"} <= {SECOND_HAND}
    assert {c.tags["kind"] for c in CASES if f"O.C.G.A. § {SECOND_HAND}" in c.expected} == {"stale_law"}


def test_a_document_with_an_old_rule_also_gives_the_present_one():
    stale = [case for case in CASES if "stale" in case.tags]
    assert {case.tags["kind"] for case in stale} == {"stale_law"}
    rules = [case for case in stale if len(case.expected) == 2]
    assert len(rules) == len(stale) / 2
    for case in rules:
        assert case.tags["stale"].split("|")[0] in case.document
        assert case.expected[0].split("|")[0] in case.document


def test_many_written_forms_occur():
    seen = [form for form in set(generate.FORMS) if any(form.split("{n}")[0] in case.document for case in CASES)]
    assert len(seen) == len(set(generate.FORMS))
    assert any("\u2011" in case.document for case in CASES) and any("\u2013" in case.document for case in CASES)


def test_training_and_suite_share_no_section_figure_or_run_of_eight_words():
    assert len(training()) == 2800
    assert sections_of(CASES) & sections_of(training()) == set()
    assert shared_runs(CASES, training()) == set()
    assert shared_figures(CASES, training()) == set()


def test_training_and_suite_share_no_phrase_and_no_name():
    def phrases(side: str) -> set[str]:
        bank = BANKS[side]
        lists = [bank["law"], bank["pair_law"], bank["left_open"], bank["left_open_beside"], bank["filler"]]
        lists += [*bank["questions"].values(), *bank["texts"].values(), [text for _, text in bank["openings"]]]
        lists += [entry[key] for entry in bank["section"] for key in ("doc", "ask")]
        return set(itertools.chain.from_iterable(lists))

    assert phrases("eval") & phrases("train") == set()
    kinds = ("client", "person", "firm", "county")
    names = {side: {n for kind in kinds for n in BANKS[side]["pools"][kind]} for side in BANKS}
    assert names_in(CASES, names["train"]) == set() and names_in(training(), names["eval"]) == set()
    assert names_in(CASES, names["eval"]) and names_in(training(), names["train"])


def test_training_rows_hold_each_kind_as_often_as_the_suite():
    share = Counter(case.tags["kind"] for case in training()[:2400])
    assert share["answerable"] == 800 and share["stale_law"] == 400


@pytest.mark.parametrize("answer", [generate.answer, lambda case: "; ".join(case.expected)], ids=["answer", "joined"])
def test_right_answers_pass_every_gate(answer):
    found = outcomes(answer)
    assert len(found) == 12
    assert set(found.values()) == {"pass"}
    assert rate(answer, "accuracy") == 1.0


def test_the_right_answer_scores_right_in_every_training_row():
    scorer = suite.scorers[0]
    for case, text in generate.training_pairs("train", 600, 3):
        done = Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)
        assert scorer(case, done).value == 1.0, (case.id, text)


def copies(case: Case) -> str:
    return case.document


@pytest.mark.parametrize(
    ("answer", "gate"),
    [
        (keyword_floor, "accuracy-at_least-0.9"),
        (keyword_floor, "citation_recall-at_least-0.9"),
        (lambda case: "Yes.", "parse_rate-at_least-0.95"),
        (lambda case: "No.", "parse_rate-at_least-0.95"),
        (lambda case: "none", "citation_recall-at_least-0.9"),
        (lambda case: "Not in the document.", "refused_answerable_rate-at_most-0.1"),
        (copies, "citation_precision-at_least-0.9"),
        (copies, "answered_unanswerable_rate-at_most-0.05"),
        (all_options, "accuracy-at_least-0.9"),
        (lambda case: case.input["question"], "answered_unanswerable_rate-at_most-0.05"),
        (lambda case: "", "parse_rate-at_least-0.95"),
    ],
    ids=["floor", "floor-recall", "yes", "no", "none", "absent", "copy", "copy-absent", "all", "question", "empty"],
)
def test_an_answer_without_understanding_fails_the_gate(answer, gate):
    assert outcomes(answer)[gate] == "fail"


def test_a_model_that_cites_the_replaced_rule_fails_the_gate_of_its_kind_alone():
    def stale(case: Case) -> str:
        return (
            case.tags["stale"].split("|")[0] + "; " + case.expected[-1]
            if "stale" in case.tags
            else generate.answer(case)
        )

    assert {g for g, outcome in outcomes(stale).items() if "stale" in g} == {
        "stale_answer_rate-at_most-0.1",
        "accuracy-at_least-0.8[kind=stale_law]",
    }
    assert outcomes(stale)["stale_answer_rate-at_most-0.1"] == "fail"
    assert outcomes(stale)["accuracy-at_least-0.8[kind=answerable]"] == "pass"


def test_one_invented_citation_breaks_the_bar():
    first = CASES[0].id
    found = outcomes(lambda case: "O.C.G.A. § 44-99-999" if case.id == first else generate.answer(case))
    assert found["fabricated_citation-never"] == "fail"


def test_the_readme_states_counts_and_floor_as_measured():
    text = " ".join((SUITE / "README.md").read_text("utf-8").split())
    for kind, count in Counter(case.tags["kind"] for case in CASES).items():
        assert f"| `{kind}` | {count} |" in text
    for name in ("accuracy", "citation_recall", "citation_precision", "answered_unanswerable_rate"):
        assert f"{name.replace('_', ' ')} {rate(keyword_floor, name):.3f}" in text
    assert rate(keyword_floor, "accuracy", "invented_section") == 1.0
    assert max(len(case.document.split()) for case in CASES) <= 180
