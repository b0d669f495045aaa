"""Merged weights are judged as their adapter was: the same suites, bars, baseline and engine, or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.approval.approve import Approval, approve, suites_here
from harness.approval.evidence import Where
from harness.approval.policy import renew
from harness.baseline.accept import Acceptance, accept
from harness.checkpoints.merge import merged_folder
from harness.checkpoints.resolve import resolve
from harness.engines.base import installed
from harness.engines.config import EngineConfig
from harness.errors import GateFailed, UserError
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.files import digest
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder, check_seal, load_manifest, load_run, now
from harness.schema import ACCEPTED, Manifest
from harness.serving import judge_merged
from harness.serving.deploy import Deployment, DeployOptions
from harness.serving.routing import Route
from harness.serving.smoke_test import load_recorded
from harness.suites.suite import Suite
from tests.harness.serving.routes import route
from tests.support.adapters import save_adapter
from tests.support.gated import edit_json
from tests.support.mini import TEST, rows, write_suite

PASSES = """[objective]
text = "A model of random weights seldom says none."

[[gate]]
metric = "abstention_rate"
rule = "at_most"
value = 0.9
"""
CASES = [row for row in rows(24) if row["expected"]]
QUIET = Progress(quiet=True)
TWICE = TEST.replace("Suite(", "Suite(samples=2, ")


class Approved:
    """An adapter that a real run approved, and its merged weights."""

    def __init__(self, root: Path, base: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.folder = write_suite(root, CASES, test=TWICE, gates=PASSES)
        self.adapter = save_adapter(base, root / "adapter")
        parts = [SuiteJob(suite=suite, cases=suite.cases) for suite in self.suites()]
        job = Job(
            suites=parts, candidate=str(self.adapter), baseline=str(base), engine=EngineConfig(name="transformers")
        )
        self.run = run(job, RunFolder.create(self.runs, "eval"), QUIET).path
        self.merged = merged_folder(resolve(str(self.adapter)))

    def suites(self) -> list[Suite]:
        from harness.suites.discovery import find_suites

        return list(find_suites([str(self.root / "evalsuites")]))

    @property
    def manifest(self) -> Manifest:
        return load_manifest(self.run)

    @property
    def where(self) -> Where:
        return Where(runs=self.runs)

    @property
    def base(self) -> str:
        return resolve(str(self.adapter)).base_digest

    @property
    def route(self) -> Route:
        own = resolve(str(self.adapter))
        return route(checkpoint=own, folder=Path(own.path))

    def judge(self) -> Approval:
        """Approve the adapter, and judge the merged weights as it was judged."""
        approval = approve(resolve(str(self.adapter)), self.where, None, "serve")
        return judge_merged.judge(self.merged, self.base, approval, self.where, QUIET)

    def job(self, suites: list[Suite] | None = None, bars: Path | None = None) -> Job:
        """The job that repeats the adapter's run on the merged weights."""
        found = self.suites() if suites is None else suites
        return judge_merged.job_like(self.manifest, ["legal/mini"], self.merged, found, bars)


