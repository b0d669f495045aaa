"""Deploy a checkpoint: verdict, route, server, smoke test, service, record. Each step prints one line.

Everything that can be refused is refused before a server starts. However a deployment ends, except by SIGKILL, the
server is stopped.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from harness.approval.approve import Approval, approve, reason_of, suites_here, was_evaluated
from harness.approval.evidence import Where
from harness.checkpoints.merge import merged_folder, merged_path
from harness.checkpoints.resolve import refuse_changed, resolve
from harness.engines.base import DTYPES, engine_version
from harness.errors import EngineFailed, GateFailed, UserError
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder, load_manifest, now
from harness.runs.provenance import environment as machine
from harness.runs.provenance import git_state
from harness.schema import CANDIDATE, Manifest
from harness.serving import judge_merged, server
from harness.serving.platforms import EVERYWHERE, find_platform
from harness.serving.routing import LOOPBACK, Access, Route, arrange, find_route
from harness.serving.server import Child
from harness.serving.smoke_test import Recorded, SmokeCheck, load_recorded, probe, smoke
from harness.signals import interruptible


class DeploymentRecord:
    """The record of one deployment while the block lasts, and how the block ended."""

    def __init__(self, folder: RunFolder, manifest: Manifest) -> None:
        self.folder, self._manifest = folder, manifest

    def __enter__(self) -> DeploymentRecord:
        self.folder.write_manifest(self._manifest)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed" if error else "finished"
        self._write(status=status, ended=now(), notes=[*self._manifest.notes, *filter(None, [str(error or "")])])
        self.folder.seal()

    def tested(self, findings: Sequence[SmokeCheck]) -> None:
        """Record the smoke test's results and their time."""
        smoke: dict[str, Any] = {"at": now(), "findings": msgspec.to_builtins(list(findings))}
        self._write(engine=self._manifest.engine | {"smoke": smoke})

    def _write(self, **changes: Any) -> None:
        self._manifest = structs.replace(self._manifest, **changes)
        self.folder.write_manifest(self._manifest)


def request(route: Route, access: Access) -> str:
    """Return a curl command for a greedy chat, as in the suites; servers sample by default."""
    body = json.dumps(
        {
            "model": route.name,
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 32,
            "temperature": 0,
        }
    )
    words = ["curl", f"{access.url}/v1/chat/completions", "-H 'Content-Type: application/json'"]
    if access.key_from:
        words.append(f'-H "Authorization: Bearer ${access.key_from}"')
    return " ".join([*words, f"-d '{body}'"])


HEALTH_S = 5.0
PORT = 8000
LOG = "server.log"
Tell = Callable[[str], None]


class DeployOptions(Struct, frozen=True, kw_only=True):
    """The user's options of a deployment."""

    checkpoint: str
    """Hub id, folder, alias or training run."""
    runs: Path
    """Folder of the run folders, for verdicts and for the record."""
    host: str | None = None
    """Address to listen on; None: only this machine's, or all of them with a platform."""
    port: int | None = None
    """Port to listen on; None: the platform's, or 8000."""
    platform: str | None = None
    """Cloud platform whose routes are served too: one of PLATFORMS."""
    trust_platform: bool = False
    """Whether the platform authenticates callers, so that its predictions need no key."""
    name: str | None = None
    """The model's name for callers; None: the last part of the checkpoint's name."""
    lora: str = "auto"
    """auto, force or merge."""
    tensor_parallel: int = 1
    """Devices that vLLM splits the model over."""
    max_model_len: int | None = None
    """Longest prompt and completion together, in tokens; None: the model's own limit."""
    ungated: str | None = None
    """Why it is served without a verdict."""
    suites: tuple[str, ...] = ()
    """Folders of further suites that must have passed, whether or not they are in the approval policy."""
    bars: Path | None = None
    """The copy of evalsuites whose approval policy, gates and accepted baselines decide."""
    questions: int = 16
    """Largest number of answers of the approving run to compare with."""
    start_timeout_s: float = 600.0
    """Longest wait until the server is healthy."""


