"""A gain over unreadable, cut or constant answers is warned of in every view, and no minutes are estimated from it."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import pytest
from msgspec import structs

import reports
from harness.runs.folder import load_run
from harness.schema import Metric, MetricRow, Outcome, Record
from reports.assemble import read
from reports.ci import collect
from reports.degenerate import warning
from reports.render.terminal import lines
from reports.sections.verdict import NOTHING_GENERAL
from tests.reports.conftest import Writer, all_text, part
from tests.support.runs import make_verdict
from tests.support.sample import METRICS, SUITE, interval, make_manifest, make_metrics, make_record, make_suite

FORM = "The models may differ in form only, so a gain is no evidence of better content."
UNFINISHED = "Most scores of the tuned model judge unfinished answers."
PARSED = Metric(name="clause_parse_rate", scorer="clauses", numerator="tp")


def answers(baseline: Sequence[str], cut: int = 0, count: int = 20, tuned_cut: int = 0) -> list[Record]:
    """Cases whose tuned answers all differ; the first `cut` and `tuned_cut` reached the token limit."""
    records = []
    for number, text in zip(range(count), cycle(baseline), strict=False):
        for variant, said, limit in (("baseline", text, cut), ("tuned", f"Clause {number}.", tuned_cut)):
            record = make_record(number, variant, said)
            ended = structs.replace(record.completion, finish_reason="length" if number < limit else "stop")
            records.append(structs.replace(record, completion=ended))
    return records


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (answers(["none", "all"]), ""),
        (answers(["none"], count=9), ""),
        (answers(["none"]), "20 of 20 answers of the baseline are the same text, “none”."),
        (answers([" "]), "20 of 20 answers of the baseline are empty."),
        (answers(["none"] * 18 + ["other", "all"]), ""),
        (answers(["none", "all"], cut=4), ""),
        (answers(["none", "all"], cut=5), "Answers cut off at the token limit: 25.0% of the baseline, 0% of the tuned"),
    ],
)
def test_constant_and_cut_answers_are_named(write_run: Writer, records: list[Record], said: str) -> None:
    suite = make_suite(asked=len(records) // 2)
    view = read([write_run(records=records, manifest=make_manifest(suites=[suite]))])
    found = warning(view, suite)
    assert said in found and bool(said) == (FORM in found)
    assert "\u201c" not in warning(view, suite, with_quotes=False)


def test_an_accepted_baseline_is_not_said_to_have_no_cut_answers(write_run: Writer) -> None:
    """It keeps scores, not how each answer ended."""
    records = [structs.replace(r, text_kept=r.variant != "baseline") for r in answers(["none", "all"], tuned_cut=20)]
    suite = make_suite(asked=20)
    found = warning(read([write_run(records=records, manifest=make_manifest(suites=[suite]))]), suite)
    assert found == f"{SUITE}: Answers cut off at the token limit: 100% of the tuned model. {UNFINISHED}"


@pytest.mark.parametrize(("cut", "warned"), [(10, False), (11, True)])
def test_scores_of_mostly_cut_answers_are_said_to_be_so_though_both_models_run_on(
    write_run: Writer, cut: int, warned: bool
) -> None:
    records = answers(["none", "all"], cut, tuned_cut=cut)
    run = write_run(records=records, manifest=make_manifest(suites=[make_suite(asked=20)]))
    share = "55.0% of the baseline, 55.0% of the tuned model"
    assert says(run, f"{SUITE}: Answers cut off at the token limit: {share}. {UNFINISHED}") == {warned}


def test_answers_that_ended_are_called_complete_where_none_is_parsed(write_run: Writer) -> None:
    """A cut answer can be read, so its share is none of `Answers that could be read`."""
    run = write_run(records=answers(["none", "all"], cut=5), manifest=make_manifest(suites=[make_suite(asked=20)]))
    said = all_text(part(reports.build([run]), "picture"))
    assert "Complete answers" in said and "Baseline 75.0%, tuned 100%" in said
    assert "could be read" not in said


@pytest.mark.parametrize(("texts", "said"), [("aab", ""), ("aaa", "60 of 60 answers of the tuned model are the same")])
def test_a_constant_answer_is_counted_over_all_answers_to_a_case(write_run: Writer, texts: str, said: str) -> None:
    records = [make_record(n, "tuned", text, repeat=at) for n in range(20) for at, text in enumerate(texts, 1)]
    suite = make_suite(asked=20, samples=3)
    found = warning(read([write_run(records=records, manifest=make_manifest(suites=[suite]))]), suite)
    assert said in found and bool(said) == bool(found)


def says(run: Path, text: str) -> set[bool]:
    """Whether the report's first section, the terminal and the pull request comment say this."""
    shown = " ".join(" ".join(lines(load_run(run), 120)).split())
    first = all_text(reports.build([run]).sections[0])
    return {text in first, text in shown, text in collect.export(collect.evidence(run)).notes}


