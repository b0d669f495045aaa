"""One checkpoint asked twice: what moves, whose scores flip, and the margins that are held against it."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

from harness.checkpoints.resolve import resolve
from harness.engines.config import EngineConfig
from harness.engines.fake import FakeEngine
from harness.engines.transformers.generate import Answerer
from harness.errors import UserError
from harness.evaluation import noise as measurement
from harness.evaluation.noise import SuiteNoise, measure, save
from harness.evaluation.noise_file import NoiseFile, load_noise, save_noise, with_floors
from harness.evaluation.rejudge import regate
from harness.evaluation.rescore import rescore
from harness.gates.config import GateId
from harness.gates.judge import within_noise
from harness.progress.progress import Progress
from harness.runs.folder import RunData, RunFolder, check_seal, load_run
from harness.schema import BASELINE, CANDIDATE, Gate, Noise, NoiseFloor
from harness.stats.noise import flips, floors, repeat_flips
from tests.harness.gates.test_power import tunegate
from tests.support.mini import job_of, make_run, right, rows, suites, write_script, write_suite
from tests.support.scored import ACCURACY, ERROR_RATE, MACRO_F1, answers, record

pytestmark = pytest.mark.usefixtures("own_cache")

GATES = """[objective]
text = "Find the clauses."

[[gate]]
metric = "clause_exact_set"
rule = "no_worse"
margin = 0.05

[[gate]]
metric = "clause_exact_set"
rule = "no_worse"
margin = 0.30
"""
FLIPPED = ["c1", "c3", "c5"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A suite whose three cases are answered rightly by the first pass alone, and one the other way round."""
    write_suite(tmp_path, gates=GATES)
    first, second = right(rows()), right(rows())
    second |= dict.fromkeys(FLIPPED, "none")
    first["c7"] = "none"
    write_script(tmp_path, baseline=first, tuned=second)
    return tmp_path


def noise_file(root: Path) -> Path:
    return root / "evalsuites" / "legal" / "mini" / "noise.json"


def compared(root: Path) -> RunData:
    return make_run(root, candidate="mini", baseline="mini")


def measured(root: Path, **more: object) -> tuple[SuiteNoise, RunData]:
    folder = RunFolder.create(root / "runs", "noise")
    (found,) = measure(job_of(root, **{"candidate": "mini", **more}), folder, Progress(quiet=True), 1)
    return found, load_run(folder.path)


def test_two_passes_give_a_floor_flips_and_a_run_without_a_verdict(project: Path) -> None:
    found, made = measured(project)
    floor = found.noise.of("clause_exact_set", None, None)
    assert floor is not None and (floor.flips, floor.cases, floor.contracts) == (4, 40, 40)
    assert floor.level == pytest.approx(39 / 40) and floor.change == pytest.approx(-2 / 40)
    half = 2.0227 * ((4 - 40 * 0.05**2) / 39 / 40) ** 0.5  # t(39), and the standard error of the mean difference
    assert floor.floor == pytest.approx(0.05 + half, abs=1e-4)
    assert made.verdicts == [] and check_seal(made.path) == []
    assert made.manifest.asked_twice and made.manifest.status == "finished"
    assert "what differs is noise" in made.manifest.notes[0]
    assert sorted(made.by_variant("legal/mini")) == ["baseline", "tuned"]
    assert made.manifest.engine["passes"] == ["the engine's own batch", "batch 1"]
    assert made.manifest.engine["generated"] == 80 and made.manifest.engine["truncated"] == {"baseline": 0, "tuned": 0}
    assert found.lines[0] == "legal/mini: 4 of 40 answers differ (the engine's own batch; batch 1)"
    line = next(x for x in found.lines if "clause_exact_set 97.5%" in x)
    assert "noise floor 15.1 points" in line and line.endswith("4 of 40 cases flip between the passes: c1, c3, c5, c7")