class Deployment:
    """The checked and resolved options of a deployment; nothing is started. Raises UserError."""

    def __init__(self, options: DeployOptions, progress: Progress) -> None:
        if options.ungated is not None:
            reason_of(options.ungated)
        self.options, self.progress = options, progress
        self.where = Where(runs=options.runs, bars=options.bars, suites=options.suites)
        self.given = dict(os.environ)
        """The environment before an engine in this process changes it."""
        platform = find_platform(options.platform, options.trust_platform, self.given)
        host = options.host or (EVERYWHERE if platform else LOOPBACK)
        self.access = arrange(host, options.port or (platform.port if platform else PORT), self.given, platform)
        self.checkpoint = self.served = resolve(options.checkpoint)
        """The requested checkpoint, and the one that the server loads: for a merged adapter, its merged weights."""
        self._choose_route("auto")
        self.environment = server.environment(self.given, self.route, self.access)

    def _choose_route(self, dtype: str) -> None:
        options = self.options
        self.route = find_route(
            self.checkpoint, options.name, options.lora, options.max_model_len, options.tensor_parallel, dtype
        )
        self.words = server.command(self.route, self.access)

    @property
    def typed(self) -> str:
        """The command in the form for a shell."""
        return server.as_typed(self.words, self.given, self.environment, self.access)

    @property
    def notes(self) -> list[str]:
        """Notes to read before others may use the server."""
        return [*server.left_out(self.given), *self.access.warnings]

    def is_healthy(self) -> bool:
        """Whether the server answers."""
        return probe(f"{self.access.url}/health", timeout_s=HEALTH_S)[0] == 200

    def verdict(self) -> Approval:
        """Approve serving exactly this content, in the data type in which it was judged. Raises GateFailed.

        Runs compute a model in the data type of its baseline, which may be another than its own.
        """
        approval = approve(self.checkpoint, self.where, self.options.ungated, "serve")
        judged = {str(load_manifest(run).engine.get("dtype")) for run in approval.runs} & {*DTYPES}
        if len(judged) == 1 and self.route.dtype not in judged:
            self._choose_route(*judged)
        return approval

    def foreseen(self, approval: Approval) -> str | None:
        """Describe how merged weights would get a verdict. Raises GateFailed where they are known not to pass."""
        if self.route.way != "merged":
            return None
        if not approval.passed:
            return judge_merged.UNJUDGED
        folder = merged_path(self.checkpoint)
        own = resolve(str(folder)) if folder.is_dir() else None
        if own is None or not was_evaluated(own, self.options.runs):
            return "merged weights would be judged by the same gates first"
        return f"merged weights: {approve(own, self.where, None, 'serve', self.checkpoint.base_digest).says}"

    def judged(self, approval: Approval) -> Approval:
        """Return the verdict on the served weights: merged ones are created, and judged where no run did so."""
        if self.route.way != "merged":
            return approval
        folder = merged_folder(self.checkpoint, self.progress.say)
        self.served = resolve(str(folder))
        if not approval.passed:
            self.progress.say(judge_merged.UNJUDGED)
            return approval
        base = self.checkpoint.base_digest
        verdict_on_merged = judge_merged.approved_already(self.served, base, self.where)
        if verdict_on_merged is None:
            runs = " and ".join(folder.name for folder in approval.runs)
            self.progress.say(f"merged weights are judged as run {runs} judged their adapter")
            verdict_on_merged = judge_merged.judge(
                folder, base, approval, self.where, self.progress, self.options.tensor_parallel
            )
        self.progress.say(f"merged weights: {verdict_on_merged.says}")
        return verdict_on_merged

    def recorded(self, approval: Approval) -> list[Recorded]:
        """Return questions and answers of the approving runs. Raises UserError."""
        if not approval.passed or not self.options.questions:
            return []
        each = math.ceil(self.options.questions / len(approval.runs))
        answers: list[Recorded] = []
        for run, names in approval.runs.items():
            answers += load_recorded(run, list(suites_here(names, self.options.suites).values()), self.route, each)
        if not answers:
            runs = " and ".join(run.name for run in approval.runs)
            raise UserError(
                f"no answer of run {runs} can be compared: its answers were sampled, or its prompts are longer than "
                f"{self.route.max_model_len:,} tokens. Evaluate again, or skip the comparison with --questions 0"
            )
        return answers[: self.options.questions]

    def manifest(self, run_id: str, says: list[str]) -> Manifest:
        """Return the record before the server starts; `says` are the verdicts."""
        route = self.route
        return Manifest(
            run_id=run_id,
            kind="serve",
            status="running",
            started=now(),
            git=git_state(Path.cwd()),
            checkpoints={CANDIDATE: self.checkpoint},
            engine={
                "name": "vllm",
                "version": engine_version("vllm"),
                "device": "cpu" if route.on_cpu else "cuda",
                "dtype": route.dtype,
                "ways": {CANDIDATE: route.way},
                "why_merged": {CANDIDATE: route.reasons} if route.reasons else {},
                "served": {"name": route.name, "url": self.access.url, "content": self.served.digest}
                | ({"platform": msgspec.to_builtins(self.access.platform)} if self.access.platform else {}),
                "command": self.words,
                "environment": server.set_here(self.given, self.environment),
            },
            env=machine(),
            notes=says,
        )


