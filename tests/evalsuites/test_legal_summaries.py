"""The suite legal/summaries: fair contracts, right summaries that score as such, and no gate passed by rote."""

import re
from collections import Counter
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from evalsuites.legal.summaries import generate
from evalsuites.legal.summaries.floor import keyword_floor
from evalsuites.legal.summaries.test_summaries import suite
from harness.gates.judge import judge, load_gates
from harness.schema import Case, Completion, Record
from harness.scoring import base
from harness.scoring.legal import key_terms
from harness.scoring.text.quantities import figures_in, size_key
from harness.suites.cases import load_cases
from tests.evalsuites.separation import names_in, shared_figures, shared_runs

SUITE = Path(generate.__file__).parent
CASES = suite.cases
GOLD = {case.id: text for case, text in generate.eval_pairs()}
BANKS = {side: generate.load(side) for side in ("eval", "train")}
CLAUSES_SUITE = load_cases(SUITE.parent / "clauses" / "cases.jsonl")


@cache
def training() -> tuple[tuple[Case, str], ...]:
    """Cases and right summaries of more training and dev rows than the defaults write."""
    return (*generate.training_pairs("train", 2000, 0), *generate.training_pairs("dev", 300, 1))


def answered(pairs) -> list[Case]:
    """Cases with their right summary among the texts that are compared."""
    return [Case(id=c.id, input={**c.input, "gold": text}, expected=c.expected, cluster=c.cluster) for c, text in pairs]


def done(text: str) -> Completion:
    return Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)


def gold(case: Case) -> str:
    return GOLD[case.id]


@cache
def records(answer) -> list[Record]:
    return [
        Record(
            case=case,
            variant="tuned",
            input_hash=case.id,
            prompt_hash="p",
            expected_hash="e",
            completion=done(answer(case)),
            scores=base.run(suite.scorers, case, done(answer(case))),
        )
        for case in CASES
    ]


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


def rate(answer, name: str) -> float:
    metric = next(m for m in suite.metrics if m.name == name)
    total: Counter = Counter()
    for record in records(answer):
        total.update(record.scores[metric.scorer].counts)
    return total[metric.numerator] / (total[metric.denominator] if metric.denominator else len(CASES))


def test_suite_has_enough_contracts_of_each_kind_and_half_of_them_set_a_trap():
    kinds = Counter(case.tags["kind"] for case in CASES)
    assert len({case.document for case in CASES}) == len({case.cluster for case in CASES}) == len(CASES) >= 150
    assert kinds["plain"] * 2 == len(CASES) and min(kinds["amended"], kinds["struck"]) >= 30
    assert set(Counter(case.tags["instrument"] for case in CASES).values()) == {54}
    assert all(("stale" in case.tags) == (case.tags["kind"] != "plain") for case in CASES)
    assert all(120 <= len(case.document.split()) <= 300 for case in CASES)


def test_every_key_term_stands_in_its_contract_and_nothing_stale_is_among_them():
    for case in (*CASES, *(case for case, _ in training())):
        source = key_terms.read(case.document)
        wanted = {
            value for clause in key_terms.clauses_of(tuple(case.expected)) for t in clause.terms for value in t.figures
        }
        for clause in key_terms.clauses_of(tuple(case.expected)):
            assert all(key_terms.places(term, source) for term in clause.terms), (case.id, clause.name)
        for part in case.tags.get("stale", "").split(" + "):
            old = key_terms.term_of(part)
            assert not part or (old.figures and key_terms.places(old, source) and not old.figures & wanted), case.id


def test_a_contract_holds_no_figure_that_binds_and_is_not_among_its_key_terms():
    for case in CASES:
        known = [t for clause in key_terms.clauses_of(tuple(case.expected)) for t in clause.terms]
        known += [key_terms.term_of(part) for part in case.tags.get("stale", "").split(" + ")]
        values = {value for term in known for value in term.figures}
        figures = [f for f in figures_in(case.document) if f.kind != "count"]
        loose = [f for f in figures if size_key(f.unit, f.value) not in values]
        assert loose == [], case.id


def test_most_clauses_are_critical_and_a_minor_one_is_among_them():
    for case in CASES:
        marked = [clause.critical for clause in key_terms.clauses_of(tuple(case.expected))]
        assert (sum(marked), len(marked)) == (7, 8)


def test_training_and_suite_share_no_figure_and_no_run_of_eight_words():
    ours, theirs = answered((c, GOLD[c.id]) for c in CASES), answered(training())
    assert shared_runs(ours, theirs) == set()
    assert shared_figures(ours, theirs) == set()


def test_no_run_of_eight_words_is_that_of_the_clauses_suite():
    assert shared_runs(CASES, CLAUSES_SUITE) == set()
    assert shared_runs([case for case, _ in training()], CLAUSES_SUITE) == set()