@pytest.mark.parametrize(("before", "warned"), [(0.75, True), (0.77, False)])
def test_parse_rates_far_apart_are_named_in_every_view(write_run: Writer, before: float, warned: bool) -> None:
    metrics, suite = make_metrics(), make_suite(metrics=[*METRICS, PARSED])
    rates = {"baseline": before, "tuned": 0.96}
    rows = [
        MetricRow(suite=SUITE, variant=name, metric=PARSED.name, estimate=interval(rate, rate, rate))
        for name, rate in rates.items()
    ]
    metrics = structs.replace(metrics, metrics=[*metrics.metrics, *rows])
    run = write_run(manifest=make_manifest(suites=[suite]), metrics=metrics)
    said = f"{SUITE}: Answers that could be read: 75.0% of the baseline, 96.0% of the tuned model. {FORM}"
    assert says(run, said) == {warned}
    business = all_text(part(reports.build([run]), "business"))
    assert ("no minutes are estimated, for the reason" in business) is warned


def test_recall_and_precision_are_next_to_what_is_missed(write_run: Writer) -> None:
    precision = Metric(name="clause_precision", scorer="clauses", numerator="tp", denominator="named")
    metrics, rates = make_metrics(), {"baseline": 0.5, "tuned": 0.25}
    rows = [
        MetricRow(suite=SUITE, variant=name, metric=precision.name, estimate=interval(rate, rate, rate))
        for name, rate in rates.items()
    ]
    metrics = structs.replace(metrics, metrics=[*metrics.metrics, *rows])
    run = write_run(manifest=make_manifest(suites=[make_suite(metrics=[*METRICS, precision])]), metrics=metrics)
    (suite,) = collect.export(collect.evidence(run)).suites
    assert "clause recall 88.3% (baseline 70.8%), clause precision 25.0% (baseline 50.0%)" in suite.sentence


@pytest.mark.parametrize(
    ("name", "level", "ends", "warned"),
    [
        ("clause_recall", 0.97, (0.95, 0.98), True),
        ("clause_recall", 0.95, (0.93, 0.97), False),
        ("fabrication_rate", 0.05, (0.04, 0.08), True),
        ("fabrication_rate", 0.25, (0.2, 0.3), False),
    ],
)
def test_a_rule_without_a_model_that_does_better_is_named_in_every_view(
    write_run: Writer, name: str, level: float, ends: tuple[float, float], warned: bool
) -> None:
    """The tuned model has a recall of 88.3% (up to 93.8%) and a fabrication rate of 12.5% (down to 9%)."""
    metrics = make_metrics()
    rows = [
        structs.replace(row, estimate=interval(level, *ends))
        if (row.variant, row.metric, row.slice) == ("keyword_floor", name, None)
        else row
        for row in metrics.metrics
    ]
    run = write_run(
        manifest=make_manifest(suites=[make_suite(primary=name)]), metrics=structs.replace(metrics, metrics=rows)
    )
    (tuned,) = (
        row.estimate.value
        for row in rows
        if (row.suite, row.variant, row.metric, row.slice) == (SUITE, "tuned", name, None)
    )
    levels = f"{name.replace('_', ' ')} {level:.1%} against {tuned:.1%}."
    assert says(
        run, f"{SUITE}: The keyword floor, a written rule without a model, does better than the tuned model: {levels}"
    ) == {warned}


@pytest.mark.parametrize(
    ("metric", "before", "now", "warned"),
    [
        ("fabrication_rate", 100, 49, True),
        ("fabrication_rate", 100, 50, False),
        ("fabrication_rate", 9, 0, False),
        ("clause_recall", 100, 49, False),  # Another metric has the gate.
    ],
)
def test_a_gated_rate_of_far_fewer_statements_than_the_baselines_is_named(
    write_run: Writer, metric: str, before: int, now: int, warned: bool
) -> None:
    counts, metrics = {"baseline": before, "tuned": now}, make_metrics()
    rows = [
        structs.replace(row, estimate=structs.replace(row.estimate, n=counts[row.variant]))
        if row.metric == "fabrication_rate" and row.slice is None and row.variant in counts
        else row
        for row in metrics.metrics
    ]
    run = write_run(metrics=structs.replace(metrics, metrics=rows), verdicts=[make_verdict(metric=metric)])
    said = (
        f"{SUITE}: The tuned model states much less than the baseline: fabrication rate of {now} checkable facts "
        f"(baseline {before}). Such a rate may improve because the model leaves things out; a case in which it states "
        "nothing does not count."
    )
    assert says(run, said) == {warned}


@pytest.mark.parametrize(
    ("general", "outcome", "warned"),
    [(False, "pass", True), (True, "pass", False), (None, "pass", False), (False, "inconclusive", False)],
)
def test_a_pass_without_general_questions_says_that_forgetting_was_not_measured(
    write_run: Writer, general: bool | None, outcome: Outcome, warned: bool
) -> None:
    verdicts = [make_verdict(outcome=outcome)]
    run = write_run(manifest=make_manifest(suites=[make_suite(general=general)]), verdicts=verdicts)
    assert says(run, NOTHING_GENERAL) == {warned}
