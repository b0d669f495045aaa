"""What a run records of its engine beside what the engine says of itself."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from harness.answer_logs.answer_log import read_log
from harness.baseline.accept import accept
from harness.checkpoints.resolve import resolve
from harness.errors import UserError
from harness.evaluation import run as evaluation
from harness.evaluation.imported import imported_job
from harness.evaluation.run import run, run_once
from harness.progress.progress import Progress
from harness.runs.folder import RunData, RunFolder, load_manifest, stream
from harness.schema import BASELINE, CANDIDATE
from tests.support.accepted_suite import SAID
from tests.support.gated import PASS_ON_BOTH, change, generated, wrong
from tests.support.mini import TEST, evaluate, job_of, make_run, right, rows, suites, write_script, write_suite

LONG = "this answer has more words than the eight that it may have"


def test_answers_cut_at_their_limit_are_counted_by_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    write_suite(tmp_path)
    long = right(rows()) | {"c1": LONG, "c2": LONG, "c30": LONG}
    write_script(tmp_path, baseline=right(rows()), tuned=long)
    made = make_run(tmp_path, baseline="old")
    assert made.manifest.engine["truncated"] == {"baseline": 0, "tuned": 3}
    cut = {r.case.id for r in made.records if r.completion.finish_reason == "length"}
    assert cut == {"c1", "c2", "c30"}
    kept = make_run(tmp_path, baseline="old")
    assert kept.manifest.engine["generated"] == 0
    assert kept.manifest.engine["truncated"] == {"baseline": 0, "tuned": 3}


def test_a_run_whose_model_changed_while_it_answered_gives_no_verdict(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write_suite(tmp_path, rows(4))
    write_script(tmp_path, tuned=right(rows(4)))
    monkeypatch.setattr(evaluation, "variants", lambda job: {"tuned": resolve(str(model))})

    def answered(*_: object) -> dict[str, str]:
        (model / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
        return {}

    monkeypatch.setattr(evaluation, "answer", answered)
    folder = RunFolder.create(tmp_path / "runs", "test")
    with pytest.raises(UserError, match="its files changed while they were in use"):
        run(job_of(tmp_path), folder, Progress(quiet=True))
    assert load_manifest(folder.path).status == "failed" and not (folder.path / "verdicts.json").exists()


GRADE = '''"""Mini: grades from 1 to 5, and a scorer that gives another one."""

from harness import Metric, Score, Suite
from harness.scoring.base import scorer


@scorer(metrics=[Metric(name="grade", scorer="grade", numerator="", kind="mean", worst=1, best=5)], name="grade")
def grade(case, completion):
    return Score(name="grade", value=0.0)


suite = Suite(scorers=[grade], max_tokens=8)
'''


@pytest.mark.parametrize(("old", "new", "said"), [
    ("", "", r"'grade': the scorer 'grade' gave case 'c\d+' 0, expected 1 to 5\. Correct"),
    ("return", "case.expected.append('x')\n    return", r"a scorer changed case 'c\d+', by which other answers"),
    ("max_tokens=8", "floor=lambda case: None", r"its floor has no answer to case 'c\d+': TypeError: it returned None"),
])  # fmt: skip
def test_a_run_whose_own_code_cannot_be_used_is_failed_and_says_where(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    gates = '[objective]\ntext = "x"\n\n[[gate]]\nmetric = "grade"\nrule = "at_least"\nvalue = 3\n'
    write_suite(tmp_path, test=GRADE.replace(old, new, 1), gates=gates)
    write_script(tmp_path, tuned=right(rows()))
    folder = RunFolder.create(tmp_path / "runs", "test")
    with pytest.raises(UserError, match=said):
        run(job_of(tmp_path), folder, Progress(quiet=True))
    assert load_manifest(folder.path).status == "failed"


def test_verdicts_of_a_run_call_clusters_what_the_suite_calls_them(tmp_path: Path) -> None:
    few = rows(10)
    write_suite(tmp_path, few, test=TEST.replace("max_tokens=8", 'max_tokens=8, cluster="policy"'))
    write_script(tmp_path, tuned=right(few))
    assert "5 cases from 5 policies" in make_run(tmp_path).verdicts[0].reason


def test_a_run_holds_the_prompt_template_with_secrets_masked(tmp_path: Path) -> None:
    folder = write_suite(tmp_path)
    secret = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
    template = next(folder.rglob("prompt.jinja"))
    text = template.read_text("utf-8")
    template.write_text(f"{text}\n{secret}", "utf-8")
    write_script(tmp_path, tuned=right(rows()))
    (suite,) = make_run(tmp_path).manifest.suites
    assert suite.prompt.startswith(text.strip()) and secret not in suite.prompt


def test_a_second_worker_starts_from_nothing_where_the_first_one_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the records and the scores of a write: no answer may count twice, or without its score."""
    write_suite(tmp_path)
    write_script(tmp_path, tuned=right(rows()))
    job = job_of(tmp_path)
    path, append = tmp_path / "runs" / "20260101T000000Z-eval-00000000", RunFolder._append

    def killed(self: RunFolder, name: str, lines: Sequence[bytes]) -> None:
        if name == "scores.jsonl":
            raise KeyboardInterrupt
        append(self, name, lines)

    with monkeypatch.context() as first, pytest.raises(KeyboardInterrupt):
        first.setattr(RunFolder, "_append", killed)
        run_once(job, path.parent, path, Progress(quiet=True))
    assert (path / "records.jsonl").stat().st_size
    made = run_once(job, path.parent, path, Progress(quiet=True))
    assert sorted(r.case.id for r in made.records) == sorted(str(row["id"]) for row in rows())
    assert all(r.scores for r in made.records) and made.standing.is_claim
    sealed = (path / "records.jsonl").stat().st_ino
    assert run_once(job, path.parent, path, Progress(quiet=True)).records == made.records
    assert (path / "records.jsonl").stat().st_ino == sealed