def test_training_and_suite_share_no_phrase_and_no_name():
    def phrases(side: str) -> set[str]:
        bank = BANKS[side]
        found = {*bank["neutral"], *bank["amended"], *bank["struck"]}
        for instrument in generate.INSTRUMENTS:
            found |= {*bank[instrument]["open"], *bank[instrument]["gold_open"]}
            found |= {text for clause in bank[instrument]["clause"] for text in (*clause["text"], *clause["gold"])}
        return {re.sub(r"\{\w+\}|\W+", " ", text.lower()).strip() for text in found}

    assert len(phrases("train")) > 100
    assert phrases("eval") & phrases("train") == set()
    names = {side: {n for pool in BANKS[side]["names"].values() for n in pool} for side in BANKS}
    rows = answered(training())
    assert names_in(CASES, names["train"]) == set() and names_in(rows, names["eval"]) == set()
    assert names_in(CASES, names["eval"]) == names["eval"] and names_in(rows, names["train"]) == names["train"]
    assert names_in(CLAUSES_SUITE, names["eval"] | names["train"]) == set()


@pytest.mark.parametrize("answer", [gold, lambda case: "; ".join(case.expected)], ids=["summary", "joined"])
def test_a_right_answer_scores_perfectly_and_passes_every_gate(answer):
    assert {name: rate(answer, name) for name in ("term_recall", "critical_term_recall", "complete_summary_rate")} == {
        "term_recall": 1.0,
        "critical_term_recall": 1.0,
        "complete_summary_rate": 1.0,
    }
    assert rate(answer, "fabrication_rate") == 0.0 and rate(answer, "stale_term_rate") == 0.0
    found = outcomes(answer)
    assert len(found) == 11 and set(found.values()) == {"pass"}


def test_the_right_summaries_of_training_rows_score_perfectly():
    for case, text in training()[:400]:
        scores = base.run(suite.scorers, case, done(text))
        assert (scores.terms.complete, scores.terms.value, scores.facts.fabricated) == (1, 1.0, []), (case.id, text)
        assert len(text.split()) <= 80


def test_each_exchange_of_two_figures_of_one_kind_is_noticed():
    tried = 0
    for case in CASES:
        text = gold(case)
        for one, two in combinations(figures_in(text), 2):
            if one.kind == two.kind:
                tried += 1
                first, second = text[one.start : one.end], text[two.start : two.end]
                swapped = text[: one.start] + second + text[one.end : two.start] + first + text[two.end :]
                assert key_terms.covered(case, done(swapped)).value < 1.0, swapped
    assert f"{tried:,} in all" in " ".join((SUITE / "README.md").read_text("utf-8").split())


def without_a_clause(case: Case) -> str:
    """The right summary without its third sentence, which is a critical clause."""
    text = re.split(r"(?<=[^A-Z]\.) (?=[A-Z])", gold(case))
    return " ".join(text[:2] + text[3:])


def with_an_invention(case: Case) -> str:
    return gold(case) + " A fee of $999,937 is due."


def with_what_was_replaced(case: Case) -> str:
    return gold(case) + (f" Also {case.tags['stale'].replace(' + ', ', ')}." if "stale" in case.tags else "")


def copies(case: Case) -> str:
    return case.document


@pytest.mark.parametrize(
    ("answer", "gate"),
    [
        (keyword_floor, "critical_term_recall-at_least-0.9"),
        (keyword_floor, "complete_summary_rate-at_least-0.75"),
        (keyword_floor, "stale_term_rate-at_most-0.1"),
        (lambda case: " ".join(case.document.split()[:80]), "critical_term_recall-at_least-0.9"),
        (copies, "answer_words-at_most-95"),
        (copies, "compression-at_most-0.6"),
        (copies, "stale_term_rate-at_most-0.1"),
        (lambda case: "Yes.", "critical_term_recall-at_least-0.9"),
        (lambda case: "No.", "critical_term_recall-at_least-0.9"),
        (lambda case: "none", "complete_summary_rate-at_least-0.75"),
        (lambda case: "I cannot summarise this.", "answer_rate-at_least-0.95"),
        (lambda case: "", "answer_rate-at_least-0.95"),
        (without_a_clause, "complete_summary_rate-at_least-0.75"),
        (with_an_invention, "fabrication_response_rate-at_most-0.05"),
        (with_what_was_replaced, "stale_term_rate-at_most-0.1"),
        (lambda case: GOLD[CASES[0].id], "fabrication_response_rate-at_most-0.05"),
    ],
)
def test_an_answer_without_understanding_fails_the_gate(answer, gate):
    assert outcomes(answer)[gate] == "fail"


def test_the_readme_states_counts_and_floor_as_measured():
    text = " ".join((SUITE / "README.md").read_text("utf-8").split())
    kinds = Counter(case.tags["kind"] for case in CASES)
    assert f"| `plain` | {kinds['plain']} contracts |" in text
    assert f"| `amended` | {kinds['amended']}:" in text and f"| `struck` | {kinds['struck']}:" in text
    lengths = [len(case.document.split()) for case in CASES]
    summaries = [len(summary.split()) for summary in GOLD.values()]
    assert f"{min(lengths)} to {max(lengths)} words; a right summary takes {min(summaries)} to {max(summaries)}" in text
    for name in ("term_recall", "critical_term_recall", "complete_summary_rate", "stale_term_rate"):
        assert f"{name.replace('_', ' ')} {rate(keyword_floor, name):.3f}" in text
