"""baseline.json: what is accepted, what is refused, and that comparing with it is comparing with the model itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.baseline.accept import accept, baseline_of
from harness.baseline.format import encode, load_accepted, records, sealed
from harness.errors import GateFailed, UserError
from harness.gates.judge import judge
from harness.judges.human_labels import add_labels
from harness.judges.llm_judge import items
from harness.judges.rubric import SIDES, JudgeRubric
from harness.runs.folder import RunData
from harness.schema import ACCEPTED, BASELINE, CANDIDATE, Gate, GateFile, Metric, Objective, Record, Score
from harness.stats.summary import summarise
from tests.support.accepted_suite import CASES, GATES, LEVEL, NEW, OLD, SAID, TEST, write
from tests.support.gated import change, generated
from tests.support.mini import evaluate, make_run, right, suites, write_script

SUITE = "legal/mini"


def file(root: Path) -> Path:
    return root / "evalsuites" / "legal" / "mini" / "baseline.json"


@pytest.mark.slow
def test_comparing_with_the_accepted_file_is_comparing_with_the_model(root: Path) -> None:
    live, kept = evaluate(root, NEW, OLD), evaluate(root, NEW, ACCEPTED)
    assert {v.outcome for v in live.verdicts} > {"pass"} and len(live.verdicts) == 6
    assert kept.verdicts == live.verdicts
    assert kept.metrics == live.metrics
    assert {r.variant for r in kept.records} == {"baseline", "tuned"}
    assert kept.manifest.moved == []


def test_no_question_goes_to_a_baseline_that_was_accepted(root: Path) -> None:
    made = evaluate(root, NEW, ACCEPTED)
    assert made.manifest.engine["prompt_tokens"] == evaluate(root, NEW).manifest.engine["prompt_tokens"]
    assert {r.text_kept for r in made.records if r.variant == "baseline"} == {False}
    (info,) = made.manifest.suites
    assert info.accepted is not None and info.accepted.says == "accepted baseline of 2026-01-02, model fake:new"
    assert made.manifest.checkpoints["baseline"].kind == "accepted"
    assert made.manifest.notes == [
        "legal/mini: compared with the accepted baseline of 2026-01-02, model fake:new",
        "legal/mini: the baseline was accepted by --override-reason: a first baseline",
    ]


def repeated(run: RunData) -> RunData:
    """The run with four answers a case: of the second every tenth has one score less, one third was not given, and on
    one fourth a scorer broke."""
    made: list[Record] = []
    for at, record in enumerate(run.records):
        second = dict(run.records[(at * 7 + 3) % len(run.records)].scores)
        if at % 10 == 0:
            second["likeness"] = msgspec.structs.replace(second["likeness"], value=None, reason="the model's own words")
        third = record.completion
        if at == 30:
            third = msgspec.structs.replace(third, finish_reason="error", error="timed out")
        fourth = dict(record.scores)
        if at == 41:
            fourth["likeness"] = Score(name="likeness", value=None, reason="it raised", failed=True)
        made += [
            record,
            msgspec.structs.replace(record, repeat=2, scores=second),
            msgspec.structs.replace(record, repeat=3, completion=third),
            msgspec.structs.replace(record, repeat=4, scores=fourth),
        ]
    return msgspec.structs.replace(run, records=made, suite_of=[SUITE] * len(made))


@pytest.mark.slow
def test_repeats_unscored_answers_and_errors_come_back_as_they_were(root: Path) -> None:
    run, (suite,) = repeated(evaluate(root, OLD)), suites(root)
    found = msgspec.json.decode(encode(baseline_of(run, suite, SAID)))
    assert [len(case["answers"]) for case in found["cases"].values()] == [4] * 60
    before = [msgspec.structs.replace(r, variant="baseline") for r in run.records]
    asked = {r.case.id: r.prompt_hash for r in before}
    after = records(baseline_of(run, suite, SAID), suite.cases, asked)
    tuned = evaluate(root, NEW).by_variant(SUITE)["tuned"]
    live, kept = ({"tuned": tuned, "baseline": sorted(b, key=lambda r: (r.case.id, r.repeat))} for b in (before, after))
    assert sum(r.error is not None for r in after) == sum(r.scores["likeness"].failed for r in after) == 1
    assert summarise(kept, suite.metrics, suite.slices, SUITE) == summarise(live, suite.metrics, suite.slices, SUITE)
    every = [gate(m) for m in suite.metrics if m.kind != "ratio" or not m.higher_is_better]
    bars = GateFile(objective=Objective(text="all"), gate=every)
    judged = [
        judge(SUITE, bars, suite.metrics, b, expected_cases=60, slices=suite.slice_values()) for b in (kept, live)
    ]
    assert judged[0] == judged[1] and len(judged[0]) == len(every) > 3


def gate(metric: Metric) -> Gate:
    return Gate(metric=metric.name, rule="no_worse", margin=0.03)


def test_the_file_holds_no_text_of_a_prompt_a_document_or_a_model(root: Path) -> None:
    text = file(root).read_text()
    assert "the tenant's own words" in {r.completion.text for r in evaluate(root, OLD).records}
    for hidden in ("Contract 1", "Which clauses", "tenant", "own words", str(root)):
        assert hidden not in text, hidden
    assert '"(not expected anywhere)"' in text


def test_equal_input_gives_equal_bytes_and_one_line_a_case(root: Path) -> None:
    before = file(root).read_bytes()
    (run,) = (root / "runs").iterdir()
    accept(run, suites(root), SAID)
    assert file(root).read_bytes() == before
    lines = before.decode().splitlines()
    assert sum(line.startswith(' "c') and '"case_hash"' in line for line in lines) == 60
    found = load_accepted(file(root), SUITE)
    assert found is not None and encode(found) == before
    assert list(json.loads(before)) == sorted(json.loads(before))


def test_a_case_takes_few_bytes(root: Path) -> None:
    """2,000 cases with two scorers stay well under a megabyte."""
    assert file(root).stat().st_size / 60 * 2000 < 700_000


@pytest.mark.slow
def test_accepting_needs_gates_that_passed_or_a_reason(root: Path) -> None:
    run = evaluate(root, OLD, ACCEPTED)
    before = file(root).read_bytes()
    with pytest.raises(
        GateFailed, match=r"4 of 6 gates did not pass, the first: legal/mini .*--override-reason REASON"
    ) as e:
        accept(run.path, suites(root), msgspec.structs.replace(SAID, although="  "))
    assert e.value.exit_code == 1 and file(root).read_bytes() == before
    accept(run.path, suites(root), SAID)
    assert json.loads(file(root).read_text())["although"] == "a first baseline"


def test_a_run_that_passed_against_another_baseline_replaces_none_without_a_reason(tmp_path: Path) -> None:
    write(tmp_path, gates=LEVEL + '[[gate]]\nmetric = "clause_exact_set"\nrule = "improves"\n')
    accept(evaluate(tmp_path, OLD).path, suites(tmp_path), SAID)
    good, best = (evaluate(tmp_path, said, ACCEPTED) for said in (NEW, right(CASES)))
    unforced = msgspec.structs.replace(SAID, although="")
    with pytest.raises(GateFailed, match=r"has the answers of a script, not of a model\. Accept it with --override-re"):
        accept(best.path, suites(tmp_path), unforced)
    accept(best.path, suites(tmp_path), SAID)
    assert json.loads(file(tmp_path).read_text())["although"] == "a first baseline"
    for run in (good, best):
        change(run.path, generated)
    for said in (unforced, SAID):
        accept(best.path, suites(tmp_path), said)
        found = load_accepted(file(tmp_path), SUITE)
        assert found is not None and (found.although, found.reason) == ("", "the model in production")
    live = evaluate(tmp_path, NEW, OLD)
    change(live.path, generated)
    for run in (good, live):
        assert {verdict.outcome for verdict in run.verdicts} == {"pass"}
        with pytest.raises(GateFailed, match="has another accepted baseline, which the run was not compared"):
            accept(run.path, suites(tmp_path), unforced)
    accepted = {BASELINE: best.manifest.checkpoints[CANDIDATE]}
    change(live.path, lambda m: generated(msgspec.structs.replace(m, checkpoints=m.checkpoints | accepted)))
    accept(live.path, suites(tmp_path), unforced)
    accept(good.path, suites(tmp_path), SAID)
    assert json.loads(file(tmp_path).read_text())["although"] == "a first baseline"


def test_small_losses_of_several_baselines_add_up_to_a_reason(tmp_path: Path) -> None:
    write(tmp_path, gates=LEVEL + '[[gate]]\nmetric = "clause_exact_set"\nrule = "no_worse"\nmargin = 0.2\n')

    def next_model(wrong: int, although: str = "") -> str:
        said = right(CASES) | {str(case["id"]): "holdover; as is" for case in CASES[:wrong]}
        run = evaluate(tmp_path, said, ACCEPTED)
        change(run.path, generated)
        assert although or {verdict.outcome for verdict in run.verdicts} == {"pass"}
        accept(run.path, suites(tmp_path), msgspec.structs.replace(SAID, although=although))
        return json.loads(file(tmp_path).read_text())["metrics"]["clause_exact_set"]

    assert "best" not in next_model(0, "a first baseline")
    assert [next_model(wrong)["best"] for wrong in (4, 8, 12)] == [1.0] * 3
    with pytest.raises(GateFailed, match=r"set is 73\.3%, and a baseline had 100%\. The loss is over the margin of 20"):
        next_model(16)
    lower = next_model(16, "the model is cheaper")
    assert "best" not in lower
    assert next_model(20)["best"] == lower["value"]


def test_small_losses_of_a_slice_add_up_to_a_reason(tmp_path: Path) -> None:
    sliced = '[[gate]]\nmetric = "clause_exact_set"\nrule = "no_worse"\nmargin = 0.4\nslice = "instrument"\n'
    write(tmp_path, gates=LEVEL + sliced)
    leases = [str(case["id"]) for case in CASES if case["tags"] == {"instrument": "lease", "kind": "clause"}]

    def next_model(wrong: int, although: str = "") -> dict[str, float]:
        run = evaluate(tmp_path, right(CASES) | dict.fromkeys(leases[:wrong], "holdover; as is"), ACCEPTED)
        change(run.path, generated)
        assert although or {verdict.outcome for verdict in run.verdicts} == {"pass"}
        accept(run.path, suites(tmp_path), msgspec.structs.replace(SAID, although=although))
        return json.loads(file(tmp_path).read_text())["metrics"]["clause_exact_set"]["slices"]

    whole = {"instrument=deed": 1.0, "instrument=lease": 1.0}
    assert [next_model(0, "a first baseline"), next_model(5), next_model(10)] == [whole] * 3
    with pytest.raises(
        GateFailed, match=r"set of instrument=lease is 53\.3%, and a baseline had 100%\. The loss is over"
    ):
        next_model(14)
    lower = next_model(14, "the model is cheaper")
    assert lower == whole | {"instrument=lease": pytest.approx(16 / 30)}
    assert next_model(15) == lower
    now = load_accepted(file(tmp_path), SUITE)
    assert now is not None
    without = {name: msgspec.structs.replace(metric, slices={}) for name, metric in now.metrics.items()}
    file(tmp_path).write_bytes(encode(sealed(msgspec.structs.replace(now, metrics=without))))
    assert '"slices"' not in file(tmp_path).read_text()  # as an older version wrote it
    assert next_model(13) == whole | {"instrument=lease": pytest.approx(17 / 30)}


def test_answers_of_unknown_weights_are_accepted_only_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path, gates=LEVEL)
    run = evaluate(tmp_path, NEW)
    served = msgspec.structs.replace(run.manifest.checkpoints[CANDIDATE], kind="endpoint", pinned_by="name")
    change(run.path, lambda m: msgspec.structs.replace(m, checkpoints={CANDIDATE: served}))
    with pytest.raises(GateFailed, match=r"used a server with unknown weights \(.*\)\. Accept"):
        accept(run.path, suites(tmp_path), msgspec.structs.replace(SAID, although=""))
    accept(run.path, suites(tmp_path), SAID)
    assert json.loads(file(tmp_path).read_text())["although"] == "a first baseline"


def test_fewer_answers_than_the_suite_asks_for_are_accepted_only_with_a_reason(tmp_path: Path) -> None:
    folder = write(tmp_path, gates=LEVEL)
    file = folder / "test_mini.py"
    file.write_text(file.read_text().replace("max_tokens=8", "max_tokens=8, samples=2"))
    write_script(tmp_path, tuned=NEW)
    run = make_run(tmp_path, repeats=1)
    change(run.path, generated)
    assert {verdict.outcome for verdict in run.verdicts} == {"pass"}
    with pytest.raises(GateFailed, match=r"legal/mini: 1 answer per case, where the suite asks for 2\. Accept"):
        accept(run.path, suites(tmp_path), msgspec.structs.replace(SAID, although=""))
    accept(run.path, suites(tmp_path), SAID)
    assert json.loads(file.with_name("baseline.json").read_text())["although"] == "a first baseline"


@pytest.mark.parametrize(("change", "what"), [
    ({"cases": CASES[:-1]}, "cases"),
    ({"gates": GATES.replace("0.2", "0.1")}, r"gates\.toml"),
    ({"test": TEST.replace("% 7) / 7", "% 5) / 5")}, "scorers"),
])  # fmt: skip
def test_a_run_of_another_suite_than_the_one_now_is_refused(root: Path, change: dict[str, Any], what: str) -> None:
    run = evaluate(root, NEW)
    write(root, **change)
    with pytest.raises(UserError, match=f"legal/mini: {what} changed since the run"):
        accept(run.path, suites(root), SAID)


@pytest.mark.parametrize(("limit", "suite", "reason", "said"), [
    (10, True, "best", "10 of 60 cases were answered; a partial run cannot be a baseline"),
    (None, True, " ", "--reason is empty"),
    (None, False, "best", "has legal/mini; none of the given suites is in it"),
])  # fmt: skip
def test_what_no_baseline_can_be_made_of_is_refused(
    root: Path, limit: int | None, suite: bool, reason: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        accept(
            evaluate(root, NEW, limit=limit).path, suites(root)[:suite], msgspec.structs.replace(SAID, reason=reason)
        )


def test_neither_a_judge_nor_a_person_is_asked_about_answers_that_were_not_kept(root: Path) -> None:
    run = evaluate(root, NEW, ACCEPTED)
    rubric = JudgeRubric(name="right", question="Is it right?", labels=("no", "yes"))
    assert {item.record.variant for item in items(run, rubric)} == {"tuned"}
    with pytest.raises(UserError, match="no baseline with answers"):
        list(items(run, JudgeRubric(name="better", question="Which?", labels=SIDES, compare=True)))
    line = {"suite": SUITE, "case_id": "c1", "variant": "baseline", "label": "yes"}
    (root / "labels.jsonl").write_text(json.dumps(line))
    with pytest.raises(UserError, match="the run has no answer of 'baseline' to legal/mini c1"):
        add_labels(run, rubric, root / "labels.jsonl", "r1")


@pytest.mark.slow
def test_judging_never_writes_a_baseline(root: Path) -> None:
    before = file(root).read_bytes()
    evaluate(root, right(CASES), ACCEPTED)
    assert file(root).read_bytes() == before
    file(root).unlink()
    evaluate(root, right(CASES), ACCEPTED)
    assert not file(root).exists()


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """Changes the content and leaves its digest."""

    def spoil(path: Path) -> None:
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))

    return spoil


NOT_ONE, MOVED = "is not an accepted baseline", "does not match its digest"
SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda p: p.write_text(""), NOT_ONE),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-200]), NOT_ONE),
    "no JSON": (lambda p: p.write_text("accepted"), NOT_ONE),
    "not a number": (lambda p: p.write_text(p.read_text().replace('"samples": 1', '"samples": NaN')), NOT_ONE),
    "too large": (lambda p: p.write_text(p.read_text().replace('"samples": 1', '"samples": 1e999')), NOT_ONE),
    "not text": (lambda p: p.write_bytes(b"\xff\xfe" + p.read_bytes()), NOT_ONE),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "cannot be read"),
    "a dead link": (lambda p: (p.unlink(), p.symlink_to(p.parent / "gone")), "is a broken link"),
    "newer": (edited(lambda f: f.update(schema_version=2, colour="red")), r"written by a newer tunegate \(schema 2"),
    "unknown version": (edited(lambda f: f.update(schema_version=0)), "schema 0 is unknown"),
    "unknown key": (edited(lambda f: f.update(colour="red")), "unknown field `colour`"),
    "unknown key of a case": (edited(lambda f: f["cases"]["c1"].update(colour=1)), "unknown field `colour`"),
    "missing key": (edited(lambda f: f.pop("cases_hash")), "missing required field `cases_hash`"),
    "another suite": (edited(lambda f: f.update(suite="legal/other")), "it is the baseline of legal/other"),
    "a score": (edited(lambda f: f["cases"]["c1"]["answers"][0]["scores"].update(likeness=[0.5])), MOVED),
    "a reason": (edited(lambda f: f.update(reason="better")), MOVED),
    "a removed case": (edited(lambda f: f["cases"].pop("c1")), MOVED),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_file_that_cannot_be_read_or_was_edited_is_refused(root: Path, how: str) -> None:
    spoil, said = SPOILED[how]
    spoil(file(root))
    with pytest.raises(UserError, match=said) as error:
        load_accepted(file(root), SUITE)
    assert how == "newer" or "tunegate baseline accept" in str(error.value)


@pytest.mark.parametrize("how", ["truncated", "a score"])
def test_comparing_with_a_spoiled_file_is_a_mistake_and_never_a_pass(root: Path, how: str) -> None:
    SPOILED[how][0](file(root))
    with pytest.raises(UserError, match=SPOILED[how][1]) as error:
        evaluate(root, right(CASES), ACCEPTED)
    assert error.value.exit_code == 4


def test_scores_that_do_not_fit_and_rules_of_another_version_are_refused_even_under_a_right_digest(root: Path) -> None:
    found = load_accepted(file(root), SUITE)
    assert found is not None
    gates = [msgspec.structs.replace(found.gates[0], rule="half")]
    file(root).write_bytes(encode(sealed(msgspec.structs.replace(found, gates=gates))))
    with pytest.raises(UserError, match="unknown rule 'half'"):
        load_accepted(file(root), SUITE)
    found.cases["c1"].answers[0].scores["likeness"].append(3)
    file(root).write_bytes(encode(sealed(found)))
    with pytest.raises(UserError, match="scores of case 'c1' do not fit"):
        load_accepted(file(root), SUITE)


def test_a_suite_without_an_accepted_baseline_skips_its_comparisons_and_says_the_command(root: Path) -> None:
    file(root).unlink()
    made = evaluate(root, right(CASES), ACCEPTED)
    found = {v.rule: (v.outcome, v.reason) for v in made.verdicts}
    way = "tunegate baseline accept RUN --suite evalsuites/legal/mini --reason TEXT"
    assert found["improves"] == ("skipped", f"no accepted baseline: make one with `{way}`")
    assert found["at_least"][0] == "pass"
    (note,) = (note for note in made.manifest.notes if note.startswith("legal/mini: no baseline was accepted"))
    assert "accept a finished run with `tunegate baseline accept RUN --reason TEXT` and run again" in note
