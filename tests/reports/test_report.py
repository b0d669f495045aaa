"""The report of the sample run: what it says, and where."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion

import reports
from harness.errors import UserError
from harness.runs.folder import RunData
from harness.schema import Case, Completion, Estimate, Metric, Metrics, Score, Scores
from harness.scoring.legal import key_terms
from reports.model import Exchange, Headline, Table, Text
from reports.render import html, markdown
from reports.sections import errors, overview
from reports.sections.verdict import OTHER_TRAINING, reason
from reports.summary import summary
from tests.reports.conftest import Writer, all_text, as_markdown, facts, part, table, write_training
from tests.support.sample import (
    METRICS,
    SUITE,
    cite,
    interval,
    make_comparisons,
    make_manifest,
    make_metrics,
    make_record,
    make_records,
    make_suite,
    make_training,
    make_verdicts,
)


@pytest.mark.parametrize("name", ["verdict", "gates", "results", "slices", "fabrications", "changes"])
def test_a_section_of_the_sample_run(run: RunData, snapshot: SnapshotAssertion, name: str) -> None:
    assert as_markdown(part(reports.build([run]), name)) == snapshot


def test_the_verdict_comes_first_and_a_fabrication_is_marked(run: RunData) -> None:
    model = reports.build([run])
    assert (model.sections[0].id, model.outcome) == ("verdict", "fail")
    assert "compliant" not in all_text(model).lower()
    worst = next(b for b in part(model, "changes").blocks if isinstance(b, Exchange))
    assert [p.text for p in worst.answers[1].pieces if p.tone == "bad"] == ["O.C.G.A. § 44-99-999"]


@pytest.mark.parametrize(
    ("outcomes", "together"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "skipped"], "inconclusive"),
        (["inconclusive", "fail"], "fail"),
        (["pass", "error"], "fail"),
        ([], "skipped"),
    ],
)
def test_only_passes_make_a_pass(write_run: Writer, outcomes: list[Any], together: str) -> None:
    one = make_verdicts()[0]
    verdicts = [msgspec.structs.replace(one, outcome=o, gate=f"g{i}") for i, o in enumerate(outcomes)]
    model = reports.build([write_run(verdicts=verdicts)])
    assert model.outcome == together
    assert (part(model, "verdict").lead.startswith("Every gate is met")) == (together == "pass")


def test_the_worst_regression_stands_first(write_run: Writer) -> None:
    text = "See § 30."
    records = [
        *make_records(),
        *(make_record(number, "baseline", "fine") for number in (30, 31)),
        make_record(30, "tuned", text, spans=(cite(text, "§ 30"),)),
        make_record(31, "tuned", "nothing", found=False),
    ]
    blocks = part(reports.build([write_run(records=records)]), "changes").blocks
    worse = [b.case_id for b in blocks if isinstance(b, Exchange) and b.kind == "regression"]
    assert worse == ["lease-031", "lease-009", "lease-030"]


def test_every_denominator_is_in_the_open(write_run: Writer) -> None:
    records = make_records()
    failed = Completion(key="k", text="", finish_reason="error", prompt_tokens=1, output_tokens=0, error="engine died")
    cut = Completion(key="k", text="Gov", finish_reason="length", prompt_tokens=1, output_tokens=64)
    unscored = Scores(clauses=Score(name="clauses", value=None, reason="no expected answer"))
    records += [
        make_record(20, "tuned", "", completion=failed, scores=Scores()),
        make_record(21, "tuned", "", completion=cut),
        make_record(22, "tuned", "fine", scores=unscored),
    ]
    counts, named = part(reports.build([write_run(records=records)]), "errors").blocks
    assert [c.text for c in counts.rows[1]] == ["Tuned", "13", "11", "1", "1", "0", "1"]
    assert [(r[0].text, r[3].text) for r in named.rows] == [
        ("lease-020", "engine died"),
        ("lease-022", "no expected answer"),
    ]


def test_truncated_answers_count_as_their_scorers_say() -> None:
    case = Case(id="a", input={"document": "It is $2,400."}, expected=["!Deposit: deposit + $2,400"], cluster="a")
    text = "The deposit is $2,400. It is due"
    cut = Completion(key="k", text=text, finish_reason="length", prompt_tokens=1, output_tokens=9)
    counts = key_terms.covered(case, cut).counts
    assert counts["found_terms"] == counts["terms"] == 2
    assert "others score the words that are there" in errors.NOTE


@pytest.mark.parametrize(
    ("changed", "tokenizer", "lead", "cases"),
    [
        ((), "", "Both models received the same token IDs", "yes: 10 cases, joined by ID and input"),
        (
            ("tuned lease-004",),
            "",
            "Baseline and tuned received different prompts for some cases",
            "no: 10 of 10 cases joined by ID and input, 9 with the same prompt, 10 with the same expected answer",
        ),
        (
            tuple(f"baseline lease-{number:03d}" for number in range(10)),
            "e" * 64,
            "Baseline and tuned have different tokenizers or chat templates",
            "yes: 10 cases, joined by ID and input; 10 with other token IDs, each model's own prompt",
        ),
    ],
)
def test_whether_both_models_were_asked_the_same_is_said(
    write_run: Writer, changed: tuple[str, ...], tokenizer: str, lead: str, cases: str
) -> None:
    checkpoints = make_manifest().checkpoints
    if tokenizer:
        other = msgspec.structs.replace(checkpoints["baseline"], tokenizer_digest=tokenizer)
        checkpoints = checkpoints | {"baseline": other}
    records = [
        msgspec.structs.replace(r, prompt_hash="other") if f"{r.variant} {r.case.id}" in changed else r
        for r in make_records()
    ]
    model = reports.build([write_run(manifest=make_manifest(checkpoints=checkpoints), records=records)])
    compared = part(model, "compared")
    assert compared.lead.startswith(lead)
    said = table(compared, "Cases").rows[0][2]
    assert (said.text, said.tone) == (cases, "caution" if changed else "good")


def test_settings_of_an_engine_have_names_in_words(write_run: Writer) -> None:
    engine = {"ways": {"baseline": "plain"}, "wall_s": 0.5}
    named = part(reports.build([write_run(manifest=make_manifest(engine=engine))]), "provenance").blocks[1]
    assert [(name, cell.text) for name, cell in named.pairs] == [
        ("Weights, baseline", "plain"),
        ("Wall time", "500 ms"),
    ]


def test_a_partial_or_unfinished_run_says_so_at_the_top(write_run: Writer) -> None:
    manifest = make_manifest(status="interrupted", notes=["Only 5 of 10 cases were asked (-k lease)."])
    texts = [
        msgspec.to_builtins(b).get("text")
        for b in part(reports.build([write_run(manifest=manifest)]), "verdict").blocks
    ]
    assert texts[:2] == [
        "No verdict: the run was interrupted before it finished.",
        "Only 5 of 10 cases were asked (-k lease).",
    ]


def test_a_run_without_a_training_run_has_no_section_for_it_unless_it_names_one(write_run: Writer) -> None:
    named = part(reports.build([write_run()]), "training")
    assert named.lead.endswith("the adapter comes from run 20261124T220000Z-train-9f8e7d6c.") and not named.blocks
    model = reports.build([write_run(manifest=make_manifest(parent_run_id=None))])
    assert "training" not in [section.id for section in model.sections]
    (identity, *_) = part(model, "provenance").blocks
    assert "Training run" not in dict(identity.pairs)


@pytest.mark.parametrize(
    ("git", "said"), [({}, "not under version control"), ({"commit": None, "dirty": True}, "no commit yet")]
)
def test_code_without_a_commit_says_why(write_run: Writer, git: dict[str, Any], said: str) -> None:
    identity = part(reports.build([write_run(manifest=make_manifest(git=git))]), "provenance").blocks[0]
    assert dict(identity.pairs)["Code"].text == said


def test_the_training_run_gives_curve_twin_and_settings(run: RunData, training_run: RunData) -> None:
    training = part(reports.build([run, training_run]), "training")
    curve = training.blocks[0]
    assert [line.name for line in curve.lines] == ["Training loss", "Validation loss"]
    assert curve.lines[1].points == [(20.0, 2.26), (40.0, 2.02), (60.0, 1.78), (80.0, 1.54), (100.0, 1.3)]
    assert [row[2].text for row in curve.twin.rows if row[2].text != "–"] == ["2.26", "2.02", "1.78", "1.54", "1.3"]
    assert "Config / learning rate" in msgspec.json.encode(training).decode()


def test_what_the_curves_show_stands_before_them(run: RunData, write_run: Writer) -> None:
    found = {"name": "overfit", "evidence": "rose from 1.2", "change": "set train.max_steps = 30", "also": []}
    path = write_training(write_run, {**(make_training()[0].training or {}), "diagnosis": found})
    first, _, *_, settings = part(reports.build([run, path]), "training").blocks
    assert [(name, cell.text) for name, cell in first.pairs] == [
        ("Diagnosis", "overfit"),
        ("Evidence", "rose from 1.2"),
        ("Next change", "set train.max_steps = 30"),
    ]
    assert first.pairs[0][1].tone == "caution"
    assert not any("iagnosis" in name for name, _ in settings.pairs), "it is said once"


def test_a_run_of_one_model_alone_is_described_without_a_comparison(write_run: Writer) -> None:
    records = [r for r in make_records() if r.variant == "tuned"]
    metrics = Metrics(metrics=[m for m in make_metrics().metrics if m.variant == "tuned"])
    manifest = make_manifest(checkpoints={"tuned": make_manifest().checkpoints["tuned"]})
    model = reports.build([write_run(records=records, metrics=metrics, manifest=manifest, verdicts=[])])
    headline = model.sections[0].blocks[0]
    assert isinstance(headline, Headline) and headline.sentence == "Misses 28 of 240 clauses in 40 contracts."
    assert part(model, "compared").lead.startswith("One model was run, without a baseline;")
    assert reports.write(model, Path(write_run()) / "report")


def test_cases_are_counted_where_a_contract_has_several(write_run: Writer) -> None:
    records = [
        msgspec.structs.replace(r, case=msgspec.structs.replace(r.case, cluster=f"c{int(r.case.id[-1]) // 2}"))
        for r in make_records()
    ]
    blocks = reports.build([write_run(records=records, metrics=Metrics())]).sections[0].blocks
    (headline,) = (block for block in blocks if isinstance(block, Headline))
    assert headline.sentence.startswith("Wrong on 3 fewer of 10 cases from 5 contracts (1, baseline 4)")


@pytest.mark.parametrize("kinds", [[], ["train"], ["eval", "eval"], ["eval", "train", "train"]])
def test_anything_but_one_evaluation_and_its_training_is_refused(write_run: Writer, kinds: list[Any]) -> None:
    runs = [write_run(manifest=make_manifest(kind=kind)) for kind in kinds]
    with pytest.raises(UserError, match="one evaluation run"):
        reports.build(runs)


def test_many_fabrications_are_all_counted_and_five_named(write_run: Writer) -> None:
    records = make_records()
    for number in range(100, 160):
        text = f"See § {number}."
        span = cite(text, f"§ {number}")
        records += [make_record(number, "baseline", "none"), make_record(number, "tuned", text, spans=(span,))]
    text, table = part(reports.build([write_run(records=records)]), "fabrications").blocks[:2]
    assert msgspec.to_builtins(text)["text"] == "legal/clauses, fabrications: 61 new, 1 fixed, 0 by both models."
    assert len(table.rows) == 5
    assert table.note.startswith("5 of 61 fabrications shown.")


def test_a_claim_that_an_answer_repeats_is_one_claim(write_run: Writer) -> None:
    """Answers that run on say the same thing again and again."""
    text = "See § 7. See § 7. See § 7. See § 8."
    ends = [text.index("§ 8"), *(found.start() for found in re.finditer("§ 7", text))]
    spans = tuple(msgspec.structs.replace(cite(text, text[at : at + 3]), start=at, end=at + 3) for at in sorted(ends))
    records = [make_record(7, "baseline", "none"), make_record(7, "tuned", text, spans=spans)]
    _, table = part(reports.build([write_run(records=records)]), "fabrications").blocks[:2]
    assert [(claim.text, claim.note) for _, claim, *_ in table.rows] == [("§ 7", "3 times"), ("§ 8", "")]
    assert table.note == "2 fabrications."


def test_slice_tables_are_of_the_primary_metric_and_of_those_that_a_gate_judges_by_slice(write_run: Writer) -> None:
    metrics = make_metrics()
    extra = [
        msgspec.structs.replace(m, metric="fabrication_rate")
        for m in metrics.metrics
        if m.slice and m.variant == "tuned"
    ]
    more = msgspec.structs.replace(metrics, metrics=[*metrics.metrics, *extra])
    gate = msgspec.structs.replace(
        make_verdicts()[1], metric="fabrication_rate", slice="instrument", slice_value="deed", gate="by-slice"
    )

    def metrics_of(verdicts: list[Any]) -> list[str]:
        model = reports.build([write_run(metrics=more, verdicts=verdicts)])
        return [b.caption.split(",")[0] for b in part(model, "slices").blocks if isinstance(b, Table) and b.folded]

    assert metrics_of(make_verdicts()) == ["Clause recall"]
    assert metrics_of([*make_verdicts(), gate]) == ["Clause recall", "Fabrication rate"]


@pytest.mark.parametrize(
    ("n", "said"), [(8, "deed: 2 of 8, baseline 6 of 8; lease: 2 of 8, baseline 6 of 8;"), (9, "deed; lease; option.")]
)
def test_kinds_of_few_cases_show_counts_where_whole_answers_were_counted(write_run: Writer, n: int, said: str) -> None:
    rows = [
        msgspec.structs.replace(m, estimate=interval(0.75 if m.variant == "baseline" else 0.25, 0.1, 0.9, n=n))
        if m.slice
        else m
        for m in make_metrics().metrics
    ]
    metrics = msgspec.structs.replace(make_metrics(), metrics=rows)
    (found,) = part(reports.build([write_run(metrics=metrics)]), "slices").blocks
    assert found.text.startswith(
        f"Clause recall, excerpt, by instrument (legal/clauses). Too few to judge (fewer than 10 clauses): {said}"
    )


def test_a_kind_in_which_too_many_answers_failed_is_not_one_of_few_cases(write_run: Writer) -> None:
    why = "the engine or the scorer failed on 2 of 90 answers (2.2%); the cap is 1%"
    failed = Estimate(value=None, errors=2, reason=why)
    rows = [
        msgspec.structs.replace(m, estimate=failed) if (m.slice_value, m.variant) == ("lease", "tuned") else m
        for m in make_metrics().metrics
    ]
    metrics = msgspec.structs.replace(make_metrics(), metrics=rows)
    shown = table(part(reports.build([write_run(metrics=metrics)]), "slices"))
    assert f"lease was not measured: {why}." in shown.note
    assert "lease" not in shown.note.partition("Too few to judge")[2]
    assert "lease" not in [row[0].text for row in shown.rows]


@pytest.mark.parametrize("other", [True, False])
def test_the_training_run_of_another_adapter_is_named_as_such(write_run: Writer, other: bool) -> None:
    manifest = make_manifest()
    tuned = msgspec.structs.replace(manifest.checkpoints["tuned"], adapter_digest="0" * 64)
    checkpoints = manifest.checkpoints | ({"tuned": tuned} if other else {})
    run = write_run(manifest=msgspec.structs.replace(manifest, checkpoints=checkpoints))
    found = reports.build([run, write_training(write_run)])
    assert (OTHER_TRAINING in msgspec.json.encode(found.sections[0]).decode()) is other


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (["fail", "inconclusive", "pass"], "2 of 3 gates not met."),
        (["fail", "skipped", "pass"], "1 of 3 gates not met, 1 not judged."),
        (["skipped", "pass"], "1 of 2 gates not judged."),
        (["skipped"], "Its one gate was not judged."),
        (["fail"], "Its one gate is not met."),
    ],
)
def test_a_gate_that_was_not_judged_is_not_said_to_be_unmet(outcomes: list[Any], said: str) -> None:
    one = make_verdicts()[0]
    assert reason([msgspec.structs.replace(one, outcome=outcome) for outcome in outcomes]) == said


def test_the_summary_names_no_section_that_it_lacks(write_run: Writer) -> None:
    one = msgspec.structs.replace(make_verdicts()[0], outcome="fail")
    verdicts = [msgspec.structs.replace(one, gate=f"g{number}") for number in range(8)]
    model = reports.build([write_run(verdicts=verdicts)])
    reasons = [part(found, "verdict").blocks[0].reason for found in (model, summary(model))]
    assert reasons == [
        "8 of 8 gates not met. 2 more under “Other gates”.",
        "8 of 8 gates not met. The report names the others.",
    ]


def test_the_summary_of_many_suites_keeps_what_changed_every_unmet_gate_and_the_limits(write_run: Writer) -> None:
    names, (met, undecided, failed) = [SUITE, "other/one", "other/two"], make_verdicts()
    kinds = [f"kind {number}" for number in range(8)]
    sliced = [msgspec.structs.replace(failed, gate=kind, slice="instrument", slice_value=kind) for kind in kinds]
    verdicts = [
        msgspec.structs.replace(v, suite=name) for name in names for v in (met, undecided, failed, failed, *sliced)
    ]
    manifest = make_manifest(suites=[make_suite(name=name) for name in names])
    model = reports.build([write_run(manifest=manifest, verdicts=verdicts)])
    short = summary(model)
    rows = table(part(short, "verdict")).rows
    assert [row[0].text for row in rows] == names
    assert rows[0][2].text.startswith("Misses 42 fewer of 240 clauses") and "1 of 10 cases regressed" in rows[0][2].note
    for row in rows:
        assert row[3].text == "11 of 12 gates not met"
        assert "FAIL: Clause recall, excerpt (2 gates); " in row[3].note
        assert [kind for kind in kinds if f"Clause recall, excerpt, instrument {kind}" not in row[3].note] == []
        assert row[3].note.endswith("INCONCLUSIVE: Fabrication rate, excerpt.")
    limits = [block.text for block in part(model, "limits").blocks if isinstance(block, Text)]
    assert limits == [block.text for block in part(short, "limits").blocks]
    assert f"says what each case is: excerpt ({SUITE}, other/one and other/two). " in all_text(part(short, "limits"))


def test_a_case_that_gets_better_and_worse_is_counted_as_both(write_run: Writer) -> None:
    """All ten find their clause now, and all ten cite a section that does not exist."""
    text = "See O.C.G.A. § 44-99-1."
    spans = (cite(text, "§ 44-99-1"),)
    records = [make_record(number, "baseline", "x", found=False) for number in range(10)]
    records += [make_record(number, "tuned", text, spans=spans) for number in range(10)]
    model = reports.build([write_run(records=records)])
    changed = facts(part(model, "picture"))
    assert "10 of 10 cases regressed" in changed["Got worse"].note
    assert "10 of 10 cases improved" in changed["Got better"].note
    listed = all_text(part(model, "changes"))
    assert "10 regressions" in listed
    assert "no gains; 10 of the regressions also improved by another metric." in listed


def test_the_chart_names_the_metrics_that_it_leaves_out_and_why(
    write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [
        Metric(name="answer_words", scorer="given", numerator="words", neutral=True),
        Metric(name="slips", scorer="given", numerator="slips", unbounded=True),
    ]
    found, row = make_metrics(), make_comparisons()[0]
    compared = [
        msgspec.structs.replace(row, comparison=msgspec.structs.replace(row.comparison, metric=metric.name))
        for metric in more
    ]
    run = write_run(
        manifest=make_manifest(suites=[make_suite(metrics=[*METRICS, *more])]),
        metrics=Metrics(metrics=found.metrics, comparisons=[*found.comparisons, *compared]),
    )
    said = "Not in the chart: answer words (neither direction is better); slips (not a percentage)."
    assert said in all_text(part(reports.build([run]), "picture"))
    assert "The report has the metrics that are not in this chart." in all_text(
        part(summary(reports.build([run])), "picture")
    )
    monkeypatch.setattr(overview, "MOST_ROWS", 1)
    assert "fabrication rate (after the first 1)" in all_text(part(reports.build([run]), "picture"))


def test_a_record_that_two_scorers_left_unscored_is_not_counted_as_two_records(write_run: Writer) -> None:
    unscored = Scores({name: Score(name=name, value=None, reason="cannot read") for name in ("clauses", "citations")})
    records = [msgspec.structs.replace(make_record(1, "tuned", "x"), scores=unscored)]
    found = table(part(reports.build([write_run(records=records)]), "errors"), "Records with an error")
    assert (len(found.rows), found.note) == (2, "2 problems.")


def test_a_case_has_the_same_heading_in_every_format(write_run: Writer) -> None:
    text = "See O.C.G.A. § 44-99-1."
    records = [make_record(1, variant, text, spans=(cite(text, "§ 44-99-1"),)) for variant in ("baseline", "tuned")]
    model = reports.build([write_run(records=records)])
    assert "### Not supported: lease-001" in markdown.render(model)
    assert "Not supported" in html.render(model)