def test_a_model_that_changed_between_the_passes_gives_no_floor(
    tiny_model: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copytree(tiny_model, project / "model"))
    monkeypatch.setattr(measurement, "variants", lambda job: {CANDIDATE: resolve(str(model))})

    def asked(*_: object) -> dict[str, object]:
        (model / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
        return {}

    monkeypatch.setattr(measurement, "_ask", asked)
    with pytest.raises(UserError, match="its files changed while they were in use"):
        measured(project)


TONE = '''"""Mini: an own score between -1 and 1."""

from harness import Metric, Score, Suite
from harness.scoring.base import scorer


@scorer(metrics=[Metric(name="tone", scorer="tone", numerator="", kind="mean", worst=-1.0, best=1.0)], name="tone")
def tone(case, completion):
    return Score(name="tone", value=0.5)


suite = Suite(scorers=[tone], max_tokens=8)
'''


def test_a_score_that_is_no_share_is_not_told_in_percent(project: Path) -> None:
    gates = '[objective]\ntext = "x"\n\n[[gate]]\nmetric = "tone"\nrule = "at_least"\nvalue = 0.1\n'
    write_suite(project, test=TONE, gates=gates)
    found, _ = measured(project)
    assert found.lines[1] == "  tone 0.5: noise floor 0 (0 to 0); no case flips between the passes"


@pytest.mark.slow
def test_no_pass_is_answered_from_the_cache(project: Path) -> None:
    compared(project)
    _, made = measured(project)
    assert made.manifest.engine["cached"] == 0
    again, _ = measured(project)
    assert again.noise.of("clause_exact_set", None, None).flips == 4  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_margin_within_the_noise_is_an_error_and_a_wider_one_is_judged(project: Path) -> None:
    assert [v.outcome for v in compared(project).verdicts] == ["inconclusive", "pass"]
    found, _ = measured(project)
    save_noise(noise_file(project), found.noise)
    made = compared(project)
    tight, wide = made.verdicts
    assert (tight.outcome, wide.outcome) == ("error", "pass")
    assert tight.reason == (
        f"Not judged: the margin of 5.0 points is below the noise of 15.1 points that {found.noise.run_id} measured by "
        "asking one model twice."
    )
    assert made.manifest.suites[0].noise == found.noise
    assert not any("noise.json" in note for note in made.manifest.notes)
    assert load_run(made.path).manifest == made.manifest


OTHER = {
    "engine_version": "engine",
    "dtype": "engine",
    "tokenizer_digest": "family of models",
    "cases_hash": "set of cases",
    "prompt_hash": "prompt",
    "scorers_hash": "set of scorers",
    "samples": "number of answers a case",
}


@pytest.mark.slow
def test_noise_of_something_else_is_passed_over_with_a_note(project: Path) -> None:
    found, _ = measured(project)
    manifest = compared(project).manifest
    assert with_floors(manifest, {"legal/mini": [found.noise]}).suites[0].noise == found.noise
    for field, what in OTHER.items():
        other = msgspec.structs.replace(found.noise, **{field: 5 if field == "samples" else "x"})
        passed = with_floors(manifest, {"legal/mini": [other]})
        assert passed.suites[0].noise is None
        assert passed.notes[-1] == (
            f"legal/mini: noise.json was measured with another {what}, so no margin uses it; measure again with "
            "`tunegate repeatability`"
        )


@pytest.mark.slow
def test_noise_cannot_be_measured_again_where_another_tool_asked(project: Path) -> None:
    measured_again(project)
    answers = [json.dumps({"id": name, "answer": text}) for name, text in right(rows()).items()]
    (project / "a.jsonl").write_text("\n".join(answers))
    done = tunegate(project, "import", "a.jsonl", "--format", "jsonl", "--suite", "evalsuites/legal/mini")
    said = " ".join(done.stdout.split())
    assert "so no margin uses it" in said and "measure again" not in said


@pytest.mark.slow
def test_a_finished_run_is_held_against_noise_that_was_measured_later(project: Path) -> None:
    compared(project)
    (before,) = (project / "runs").iterdir()
    tunegate(project, "repeatability", "mini", "--engine", "fake", "--script", "script.json")
    done = tunegate(project, "regate", before.name)
    assert done.returncode == 1
    gate = "clause exact set at most 5.0 points worse than the baseline"
    assert f"changed: legal/mini {gate}: inconclusive -> error" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["regate", "rescore"])
