"""Numbers and wordings, by table: what goes in, what a reader sees."""

import ast
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import reports
from harness.schema import Better, Comparison, Estimate, Gate, Metric, Record
from reports import number_format, sentences, wording
from tests.support.sample import make_verdicts
from tests.support.scored import METRICS, answers, judged, record

REPORTS = Path(reports.__file__).parent
TALLIED = Comparison(metric="m", difference=Estimate(value=0.1), wins=45, losses=3, ties=1192)
SLICED = structs.replace(make_verdicts()[-1], metric="clause_recall", slice="instrument", slice_value="lease")
LENGTH = Metric(name="m", scorer="s", numerator="n", higher_is_better=False, neutral=True)


def estimate(value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> Estimate:
    return Estimate(**{"value": value, "low": low, "high": high, "n": 120, "clusters": 40, **more})


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (number_format.percent(0.883), "88.3%"),
        (number_format.percent(0.0), "0%"),
        (number_format.percent(1.0), "100%"),
        (number_format.percent(0.9996), ">99.9%"),
        (number_format.percent(0.0004), "<0.1%"),
        (number_format.percent(0.9994), "99.9%"),
        (number_format.percent(-0.021), "−2.1%"),
        (number_format.points(0.175), "+17.5"),
        (number_format.points(-0.03), "−3.0"),
        (number_format.points(0.0), "0.0"),
        (number_format.points(0.0004), "+0.04"),
        (number_format.points(-0.0002), "−0.02"),
        (number_format.change(23.1), "+23.1"),
        (number_format.change(-0.0199), "−0.0199"),
        (number_format.change(0), "0"),
        (number_format.floor(23.1, "change"), "23.1"),
        (number_format.ratio(0.6), "0.60×"),
        (number_format.ratio(12.35), "12.3×"),
        (number_format.quantity(1125.0, "amount"), "1,120"),
        (number_format.quantity(1125.0, "number"), "1,125"),
        (number_format.tokens_per_second(12346), "12,300 tokens/s"),
        (wording.findings_of("invented", {"missing"}), "wrong"),
        (wording.findings_of("invented", set()), "invented"),
        (number_format.number(1234567), "1,234,567"),
        (number_format.number(12.345), "12.3"),
        (number_format.number(-3), "−3"),
        (number_format.exact(0.0002), "0.0002"),
        (number_format.exact(2e-05), "2e−05"),
        (wording.count(1, "contract"), "1 contract"),
        (wording.count(0, "contract"), "0 contracts"),
        (wording.count(1200, "policy"), "1,200 policies"),
        (wording.plural("lease"), "leases"),
        (wording.plural("box"), "boxes"),
        (sentences.tally(TALLIED, Metric(name="m", scorer="s", numerator="n")), "45 better, 3 worse, 1,192 equal"),
        (sentences.tally(TALLIED, LENGTH), "45 lower, 3 higher, 1,192 equal"),
        (wording.direction(LENGTH.better, "Words per answer."), "Words per answer; neither direction is better"),
        (number_format.p_value(0.0), "p < 0.001"),
        (number_format.p_value(0.0312), "p = 0.031"),
        (number_format.p_value(1.0), "p = 1.00"),
        (number_format.p_value(None), "–"),
        (number_format.duration(0.85), "850 ms"),
        (number_format.duration(12.44), "12.4 s"),
        (number_format.duration(59.96), "1 min 0 s"),
        (number_format.duration(7500), "2 h 5 min"),
        (number_format.moment("2026-11-25T01:07:30Z"), "2026-11-25 01:07:30 UTC"),
        (number_format.short("0123456789abcdef"), "0123456789ab"),
        (number_format.short("sha256:0123456789abcdef"), "sha256:0123456789ab"),
        (number_format.short(None), "–"),
        (wording.listing(["a", "b", "c"]), "a, b and c"),
        (number_format.bytes_of(3 * 2**30), "3.0 GiB"),
        (number_format.tokens_per_second(812.4), "812 tokens/s"),
        (number_format.setting(812.4, "tokens_per_s").text, "812 tokens/s"),
        (number_format.setting(450.0, "wall_s").text, "7 min 30 s"),
        (number_format.setting([1, "a"]).text, "1, a"),
        (number_format.setting(None).text, "–"),
        (number_format.lowest([(20.0, 2.0), (40.0, 1.5), (60.0, 1.5)]), "1.5 at step 40"),
        (wording.title("clause_macro_f1"), "Clause macro F1"),
        (wording.metric("clause_macro_f1", "whole contract"), "Clause macro F1, whole contract"),
        (sentences.moved({"clause_recall": -1.0, "parse_rate": 0.0, "f1": -0.5}), "Worse on clause recall and F1"),
        (sentences.moved({"clause_recall": -1.0, "parse_rate": 0.5}), "Worse on clause recall; better on parse rate"),
        (wording.excerpt(1200, 4889), "first 1,200 of 4,889 characters"),
        (wording.shown_of("regression", 10, 42), "10 of 42 regressions shown"),
        (wording.shown_of("gain", 1, 1), "1 gain"),
        (wording.shown_of("gain", 0, 0), "no gains"),
        (sentences.findings({}, {"fabrication": 2}, True), "no new fabrications, 2 fixed"),
        (sentences.findings({"fabrication": 1}, {}, True), "1 new fabrication, 0 fixed"),
        (
            sentences.findings({"wrong clause name": 288}, {"wrong clause name": 1}, True),
            "no new fabrications; 288 new wrong clause names, 1 fixed",
        ),
        (sentences.findings({}, {}, False), ""),
        (wording.outcomes({"pass": 2, "skipped": 1}), "1 not judged, 2 pass"),
        (sentences.others(1), " The other one is marked in cases.csv, which has a row for every case."),
        (sentences.others(2), " The other 2 are marked in cases.csv, which has a row for every case."),
        (
            wording.counts({"fabrication": 2, "wrong clause name": 1}, "new"),
            "2 new fabrications and 1 new wrong clause name",
        ),
        (wording.metric_and_slice(SLICED, "excerpt"), "Clause recall, excerpt, instrument lease"),
        (wording.item(structs.replace(LENGTH, denominator="source_words")), "word"),
        (wording.item(structs.replace(LENGTH, denominator="claims_quote")), "quotation"),
        (wording.item(structs.replace(LENGTH, name="required_term_rate", denominator="required")), "required term"),
        (wording.verdict_on("clause", "invented"), "wrong clause name"),
        (wording.verdict_on("citation", "wrong_subject"), "citation wrong subject"),
    ],
)
def test_a_number_is_said_in_one_way(made: str, said: str) -> None:
    assert made == said


