"""A deployment, top to bottom: verdict, route, server, smoke test, service, record. Each step says one line.

What can be refused is refused before a server starts, and however this ends, the server is stopped: all but SIGKILL.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from harness.approval.approve import Approval, Where, approve, reason_of, suites_here, was_evaluated
from harness.checkpoints.merge import merged_folder, merged_path
from harness.checkpoints.resolve import resolve
from harness.engines.base import engine_version
from harness.errors import EngineFailed, GateFailed, UserError
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder, now
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
    """The record of one deployment, which grows while it lasts."""

    def __init__(self, folder: RunFolder, manifest: Manifest) -> None:
        self.folder = folder
        self._manifest = manifest
        folder.write_manifest(manifest)

    def tested(self, findings: Sequence[SmokeCheck]) -> None:
        """Keep what the smoke test found, and when."""
        smoke: dict[str, Any] = {"at": now(), "findings": msgspec.to_builtins(list(findings))}
        self._write(engine=self._manifest.engine | {"smoke": smoke})

    def end(self, status: Literal["finished", "failed", "interrupted"], why: str = "") -> None:
        """Write how it ended, and seal the folder."""
        self._write(status=status, ended=now(), notes=[*self._manifest.notes, *([why] if why else [])])
        self.folder.seal()

    def _write(self, **changes: Any) -> None:
        self._manifest = structs.replace(self._manifest, **changes)
        self.folder.write_manifest(self._manifest)


@contextmanager
def deployment_record(folder: RunFolder, manifest: Manifest) -> Iterator[DeploymentRecord]:
    """Keep a record while the block lasts, and how the block ended."""
    history = DeploymentRecord(folder, manifest)
    try:
        yield history
    except KeyboardInterrupt:
        history.end("interrupted")
        raise
    except BaseException as error:
        history.end("failed", str(error))
        raise
    history.end("finished")


def request(route: Route, access: Access) -> str:
    """A chat, greedy as the suites ask: servers sample by default."""
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

    def __init__(self, wanted: DeployOptions, progress: Progress) -> None:
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
        self.words = server.command(self.route, self.access)
        self.environment = server.environment(self.given, self.route, self.access)

    @property
    def typed(self) -> str:
        """The command as a shell takes it."""
        return server.as_typed(self.words, self.given, self.environment, self.access)

    @property
    def notes(self) -> list[str]:
        """What a person must know before others may ask the server."""
        return [*server.left_out(self.given), *self.access.warnings]

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
            return judge_merged.UNJUDGED
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
            self.progress.say(judge_merged.UNJUDGED)
            return approval
        base = self.checkpoint.base_digest
        known = judge_merged.approved_already(resolve(str(folder)), base, self.where)
        if known is None:
            runs = " and ".join(folder.name for folder in approval.runs)
            self.progress.say(f"merged weights are judged as run {runs} judged their adapter")
            known = judge_merged.judge(folder, base, approval, self.where, self.progress, self.wanted.tensor_parallel)
        self.progress.say(f"merged weights: {known.says}")
        return known

    def recorded(self, approval: Approval) -> list[Recorded]:
        """Questions and answers of the runs that approved what is served."""
        if not approval.passed or not self.wanted.questions:
            return []
        each = math.ceil(self.wanted.questions / len(approval.runs))
        found: list[Recorded] = []
        for run, names in approval.runs.items():
            found += load_recorded(run, list(suites_here(names, self.wanted.suites).values()), self.route, each)
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
                "environment": server.set_here(self.given, self.environment),
            },
            env=machine(),
            notes=says,
        )


def serve(wanted: DeployOptions, progress: Progress, tell: Tell, leave: bool) -> None:
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
    with interruptible(), deployment_record(folder, manifest) as kept:
        progress.say(f"[3/5] server: vllm {engine_version('vllm')} starts at {it.access.url}; its log: {log}")
        child = Child(it.words, it.environment, log)
        try:
            child.wait_until(it.is_healthy, wanted.start_timeout_s, progress.say)
            findings = smoke(it.route, it.access, recorded, progress.say)
            kept.tested(findings)
            _judge(findings, progress)
            for line in (f"command: {it.typed}", f"record: {folder.path}", f"url: {it.access.url}"):
                tell(line)
            tell(f"example: {request(it.route, it.access)}")
            progress.say("[5/5] " + ("checked: the server is stopped" if leave else "serving until interrupted"))
            if not leave:
                child.watch()
                progress.say("interrupted: the server is stopped")
        finally:
            child.stop()


def _judge(findings: Sequence[SmokeCheck], progress: Progress) -> None:
    """Say what was found; EngineFailed where a check failed."""
    progress.say(f"[4/5] smoke test: {sum(f.ok for f in findings)} of {len(findings)} checks passed")
    for finding in findings:
        progress.say(f"  {'ok' if finding.ok else 'FAILED'}  {finding.check}: {finding.says}")
    wrong = [f"{finding.check}: {finding.says}" for finding in findings if not finding.ok]
    if wrong:
        raise EngineFailed(f"the smoke test failed, and the server is stopped: {'; '.join(wrong)}")


def plan_deployment(wanted: DeployOptions, progress: Progress, tell: Tell) -> None:
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
    tell(f"environment: {', '.join(server.set_here(it.given, it.environment))}")
    tell(f"command: {it.typed}")
    if refused:
        raise refused