def test_a_model_that_ran_twice_passes_no_gate_against_itself(project: Path, command: str) -> None:
    _, run = measured(project)
    done = tunegate(project, command, "latest")
    assert done.returncode == 6 and "has the answers of one model twice" in done.stderr
    assert not (run.path / "later").exists()


def test_a_gate_of_a_slice_that_was_written_after_the_noise_was_measured_is_held_against_it(project: Path) -> None:
    measured_again(project)
    write_suite(project, gates=GATES.replace("margin = 0.05", 'margin = 0.05\nslice = "instrument"'))
    verdicts = compared(project).verdicts
    assert [v.slice_value for v in verdicts if "below the noise" in v.reason] == ["deed", "lease"]


@pytest.mark.slow
def test_scores_of_other_scorers_are_held_against_noise_of_the_same_scorers(project: Path) -> None:
    run = compared(project)
    measured_again(project)
    folder = write_suite(project, gates=GATES)
    test = folder / "test_mini.py"
    test.write_text(test.read_text().replace('"as is"])]', '"as is"], {"leased": "holdover"})]'))
    quiet = Progress(quiet=True)
    assert "margin" not in rescore(run.path, suites(project), None, quiet).verdicts[0].reason
    (note,) = regate(run.path, suites(project), None).run.manifest.notes
    assert note.startswith("legal/mini: noise.json was measured with another set of scorers")
    measured_again(project)
    found = regate(run.path, suites(project), None).run
    assert found.manifest.notes == [] and "below the noise" in found.verdicts[0].reason
    assert rescore(run.path, suites(project), None, quiet).verdicts == found.verdicts


def measured_again(root: Path) -> None:
    save([measured(root)[0]])


@pytest.mark.slow
def test_a_note_of_a_run_about_noise_that_did_not_apply_ends_when_other_noise_does(project: Path) -> None:
    measured_again(project)
    noise_file(project).write_text(noise_file(project).read_text().replace('"samples": 1', '"samples": 5'))
    run = compared(project)
    assert "another number of answers a case" in run.manifest.notes[-1]
    measured_again(project)
    assert regate(run.path, suites(project), None).run.manifest.notes == run.manifest.notes[:-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "cannot be read"),
        (b'{"schema_version": 1, "noise": [], "more": 1}', "unknown field"),
        (b'{"schema_version": 2, "noise": [], "more": 1}', "written by a newer tunegate"),
        (b'{"schema_version": 1, "noise": [{"run_id": "x"}]}', "missing required field"),
    ],
)
def test_a_noise_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "noise.json").write_bytes(content)
    with pytest.raises(UserError, match=says):
        load_noise(tmp_path / "noise.json")


def test_a_noise_file_that_cannot_be_used_ends_a_run_before_anything_is_asked(project: Path) -> None:
    noise_file(project).write_bytes(b"{")
    for words in (("compare", "old", "new"), ("repeatability", "mini")):
        done = tunegate(project, *words, "--engine", "fake", "--script", "script.json")
        assert done.returncode == 4 and len(done.stderr.strip().splitlines()) == 1
        assert "cannot be read" in done.stderr and "delete it and measure again" in done.stderr
    assert not list(project.glob("runs/*"))


def test_the_command_writes_the_file_and_says_what_is_held_back(project: Path) -> None:
    done = tunegate(project, "repeatability", "mini", "--engine", "fake", "--script", "script.json")
    assert done.returncode == 0, done.stderr
    assert "clause_exact_set-no_worse-0.05 will not be judged: the margin of 5.0 points" in done.stdout
    written = json.loads(noise_file(project).read_text())
    assert written["schema_version"] == 1 and len(written["noise"]) == 1
    assert {f["metric"] for f in written["noise"][0]["floors"]} >= {"clause_exact_set", "clause_macro_f1"}
    (folder,) = (project / "runs").iterdir()
    report = tunegate(project, "report", folder.name)
    assert report.returncode == 0, report.stderr
    text = (folder / "report" / "report.md").read_text()
    assert "c7" in text and "15.1 points" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_checkpoint_that_gives_no_answer_has_no_noise_and_the_file_stays(project: Path) -> None:
    noise_file(project).unlink(missing_ok=True)
    ids = list(right(rows()))
    write_script(project, fail={"baseline": ids, "tuned": ids})
    done = tunegate(project, "repeatability", "mini", "--engine", "fake", "--script", "script.json")
    assert done.returncode == 6, done.stdout + done.stderr
    assert "no metric could be measured" in done.stderr and not noise_file(project).exists()