LABELLED = [record(i, 1, labels=([n], [], []), expected=[n]) for i, n in enumerate(["tax"] * 4 + ["lien"] * 200)]


@pytest.mark.parametrize(
    ("gate", "tuned", "end"),
    [
        (Gate(metric="accuracy", rule="at_least", value=0.9), answers([1]), "a gate needs at least 10 clusters."),
        (Gate(metric="fabrication", rule="never", n_min=300), answers([1] * 299), "this gate needs 300 cases."),
        (Gate(metric="macro_f1", rule="at_least", value=0.8), LABELLED, "over labels needs 5 clusters with 'tax'."),
        (
            Gate(metric="accuracy", rule="at_least", value=0.9),
            answers([1] * 10 + [0] * 2),
            "To settle it: about 200 cases; has 12.",
        ),
    ],
)
def test_a_finding_says_once_how_many_cases_a_gate_needs(gate: Gate, tuned: list[Record], end: str) -> None:
    (made,) = judged([gate], METRICS, {"tuned": tuned})
    assert made.needed and wording.finding(made).endswith(end)


@pytest.mark.parametrize(
    ("found", "unit", "said"),
    [
        (estimate(0.883, 0.789, 0.938), "share", "88.3% (78.9% to 93.8%)"),
        (estimate(0.883, 0.803, 0.938, side="lower"), "share", "88.3% (80.3% or more)"),
        (estimate(0.0, 0.0, 0.01, side="upper"), "share", "0% (1.0% or less)"),
        (estimate(0.175, 0.101, 0.249), "points", "+17.5 points (+10.1 to +24.9)"),
        (estimate(0.6, 0.41, 0.9), "ratio", "0.60× (0.41× to 0.90×)"),
        (estimate(0.6, 0.41, None), "ratio", "0.60× (0.41× or more)"),
        (estimate(0.5), "share", "50.0%"),
        (estimate(None, reason="no answer"), "share", "not measured: no answer"),
        (None, "share", "not measured"),
    ],
)
def test_an_estimate_travels_with_its_interval(found: Estimate | None, unit: number_format.Unit, said: str) -> None:
    assert number_format.estimate(found, unit) == said


