"""A deployment, top to bottom: verdict, route, server, smoke test, service, record. Each step says one line.

What can be refused is refused before a server starts, and however this ends, the server is stopped: all but SIGKILL.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.approval import Approval, Where, approve, reason_of, suites_here, was_evaluated
from harness.checkpoints import resolve
from harness.endings import interruptible
from harness.engines.base import engine_version
from harness.errors import EngineFailed, GateFailed, UserError
from harness.merging import merged_folder, merged_path
from harness.progress import Progress
from harness.provenance import environment as machine
from harness.provenance import git_state
from harness.schema import CANDIDATE, Manifest
from harness.serving import command, example, history, merged
from harness.serving.access import LOOPBACK, arrange
from harness.serving.platforms import EVERYWHERE, find_platform
from harness.serving.probe import probe
from harness.serving.process import Child
from harness.serving.recorded import Recorded, recall
from harness.serving.route import find_route
from harness.serving.smoke import Finding, smoke
from harness.store import RunFolder, now

HEALTH_S = 5.0
PORT = 8000
LOG = "server.log"
Tell = Callable[[str], None]


class Wanted(Struct, frozen=True, kw_only=True):
    """What is to be served, as the user said it."""

    checkpoint: str
    """Hub id, folder, alias or training run."""
    runs: Path
    """Folder of the run folders: verdicts are looked for here, the record goes here."""
    host: str | None = None
    """Address to listen on; None takes this machine's alone, or every one where a platform is named."""
    port: int | None = None
    """Port to listen on; None takes the platform's, or 8000."""
    platform: str | None = None
    """Cloud platform whose routes are answered too: one of PLATFORMS."""
    trust_platform: bool = False
    """The platform authenticates callers, so its predictions need no key."""
    name: str | None = None
    """The model's name for those who ask it; None takes the last part of the checkpoint's."""
    lora: str = "auto"
    """auto, force or merge."""
    tensor_parallel: int = 1
    """Devices that vLLM splits the model over."""
    max_model_len: int | None = None
    """Longest prompt and answer together; None takes the model's own limit."""
    ungated: str | None = None
    """Why it is served without a verdict."""
    suites: tuple[str, ...] = ()
    """Folders of suites that must have passed too, whether the approval policy names them or not."""
    bars: Path | None = None
    """The copy of evalsuites whose approval policy, gates and accepted baselines decide."""
    questions: int = 16
    """Most answers of the approving run to compare with."""
    start_timeout_s: float = 600.0
    """Longest wait until the server is healthy."""


class Deployment:
    """What was asked for, checked and resolved; nothing is started."""

    def __init__(self, wanted: Wanted, progress: Progress) -> None:
        if wanted.ungated is not None:
            reason_of(wanted.ungated)
        self.wanted, self.progress = wanted, progress
        self.where = Where(runs=wanted.runs, bars=wanted.bars, suites=wanted.suites)
        self.given = dict(os.environ)
        """The environment before an engine in this process changes it."""
        platform = find_platform(wanted.platform, wanted.trust_platform, self.given)
        host = wanted.host or (EVERYWHERE if platform else LOOPBACK)
        self.access = arrange(host, wanted.port or (platform.port if platform else PORT), self.given, platform)
        self.checkpoint = resolve(wanted.checkpoint)
        self.route = find_route(self.checkpoint, wanted.name, wanted.lora, wanted.max_model_len, wanted.tensor_parallel)
        self.words = command.command(self.route, self.access)
        self.environment = command.environment(self.given, self.route, self.access)

    @property
    def typed(self) -> str:
        """The command as a shell takes it."""
        return command.as_typed(self.words, self.given, self.environment, self.access)

    @property
    def notes(self) -> list[str]:
        """What a person must know before others may ask the server."""
        return [*command.left_out(self.given), *self.access.warnings]

    def is_healthy(self) -> bool:
        """The server answers."""
        return probe(f"{self.access.url}/health", timeout_s=HEALTH_S)[0] == 200

    def verdict(self) -> Approval:
        """Why exactly this content may be served; GateFailed where nothing says so."""
        return approve(self.checkpoint, self.where, self.wanted.ungated, "serve")

    def foreseen(self, approval: Approval) -> str | None:
        """What would be done for a verdict on merged weights; GateFailed where they are known not to pass."""
        if self.route.way != "merged":
            return None
        if not approval.passed:
            return merged.UNJUDGED
        folder = merged_path(self.checkpoint)
        own = resolve(str(folder)) if folder.is_dir() else None
        if own is None or not was_evaluated(own, self.wanted.runs):
            return "merged weights would be judged by the same gates first"
        return f"merged weights: {approve(own, self.where, None, 'serve', self.checkpoint.base_digest).says}"

    def judged(self, approval: Approval) -> Approval:
        """The verdict on what is served itself: merged weights are made, and judged where no run has done so."""
        if self.route.way != "merged":
            return approval
        folder = merged_folder(self.checkpoint, self.progress.say)
        if not approval.passed:
            self.progress.say(merged.UNJUDGED)
            return approval
        base = self.checkpoint.base_digest
        known = merged.approved_already(resolve(str(folder)), base, self.where)
        if known is None:
            runs = " and ".join(folder.name for folder in approval.runs)
            self.progress.say(f"merged weights are judged as run {runs} judged their adapter")
            known = merged.judge(folder, base, approval, self.where, self.progress, self.wanted.tensor_parallel)
        self.progress.say(f"merged weights: {known.says}")
        return known

    def recorded(self, approval: Approval) -> list[Recorded]:
        """Questions and answers of the runs that approved what is served."""
        if not approval.passed or not self.wanted.questions:
            return []
        each = math.ceil(self.wanted.questions / len(approval.runs))
        found: list[Recorded] = []
        for run, names in approval.runs.items():
            found += recall(run, list(suites_here(names, self.wanted.suites).values()), self.route, each)
        if not found:
            runs = " and ".join(run.name for run in approval.runs)
            raise UserError(
                f"no answer of run {runs} can be compared: its answers were sampled, or its prompts are longer than "
                f"{self.route.max_model_len:,} tokens. Evaluate again, or do without with --questions 0"
            )
        return found[: self.wanted.questions]

    def manifest(self, run_id: str, says: list[str]) -> Manifest:
        """The record as it stands before the server starts; `says` are the verdicts."""
        route = self.route
        content = resolve(str(route.folder)).digest if route.way == "merged" else self.checkpoint.digest
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
                "served": {"name": route.name, "url": self.access.url, "content": content}
                | ({"platform": msgspec.to_builtins(self.access.platform)} if self.access.platform else {}),
                "command": self.words,
                "environment": command.set_here(self.given, self.environment),
            },
            env=machine(),
            notes=says,
        )