def test_a_log_called_accepted_is_not_mixed_with_the_accepted_baseline(tmp_path: Path) -> None:
    write_suite(tmp_path)
    accept(evaluate(tmp_path, right(rows())).path, suites(tmp_path), SAID)
    (suite,) = suites(tmp_path)
    logs = {}
    for variant, name in ((CANDIDATE, "tuned"), (BASELINE, "accepted")):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(f'{{"id": "{row["id"]}", "answer": "none"}}\n' for row in rows()))
        logs[variant] = read_log(file, "jsonl", suite)
    made = run(imported_job(suite, logs, None), RunFolder.create(tmp_path / "runs", "import"), Progress(quiet=True))
    assert made.manifest.suites[0].accepted is None and made.manifest.checkpoints[BASELINE].name == "accepted"
    assert Counter(record.variant for _, record in stream(made.path)) == {CANDIDATE: 40, BASELINE: 40}


def test_a_pass_names_the_runs_in_which_the_same_model_did_not_pass(tmp_path: Path) -> None:
    """As by another engine, or by rounding; here the failed run gets the name of the model that passed."""
    write_suite(tmp_path)
    missed, passed = evaluate(tmp_path, wrong()), evaluate(tmp_path, right(rows()))
    change(missed.path, lambda manifest: msgspec.structs.replace(manifest, checkpoints=passed.manifest.checkpoints))
    again = evaluate(tmp_path, right(rows()))
    said = "the same model did not pass in 1 earlier run with the same gates, cases, prompt and scorers: "
    assert not any(said in note for note in passed.manifest.notes)
    assert any(f"{said}{missed.path.name}" in note for note in again.manifest.notes)