@pytest.mark.parametrize(
    ("low", "high", "p", "better", "said"),
    [
        (0.01, 0.2, 0.01, "higher", "better"),
        (0.01, 0.2, None, "lower", "worse"),
        (-0.2, -0.01, 0.049, "lower", "better"),
        (-0.2, -0.01, 0.01, "higher", "worse"),
        (-0.1, 0.2, 0.01, "higher", "no clear change"),
        (0.0, 0.2, 0.01, "higher", "no clear change"),
        (0.01, 0.2, 0.077, "higher", "no clear change"),
        (0.01, 0.2, 0.01, "", "higher"),
        (-0.2, -0.01, 0.01, "", "lower"),
    ],
)
def test_a_change_is_read_by_direction_and_only_where_interval_and_test_agree(
    low: float, high: float, p: float | None, better: Better, said: str
) -> None:
    found = Comparison(metric="m", difference=estimate((low + high) / 2, low, high), p_value=p)
    assert sentences.reading(found, better)[0] == said


@pytest.mark.parametrize(
    ("low", "method", "p", "said"),
    [
        (0.01, "", 0.003, "p = 0.003 (exact McNemar)"),
        (-0.01, "", 0.3, "p = 0.30 (exact McNemar)"),
        (-0.01, "", 0.003, "p = 0.003 (exact McNemar); but the interval includes 0"),
        (
            -0.01,
            "paired gains and losses, few-changes guard",
            0.003,
            "p = 0.003 (exact McNemar); but the interval, wider because few sources changed in one direction, "
            "includes 0",
        ),
    ],
)
def test_a_small_p_next_to_an_interval_around_0_says_which_decides(
    low: float, method: str, p: float, said: str
) -> None:
    found = Comparison(metric="m", difference=estimate(0.1, low, 0.2, method=method), p_value=p, test="exact McNemar")
    assert sentences.test(found) == said


def formats_a_number(node: ast.AST) -> bool:
    if isinstance(node, ast.FormattedValue):
        return node.format_spec is not None
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("round", "format")


def test_no_other_module_formats_a_number() -> None:
    # A coordinate and a metrics file for machines are no numbers of the report.
    drawn = {"number_format.py", "wording.py", "sentences.py", "svg.py", "openmetrics.py"}
    files = [p for p in REPORTS.rglob("*.py") if p.name not in drawn]
    wrong = [
        f"{path.name}:{getattr(node, 'lineno', 0)}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if formats_a_number(node)
    ]
    assert len(files) > 20
    assert wrong == []


def test_the_size_of_an_estimate_names_what_it_counts() -> None:
    found = estimate(0.9, 0.8, 0.95, n=120, clusters=40, n_eff=46.4)
    assert number_format.basis(found, "policy", "clause") == "120 clauses in 40 policies"
    alone = estimate(0.9, 0.8, 0.95, n=60, clusters=60)
    assert number_format.basis(alone, "question") == "60 questions"