def noise(**more: object) -> Noise:
    named = dict.fromkeys(Noise.__struct_fields__, "x")
    floor = NoiseFloor(
        metric="accuracy", level=0.5, change=0.0, low=-0.012, high=0.010, cases=100, contracts=100, flips=3
    )
    return Noise(**{**named, "passes": [], "samples": 1, "floors": [floor], **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gate", "shown"),
    [
        ({"rule": "no_worse", "margin": 0.005}, "the margin of 0.5 points is below the noise of 1.2 points"),
        ({"rule": "no_worse", "margin": 0.0118}, "the margin of 1.2 points is below the noise of just over 1.2 points"),
        ({"rule": "no_worse", "margin": 0.012}, None),
        ({"rule": "improves"}, None),
        ({"rule": "improves", "margin": 0.01}, "the margin of 1.0 points is below the noise of 1.2 points"),
        ({"rule": "improves", "margin": 0.02, "unit": "relative"}, "the margin of 1.0 points"),
        ({"rule": "improves", "margin": 0.03, "unit": "relative"}, None),
        ({"rule": "reduces", "ratio": 0.98}, "the cut of 1.0 points is below the noise of 1.2 points"),
        ({"rule": "reduces", "ratio": 0.75}, None),
        ({"rule": "reduces", "ratio": 1.0}, None),
        ({"rule": "at_least", "value": 0.5}, None),
        ({"rule": "no_worse", "margin": 0.005, "slice": "kind"}, None),
    ],
)
def test_only_a_change_smaller_than_the_floor_is_within_the_noise(gate: dict[str, object], shown: str | None) -> None:
    asked = GateId(id="g", gate=Gate(metric="accuracy", **gate), slice_value="a" if "slice" in gate else None)
    why = within_noise(asked, noise(), ACCURACY)
    assert (why is None) if shown is None else (why is not None and why.startswith(shown))
    assert within_noise(asked, None, ACCURACY) is None


def test_noise_of_a_metric_that_is_no_share_is_not_told_in_points() -> None:
    asked = GateId(id="g", gate=Gate(metric="accuracy", rule="no_worse", margin=0.005))
    why = within_noise(asked, noise(), msgspec.structs.replace(ACCURACY, unbounded=True))
    assert why is not None and why.startswith("the margin of 0.005 is below the noise of 0.012 that")


def test_an_entry_replaces_the_one_of_its_engine_and_family_alone(tmp_path: Path) -> None:
    path = tmp_path / "noise.json"
    save_noise(path, noise(run_id="first"))
    save_noise(path, noise(run_id="other", engine="vllm"))
    save_noise(path, noise(run_id="again"))
    assert [n.run_id for n in load_noise(path)] == ["other", "again"]
    assert msgspec.json.decode(path.read_bytes(), type=NoiseFile).schema_version == 1


def test_a_floor_is_the_clustered_error_of_the_difference_and_nothing_where_nothing_flips() -> None:
    rng = np.random.default_rng(3)
    first, second = (rng.random(90) < 0.7).astype(int), (rng.random(90) < 0.7).astype(int)
    records = {BASELINE: answers(list(first), 3, variant=BASELINE), CANDIDATE: answers(list(second), 3)}
    (found,) = floors(records, [ACCURACY], [])
    sums = (second - first).reshape(30, 3).sum(axis=1)
    se = np.sqrt(30 / 29 * ((sums - sums.mean()) ** 2).sum()) / 90
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 29) * se)  # type: ignore[operator]
    (same,) = floors(dict.fromkeys(records, records[BASELINE]), [MACRO_F1], [])
    assert (same.low, same.high, same.floor, same.flips) == (0.0, 0.0, 0.0, 0)