def serve(options: DeployOptions, progress: Progress, emit: Tell, leave: bool) -> None:
    """Deploy, and serve until interrupted; with `leave`, end after the smoke test.

    Raises GateFailed without a passing verdict, EngineFailed where the server does not start, fails the smoke test or
    ends by itself, UserError for wrong options.
    """
    deployment = Deployment(options, progress)
    approval = deployment.verdict()
    progress.say(f"[1/5] verdict: {approval.says}")
    progress.say(f"[2/5] route: {deployment.route.says}")
    own = deployment.judged(approval)
    recorded = deployment.recorded(own)
    for note in deployment.notes:
        progress.say(f"note: {note}")
    folder = RunFolder.create(options.runs, f"serve-{deployment.route.name}")
    verdicts = [one.says for approved in (approval, own) for one in approved.passed]
    manifest = deployment.manifest(folder.path.name, list(dict.fromkeys([approval.says, own.says, *verdicts])))
    log = folder.path / LOG
    with interruptible(), DeploymentRecord(folder, manifest) as record:
        progress.say(f"[3/5] server: vllm {engine_version('vllm')} starts at {deployment.access.url}; its log: {log}")
        child = Child(deployment.words, deployment.environment, log)
        try:
            child.wait_until(deployment.is_healthy, options.start_timeout_s, progress.say)
            refuse_changed(deployment.checkpoint)
            refuse_changed(deployment.served)  # Merged weights lie in the cache, long before a server loads them.
            findings = smoke(deployment.route, deployment.access, recorded, progress.say)
            record.tested(findings)
            _judge(findings, progress)
            for line in (f"command: {deployment.typed}", f"record: {folder.path}", f"url: {deployment.access.url}"):
                emit(line)
            emit(f"example: {request(deployment.route, deployment.access)}")
            progress.say("[5/5] " + ("checked: the server is stopped" if leave else "serving until interrupted"))
            if not leave:
                child.watch()
                progress.say("interrupted: the server is stopped")
        finally:
            child.stop()


def _judge(findings: Sequence[SmokeCheck], progress: Progress) -> None:
    """Print the results of the smoke test. Raises EngineFailed where a check failed."""
    progress.say(f"[4/5] smoke test: {sum(f.ok for f in findings)} of {len(findings)} checks passed")
    for finding in findings:
        progress.say(f"  {'ok' if finding.ok else 'FAILED'}  {finding.check}: {finding.says}")
    wrong = [f"{finding.check}: {finding.says}" for finding in findings if not finding.ok]
    if wrong:
        raise EngineFailed(f"the smoke test failed, and the server is stopped: {'; '.join(wrong)}")


def plan_deployment(options: DeployOptions, progress: Progress, emit: Tell) -> None:
    """Print what `serve` would do, and start nothing. Raises GateFailed at the end without a passing verdict."""
    deployment = Deployment(options, progress)
    refused = None
    try:
        approval = deployment.verdict()
        emit(f"verdict: {approval.says}")
        if addition := deployment.foreseen(approval):
            emit(addition)
    except GateFailed as error:
        refused = error
        emit("nothing would be served: no verdict allows it")
    emit(f"route: {deployment.route.says}")
    for note in deployment.notes:
        emit(f"note: {note}")
    emit(f"environment: {', '.join(server.set_here(deployment.given, deployment.environment))}")
    emit(f"command: {deployment.typed}")
    if refused:
        raise refused