def test_a_run_says_which_gates_became_easier_until_they_approve_another_model(tmp_path: Path) -> None:
    gates = next(write_suite(tmp_path).glob("gates.toml"))
    gates.write_text(PASS_ON_BOTH)
    hard = evaluate(tmp_path, wrong()).path.name
    gates.write_text(PASS_ON_BOTH.replace("0.5", "0.4", 1))
    said = [f"legal/mini, since run {hard}: clause recall, at least: threshold 0.5 -> 0.4, which is easier to meet"]
    assert evaluate(tmp_path, right(rows()), limit=3).manifest.moved == []  # no gate is judged
    made = [evaluate(tmp_path, answers) for answers in (right(rows()), right(rows()), wrong())]
    assert [run.manifest.moved for run in made] == [said] * 3  # a script approves nothing
    change(made[0].path, generated)
    assert evaluate(tmp_path, right(rows())).manifest.moved == said  # the same model again
    assert evaluate(tmp_path, wrong()).manifest.moved == []
    gates.write_text(PASS_ON_BOTH)
    assert evaluate(tmp_path, wrong()).manifest.moved == []  # harder


def test_a_run_names_cases_that_were_dropped_or_changed_since_a_run_that_did_not_pass(tmp_path: Path) -> None:
    cases, bad = rows(), wrong()

    def moved(asked: list[dict[str, object]], answers: dict[str, str]) -> list[str]:
        write_suite(tmp_path, asked)
        made.append(evaluate(tmp_path, {str(case["id"]): answers[str(case["id"])] for case in asked}))
        return made[-1].manifest.moved

    made: list[RunData] = []
    assert moved(cases, bad) == []
    since = f"legal/mini, since run {made[0].path.name}, which did not pass:"
    assert moved(cases[:38], bad) == [f"{since} 2 cases were removed (c38, c39)"]
    cases[0] |= {"expected": ["as is"]}
    cases.append({**cases[1], "id": "new", "input": {"document": "New."}, "cluster": "new"})
    assert moved([*cases[:33], cases[-1]], right(cases)) == [
        f"{since} 7 cases were removed (c33, c34, c35, c36, c37 and 2 more); "
        "1 case was changed in the expected answer, cluster or tags (c0)"
    ]
    change(made[-1].path, generated)
    assert moved(cases[:32], bad) == []  # another model was approved since


def test_a_run_names_scorers_that_changed_since_a_run_that_did_not_pass(tmp_path: Path) -> None:
    write_suite(tmp_path)
    missed = evaluate(tmp_path, wrong()).path.name
    write_suite(tmp_path, test=TEST.replace('"as is"])', '"as is"], {"staying on": "holdover"})'))
    said = [f"legal/mini, since run {missed}, which did not pass: scorer clauses changed"]
    passed = evaluate(tmp_path, right(rows()))
    assert passed.manifest.moved == evaluate(tmp_path, right(rows())).manifest.moved == said
    change(passed.path, generated)
    write_suite(tmp_path)
    assert evaluate(tmp_path, wrong()).manifest.moved == []  # another model passed since


def test_a_run_says_how_many_other_models_were_judged_on_its_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    write_suite(tmp_path)
    other = right(rows()) | {"c1": "another answer"}

    def looks(answers: dict[str, str], limit: int | None = None) -> list[str]:
        notes = evaluate(tmp_path, answers, limit=limit).manifest.notes
        return [note for note in notes if "judged" in note]

    assert looks(right(rows())) == looks(right(rows())) == []  # the same model again is no other one
    assert looks(other, limit=3) == []  # not all cases: no gate is judged
    assert looks(other) != [] and "judged 1 other model on these cases" in looks(other)[0]
    (third,) = looks(right(rows()) | {"c2": "a third answer"})
    assert "judged 2 other models on these cases" in third and "One of 3 passes by chance up to 3 times" in third
    prompt = next(tmp_path.rglob("prompt.jinja"))
    prompt.write_text(f"{prompt.read_text()} Say none where there is none.")
    (fourth,) = looks(right(rows()))
    assert "judged 3 other model-prompt pairs on these cases" in fourth
    cases = next(tmp_path.rglob("cases.jsonl"))
    cases.write_text("\n".join(cases.read_text().splitlines()[1:]) + "\n")
    assert looks({case: text for case, text in other.items() if case != "c0"}) == []  # other cases