def test_flips_are_of_the_score_not_of_the_words() -> None:
    records = {BASELINE: answers([1, 1, 0, 0], variant=BASELINE), CANDIDATE: answers([1, 0, 1, 0])}
    assert flips(records, ACCURACY) == flips(records, ERROR_RATE) == flips(records, MACRO_F1) == ["case-1", "case-2"]
    (whole,) = floors(records, [ACCURACY], [])
    assert (whole.flips, whole.change) == (2, 0.0)


def test_repeats_that_do_not_score_alike_are_named() -> None:
    steady = [record(0, 1, repeat=i) for i in (1, 2, 3)]
    flipping = [record(1, score, repeat=i) for i, score in enumerate((1, 1, 0), 1)]
    unscored = [record(2, None, repeat=1), record(2, 1, repeat=2)]
    assert repeat_flips([*steady, *flipping, *unscored], ACCURACY) == ["case-1"]
    assert repeat_flips([*steady, *flipping], MACRO_F1) == ["case-1"]


def test_an_error_in_one_pass_is_a_flip_and_not_hidden() -> None:
    first = answers([1, 1], variant=BASELINE)
    records = {BASELINE: first, CANDIDATE: [record(0, 1, error=True), *answers([1, 1])[1:]]}
    assert flips(records, ACCURACY) == ["case-0"]


def test_nothing_measured_gives_no_floor_and_refuses_nothing() -> None:
    (found,) = floors({BASELINE: answers([None], variant=BASELINE), CANDIDATE: answers([None])}, [ACCURACY], [])
    assert (found.floor, found.level, found.flips) == (None, None, 0)
    asked = GateId(id="g", gate=Gate(metric="accuracy", rule="no_worse", margin=0.001))
    assert within_noise(asked, noise(floors=[found]), ACCURACY) is None


def test_sampled_answers_get_other_seeds_and_flips_between_repeats_are_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project / "evalsuites" / "legal" / "mini"
    test = (folder / "test_mini.py").read_text().replace("max_tokens=8", "max_tokens=8, temperature=0.7, samples=2")
    (folder / "test_mini.py").write_text(test)
    seen: set[tuple[str, int]] = set()
    real = FakeEngine.generate

    def generate(self, requests):  # type: ignore[no-untyped-def]
        seen.update((r.variant, r.sampling.seed) for r in requests)
        return real(self, requests)

    monkeypatch.setattr(FakeEngine, "generate", generate)
    found, made = measured(project)
    assert seen == {("baseline", 0), ("baseline", 1), ("tuned", 2), ("tuned", 3)}
    assert made.manifest.engine["passes"][1] == "batch 1, other seeds"
    assert sum("no case flips between repeats of the" in line for line in found.lines) >= 2


def test_a_small_real_model_is_asked_in_two_batch_sizes(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedy answers of an fp32 model through transformers; what moves is what the texts say, however little it is."""
    write_suite(tmp_path, gates=GATES, cases=rows(12))
    seen: list[int] = []
    real = Answerer.run

    def ask(self, model, batch):  # type: ignore[no-untyped-def]
        seen.append(len(batch))
        return real(self, model, batch)

    monkeypatch.setattr(Answerer, "run", ask)
    found, made = measured(tmp_path, candidate=str(tiny_model), engine=EngineConfig(name="transformers"))
    assert max(seen) == 12 and seen.count(12) == 1
    by_variant = made.by_variant("legal/mini")
    assert len(by_variant["baseline"]) == len(by_variant["tuned"]) == 12
    texts = [{r.case.id: r.completion.text for r in by_variant[v]} for v in ("baseline", "tuned")]
    differing = sum(texts[0][case_id] != texts[1][case_id] for case_id in texts[0])
    assert found.lines[0].startswith(f"legal/mini: {differing} of 12 answers differ")
    assert found.noise.engine == "transformers" and found.noise.tokenizer_digest
    assert made.manifest.engine["canary"] == {}
