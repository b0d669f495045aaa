"""The checker as a judge: its scorer's verdicts as events, on a rubric's scale, next to people's labels."""

import json

import pytest

from harness.env import CHECKER
from harness.errors import UserError
from harness.judges.checker_judge import SUPPORTED, judge, label_of
from harness.judges.rubric import SIDES, JudgeRubric
from harness.progress.progress import Progress
from harness.runs.folder import check_seal, load_run
from harness.runs.score_events import batches, with_later
from harness.scoring import checker
from tests.harness.scoring.test_checker import recorded
from tests.support.answers import answer
from tests.support.command import tunegate
from tests.support.mini import compare, right, rows

QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("checker"))


@pytest.fixture
def run(tmp_path):
    tuned = {case: f"<think>.</think>The contract {case} is due. The rent is here now." for case in right(rows())}
    return compare(tmp_path, tuned, dict.fromkeys(tuned, "none"))


def test_verdicts_are_those_of_the_scorer_and_short_answers_are_unscored(run, folder, monkeypatch):
    monkeypatch.setenv(CHECKER, str(folder))
    found, scorer = judge(run, SUPPORTED, QUIET), checker.of_folder(folder)
    assert (found.scored, found.unscored) == (40, 40)
    for record in with_later(load_run(run.path)).records:
        said = answer(record.completion.answer, record.completion.finish_reason)
        score, expected = record.scores["judge_supported"], scorer(record.case, said)
        assert (score.spans, score.counts) == (expected.spans, expected.counts)
        assert score.value == (None if expected.value is None else float(expected.value == 1))
    (batch,) = batches(run.path)
    assert batch.about["judge"]["digest"] == checker.read(folder).digest
    assert check_seal(run.path) == []


@pytest.mark.parametrize(
    ("share", "two", "three"), [(1.0, "yes", "yes"), (0.9, "no", "partly"), (0.2, "no", "partly"), (0.0, "no", "no")]
)
def test_only_an_answer_whose_every_sentence_is_supported_gets_the_best_label(share, two, three):
    assert label_of(share, ("no", "yes")) == two
    assert label_of(share, ("no", "partly", "yes")) == three


def test_the_command_states_agreement_with_people(run, folder, monkeypatch):
    root = run.path.parents[1]
    monkeypatch.setenv(CHECKER, str(folder))
    lines = [
        {"suite": "legal/mini", "case_id": f"c{n}", "variant": "tuned", "label": "yes" if n % 2 else "no"}
        for n in range(30)
    ]
    (root / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)))
    labels = ", ".join(f'"{label}"' for label in SUPPORTED.labels)
    (root / "r.toml").write_text(f'name = "{SUPPORTED.name}"\nquestion = "{SUPPORTED.question}"\nlabels = [{labels}]\n')
    words = ("labels", "import", str(run.path), "labels.jsonl", "--rubric", "r.toml", "--reviewer", "r1")
    assert tunegate(root, *words).returncode == 0
    done = tunegate(root, "judge", str(run.path), "--by", "checker")
    assert done.returncode == 0 and "40 answers judged, 40 unscored" in done.stdout
    assert "judge and r1: exact agreement" in done.stdout and "canaries" not in done.stdout


def test_what_cannot_be_judged_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.delenv(CHECKER, raising=False)
    with pytest.raises(UserError, match=r"no checker in .*`make checker`"):
        judge(run, SUPPORTED, QUIET)
    with pytest.raises(UserError, match="compares two answers"):
        judge(run, JudgeRubric(name="better", question="Which?", labels=SIDES, compare=True), QUIET)
    done = tunegate(tmp_path, "judge", str(run.path), "--by", "smollm2-135m-instruct")
    assert done.returncode == 4 and "--rubric is missing" in done.stderr
