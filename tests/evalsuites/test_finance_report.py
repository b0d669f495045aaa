"""The suite finance/report: right paragraphs score perfectly, answers without reading fail, training shares nothing."""

import re
from collections import Counter
from functools import cache

import pytest

from evalsuites.finance.report import generate, sheets
from evalsuites.finance.report.floor import first_row
from evalsuites.finance.report.test_report import suite
from harness.schema import Case
from harness.scoring.finance.fact_sheet import read_sheet
from tests.evalsuites import separation
from tests.evalsuites.judging import answered, levels, outcomes

KINDS = {"single_period", "comparison", "peer", "negative", "not_reported", "units"}
PHRASES = ("questions", "paragraphs")


@cache
def training(split: str, rows: int) -> tuple[Case, ...]:
    return tuple(case for case, _ in generate.training_pairs(split, rows, 0))


def every_training_case() -> tuple[Case, ...]:
    return training("train", 1800) + training("dev", 180)


def forms(name: str) -> dict[str, list[str]]:
    """Phrases of a bank by group and sort."""
    groups = {form: group for form, group in sheets.bank(name).items() if form != "pools"}
    return {f"{form}.{sort}": group[sort] for form, group in groups.items() for sort in PHRASES}


def test_there_are_enough_cases_sheets_and_kinds():
    assert len(suite.cases) >= 160
    assert len({case.cluster for case in suite.cases}) >= 80
    kinds = Counter(case.tags["kind"] for case in suite.cases)
    assert set(kinds) == KINDS
    assert min(kinds.values()) >= 20
    alike = Counter(case.tags["names"] for case in suite.cases if case.tags["kind"] == "peer")
    assert min(alike.values()) >= 8


def test_prompts_and_right_paragraphs_are_short():
    assert max(len((case.document + case.input["question"]).split()) for case in suite.cases) <= 420
    words = [len(case.expected[0].split()) for case in suite.cases]
    assert (min(words) >= 20, max(words) <= 60) == (True, True)


def test_right_paragraphs_score_perfectly_and_pass_every_absolute_gate():
    records = answered(suite, lambda case: case.expected[0])
    assert [r.case.id for r in records if r.scores["fact_sheets"].value != 1.0] == []
    assert set(outcomes(suite, records).values()) == {"pass"}


def test_right_paragraphs_of_training_score_perfectly():
    from harness.schema import Completion
    from harness.scoring.finance import report

    wrong = []
    for case in training("train", 600) + training("dev", 180):
        said = Completion(key="k", text=case.expected[0], finish_reason="stop", prompt_tokens=1, output_tokens=1)
        score = report.report(case, said)
        wrong += [] if score.value == 1.0 else [(case.id, score.extracted)]
    assert wrong == []


def test_every_case_has_two_figures_or_more_required_unless_one_is_not_reported():
    from harness.scoring.finance.report import required_of

    required = {c.id: len(required_of(c.document, c.input["question"], c.expected[0])) for c in suite.cases}
    few = [c.id for c in suite.cases if required[c.id] < (1 if "absent" in c.tags else 3)]
    assert few == []


@pytest.mark.parametrize(
    ("answer", "gate"),
    [
        (lambda case: "Yes.", "required_figure_recall-at_least-0.9"),
        (lambda case: "No.", "required_figure_recall-at_least-0.9"),
        (lambda case: "none", "disclosure_rate-at_least-0.95"),
        (lambda case: "Not in the document.", "required_figure_recall-at_least-0.9"),
        (
            lambda case: f"The {case.tags.get('absent', 'figure')} is not reported.",
            "required_figure_recall-at_least-0.9",
        ),
        (lambda case: case.document, "figure_fabrication_rate-at_most-0.05"),
        (lambda case: case.document, "report_clean_rate-at_least-0.75"),
        (first_row, "figure_fabrication_rate-at_most-0.05"),
        (first_row, "mispaired_rate-at_most-0.05"),
    ],
    ids=["yes", "no", "none", "declines", "says-absent", "copies", "copies-clean", "floor", "floor-mispairs"],
)
def test_an_answer_without_reading_fails_its_gate(answer, gate):
    assert outcomes(suite, answered(suite, answer))[gate] == "fail"