@pytest.fixture(scope="module")
def made(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Approved:
    patch = pytest.MonkeyPatch()
    root = tmp_path_factory.mktemp("merged")
    patch.setenv("TUNEGATE_CACHE", str(root / "cache"))
    made = Approved(root, tiny_model)
    patch.undo()
    return made


@pytest.fixture
def approved(made: Approved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Approved:
    """A copy whose suite and runs a test may change."""
    monkeypatch.setenv("TUNEGATE_CACHE", str(made.root / "cache"))
    own = object.__new__(Approved)
    own.root, own.adapter, own.merged = tmp_path, made.adapter, made.merged
    own.runs = shutil.copytree(made.runs, tmp_path / "runs")
    own.run = own.runs / made.run.name
    own.folder = write_suite(tmp_path, CASES, test=TWICE, gates=PASSES)
    monkeypatch.chdir(tmp_path)
    renew(own.suites(), add_new=True)
    return own


@pytest.mark.slow
def test_the_suites_that_are_named_are_found_and_no_others(approved: Approved) -> None:
    shutil.copytree(approved.folder, approved.folder.parent / "other")
    assert list(suites_here(["legal/mini", "legal/nowhere"])) == ["legal/mini"]
    elsewhere = shutil.copytree(approved.folder, approved.root / "elsewhere" / "legal" / "mini")
    shutil.rmtree(approved.folder)
    assert suites_here(["legal/mini"]) == {}
    assert suites_here(["legal/mini"], [str(approved.root / "elsewhere")])["legal/mini"].folder == elsewhere


def test_the_run_on_merged_weights_asks_what_the_run_on_the_adapter_asked(approved: Approved) -> None:
    job = approved.job()
    base = approved.manifest.checkpoints["baseline"].name
    assert (job.candidate, job.baseline, job.engine.name) == (str(approved.merged), base, "transformers")
    assert (job.seed, [(job.samples(part.suite), len(part.cases)) for part in job.suites]) == (0, [(2, 12)])


def test_what_a_server_answered_is_repeated_by_an_engine_here(approved: Approved) -> None:
    """The server has no merged weights, and its name of the baseline is none of this machine."""
    manifest = approved.manifest
    base = manifest.checkpoints["baseline"]
    served = structs.replace(base, name="base", kind="endpoint", pinned_by="server process")
    checkpoints = manifest.checkpoints | {"baseline": served}
    original = structs.replace(manifest, engine=manifest.engine | {"name": "openai"}, checkpoints=checkpoints)
    job = judge_merged.job_like(original, ["legal/mini"], approved.merged, approved.suites(), None)
    assert (job.engine, job.baseline) == (EngineConfig(), base.path)


@pytest.mark.slow
def test_merged_weights_that_pass_are_approved_by_a_run_of_their_own(approved: Approved) -> None:
    own = resolve(str(approved.merged))
    assert judge_merged.approved_already(own, approved.base, approved.where) is None
    found = approved.judge()
    (run,) = found.runs
    assert run != approved.run and check_seal(run) == []
    made = load_run(run)
    assert made.manifest.checkpoints["tuned"].digest == own.digest
    assert sorted(made.by_variant("legal/mini")) == ["baseline", "tuned"] and len(made.records) == 48
    assert judge_merged.approved_already(own, approved.base, approved.where) == found


@pytest.mark.slow
def test_merged_weights_that_do_not_pass_are_refused(approved: Approved, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter is said to have passed a bar that nothing reaches."""
    approval = approve(resolve(str(approved.adapter)), approved.where, None, "serve")
    bar = PASSES.replace("abstention_rate", "clause_recall").replace("at_most", "at_least")
    (approved.folder / "gates.toml").write_text(bar)
    renew(approved.suites(), add_new=True)
    gates = digest((approved.folder / "gates.toml").read_bytes())
    edit_json(approved.run / "run.json", lambda run: run["suites"][0].update(gates_hash=gates) or run)
    with pytest.raises(GateFailed, match=r"do not pass, though their adapter did: legal/mini .*: fail") as caught:
        judge_merged.judge(approved.merged, approved.base, approval, approved.where, QUIET)
    assert caught.value.exit_code == 1
    with pytest.raises(GateFailed):
        approve(resolve(str(approved.merged)), approved.where, None, "serve", approved.base)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("gates.toml", "value = 0.9", "value = 0.91", "gates"),
        ("prompt.jinja", "Which", "What", "prompt"),
        ("cases.jsonl", "Contract 1.", "Contract one.", "cases"),
    ],
)
def test_a_suite_that_is_another_now_cannot_speak_for_the_merge(
    approved: Approved, file: str, old: str, new: str, what: str
) -> None:
    text = (approved.folder / file).read_text()
    assert old in text
    (approved.folder / file).write_text(text.replace(old, new))
    with pytest.raises(UserError, match=rf"legal/mini: {what} changed since. Evaluate the adapter again"):
        approved.job()


@pytest.mark.slow
def test_the_gates_of_another_folder_may_have_been_meant(approved: Approved) -> None:
    bars = shutil.copytree(approved.root / "evalsuites", approved.root / "bars")
    (approved.folder / "gates.toml").write_text(PASSES.replace("value = 0.9", "value = 0.5"))
    assert approved.job(bars=bars).bars == bars


def test_a_suite_that_is_missing_cannot_be_left_out(approved: Approved) -> None:
    with pytest.raises(UserError, match=r"legal/mini: does not exist\. Name its folder with --suite"):
        approved.job([])


@pytest.mark.slow
def test_a_baseline_with_other_weights_cannot_stand_in(approved: Approved) -> None:
    loaded = json.loads((approved.run / "run.json").read_text())
    loaded["checkpoints"]["baseline"]["digest"] = "0" * 64
    (approved.run / "run.json").write_text(json.dumps(loaded))
    with pytest.raises(UserError, match="the baseline had other weights"):
        approved.job()


@pytest.mark.slow
def test_recorded_answers_are_the_runs_first_greedy_ones(approved: Approved) -> None:
    found = load_recorded(approved.run, approved.suites(), approved.route, 5)
    assert [one.ask.case.id for one in found] == ["c1", "c5", "c9", "c15", "c19"]
    records = load_run(approved.run).by_variant("legal/mini")
    first = {name: {r.case.id: r.completion.text for r in records[name] if r.repeat == 1} for name in records}
    assert [one.approved for one in found] == [first["tuned"][one.ask.case.id] for one in found]
    assert [one.baseline for one in found] == [first["baseline"][one.ask.case.id] for one in found]
    assert load_recorded(approved.run, approved.suites(), approved.route, 0) == []


@pytest.mark.slow
def test_the_answers_of_a_baseline_of_another_family_are_known_by_their_cases(
    approved: Approved, tiny_models: dict[str, Path]
) -> None:
    parts = [SuiteJob(suite=suite, cases=suite.cases) for suite in approved.suites()]
    job = Job(
        suites=parts,
        candidate=str(approved.adapter),
        baseline=str(tiny_models["llama3"]),
        engine=EngineConfig(name="transformers"),
    )
    made = run(job, RunFolder.create(approved.runs, "eval"), QUIET).path
    found = load_recorded(made, approved.suites(), approved.route, 5)
    texts = {r.case.id: r.completion.text for r in load_run(made).by_variant("legal/mini")["baseline"]}
    assert len(found) == 5 and [one.baseline for one in found] == [texts[one.ask.case.id] for one in found]


@pytest.mark.slow
def test_an_accepted_baseline_has_no_texts_to_compare_with(approved: Approved) -> None:
    suites = approved.suites()
    accept(approved.run, suites, Acceptance(reason="first", accepted_at=now()))
    job = Job(
        suites=[SuiteJob(suite=suite, cases=suite.cases) for suite in suites],
        candidate=str(approved.adapter),
        baseline=ACCEPTED,
        engine=EngineConfig(name="transformers"),
    )
    made = run(job, RunFolder.create(approved.runs, "eval"), QUIET).path
    assert [one.baseline for one in load_recorded(made, approved.suites(), approved.route, 5)] == [None] * 5


@pytest.mark.slow
def test_a_prompt_that_is_another_now_is_not_compared(approved: Approved) -> None:
    (approved.folder / "prompt.jinja").write_text("What clauses? {{ document }}")
    assert load_recorded(approved.run, approved.suites(), approved.route, 5) == []


@pytest.mark.slow
@pytest.mark.skipif(not installed("vllm"), reason="what is served is served by vLLM, which is not here")
def test_a_server_that_could_be_compared_with_nothing_is_refused(approved: Approved) -> None:
    def found(**changes: Any) -> int:
        given = {"checkpoint": str(approved.adapter), "host": "127.0.0.1", "port": 1024, "lora": "force"}
        it = Deployment(DeployOptions(**given | {"runs": approved.runs} | changes), QUIET)
        return len(it.recorded(it.verdict()))

    assert found() == 12
    assert found(ungated="pilot") == found(questions=0) == 0
    with pytest.raises(
        UserError, match=r"no answer of run .* can be compared: its answers were sampled, or its prompts"
    ):
        found(max_model_len=16)


@pytest.mark.slow
def test_a_question_that_the_server_has_no_room_for_is_not_compared(approved: Approved) -> None:
    longest = max(len(one.ask.ids) + 8 for one in load_recorded(approved.run, approved.suites(), approved.route, 12))
    assert len(load_recorded(approved.run, approved.suites(), approved.route, 12)) == 12
    short = structs.replace(approved.route, max_model_len=longest - 1)
    assert 0 < len(load_recorded(approved.run, approved.suites(), short, 12)) < 12