def serve(wanted: Wanted, progress: Progress, tell: Tell, leave: bool) -> None:
    """Deploy, and serve until interrupted; with `leave`, end after the smoke test.

    GateFailed without a passing verdict, EngineFailed where the server does not start, fails the smoke test or ends by
    itself, UserError where something was asked for wrongly.
    """
    it = Deployment(wanted, progress)
    approval = it.verdict()
    progress.say(f"[1/5] verdict: {approval.says}")
    progress.say(f"[2/5] route: {it.route.says}")
    own = it.judged(approval)
    recorded = it.recorded(own)
    for note in it.notes:
        progress.say(f"note: {note}")
    folder = RunFolder.create(wanted.runs, f"serve-{it.route.name}")
    verdicts = [one.says for found in (approval, own) for one in found.passed]
    manifest = it.manifest(folder.path.name, list(dict.fromkeys([approval.says, own.says, *verdicts])))
    log = folder.path / LOG
    with interruptible(), history.kept(folder, manifest) as kept:
        progress.say(f"[3/5] server: vllm {engine_version('vllm')} starts at {it.access.url}; its log: {log}")
        child = Child(it.words, it.environment, log)
        try:
            child.wait_until(it.is_healthy, wanted.start_timeout_s, progress.say)
            findings = smoke(it.route, it.access, recorded, progress.say)
            kept.tested(findings)
            _judge(findings, progress)
            for line in (f"command: {it.typed}", f"record: {folder.path}", f"url: {it.access.url}"):
                tell(line)
            tell(f"example: {example.request(it.route, it.access)}")
            progress.say("[5/5] " + ("checked: the server is stopped" if leave else "serving until interrupted"))
            if not leave:
                child.watch()
                progress.say("interrupted: the server is stopped")
        finally:
            child.stop()


def _judge(findings: Sequence[Finding], progress: Progress) -> None:
    """Say what was found; EngineFailed where a check failed."""
    progress.say(f"[4/5] smoke test: {sum(f.ok for f in findings)} of {len(findings)} checks passed")
    for finding in findings:
        progress.say(f"  {'ok' if finding.ok else 'FAILED'}  {finding.check}: {finding.says}")
    wrong = [f"{finding.check}: {finding.says}" for finding in findings if not finding.ok]
    if wrong:
        raise EngineFailed(f"the smoke test failed, and the server is stopped: {'; '.join(wrong)}")


def foresee(wanted: Wanted, progress: Progress, tell: Tell) -> None:
    """Say what `serve` would do, and start nothing; GateFailed, after all is said, where no verdict passes."""
    it = Deployment(wanted, progress)
    refused = None
    try:
        approval = it.verdict()
        tell(f"verdict: {approval.says}")
        if more := it.foreseen(approval):
            tell(more)
    except GateFailed as error:
        refused = error
        tell("nothing would be served: no verdict allows it")
    tell(f"route: {it.route.says}")
    for note in it.notes:
        tell(f"note: {note}")
    tell(f"environment: {', '.join(command.set_here(it.given, it.environment))}")
    tell(f"command: {it.typed}")
    if refused:
        raise refused