def other_fund(case: Case) -> str:
    """The right paragraph with its funds changed for the sheet's others."""
    rows = read_sheet(case.document).rows
    first, second = dict.fromkeys(row.entity for row in rows if row.metric in sheets.FLOWS)
    return case.expected[0].replace(first, "@").replace(second, first).replace("@", second)


def other_period(case: Case) -> str:
    first, second = read_sheet(case.document).periods
    return case.expected[0].replace(first, "@").replace(second, first).replace("@", second)


@pytest.mark.parametrize("swap", [other_fund, other_period])
def test_right_figures_of_the_wrong_fund_or_period_are_mispaired(swap):
    cases = [c for c in suite.cases if c.tags["kind"] in ("single_period", "units", "peer")]
    swapped = [r for r in answered(suite, swap) if r.case in cases and r.completion.text != r.case.expected[0]]
    missed = [r.case.id for r in swapped if r.scores["fact_sheets"].counts["mispaired"] == 0]
    assert len(swapped) > 50
    assert missed == []


def test_a_statement_left_out_is_named_in_every_case():
    def shorter(case: Case) -> str:
        return ". ".join(case.expected[0].rstrip(".").split(". ")[:-1]) + "."

    records = answered(suite, shorter)
    assert [r.case.id for r in records if len(r.scores["fact_sheets"].extracted["undisclosed"]) != 1] == []
    assert levels(suite, records)["disclosure_rate"].value < 0.5


def test_a_made_up_benchmark_and_rating_are_found_in_every_case():
    text = " It beat the Silverlode 400 Index and is rated Maplehurst Gold."
    records = answered(suite, lambda case: case.expected[0] + text)
    found = {tuple(r.scores["fact_sheets"].extracted["invented"]) for r in records}
    assert found == {("Silverlode 400 Index", "Maplehurst Gold")}


def test_training_and_suite_share_no_run_of_words():
    assert len(every_training_case()) == 1980
    assert separation.shared_runs(suite.cases, every_training_case()) == set()


def test_training_and_suite_share_no_figure():
    assert separation.shared_figures(suite.cases, every_training_case()) == set()


def test_training_and_suite_share_no_name():
    pools = {name: sheets.bank(name)["pools"] for name in ("eval", "train")}
    for sort in ("firsts", "seconds", "types", "benchmarks", "ratings", "headings", "years"):
        assert not set(pools["eval"][sort]) & set(pools["train"][sort]), sort
    assert separation.names_in(suite.cases, [*pools["train"]["firsts"], *pools["train"]["benchmarks"]]) == set()
    agencies = [{rating.split()[0] for rating in pools[name]["ratings"]} for name in pools]
    assert not agencies[0] & agencies[1]


def test_training_and_suite_share_no_phrase_and_no_statement():
    def plain(text: str) -> str:
        return re.sub(r"\W+", " ", text.lower()).strip()

    phrases = [{plain(p) for group in forms(name).values() for p in group} for name in ("eval", "train")]
    assert not phrases[0] & phrases[1]
    stated = [{plain(w) for s in sheets.bank(n)["pools"]["statements"] for w in s} for n in ("eval", "train")]
    assert not stated[0] & stated[1]
    assert set(forms("eval")) == set(forms("train"))


def test_dev_rows_are_worded_as_no_training_row_is():
    train = {phrase for group in forms("train").values() for phrase in generate._part(group, "train")}
    dev = {phrase for group in forms("train").values() for phrase in generate._part(group, "dev")}
    assert len(train) > 40
    assert len(dev) > 20
    assert not train & dev


def test_the_readme_states_the_floor_as_measured():
    found = levels(suite, answered(suite, first_row))
    text = " ".join((suite.folder / "README.md").read_text("utf-8").split())
    said = {
        "figure fabrication": "figure_fabrication_rate",
        "mispaired": "mispaired_rate",
        "required figures": "required_figure_recall",
        "clean": "report_clean_rate",
    }
    stated = [f"{words} {found[metric].value:.3f}" for words, metric in said.items()]
    assert [line for line in stated if line not in text] == []
