"""Make a run: plan, generate, score, record, estimate, judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from filelock import FileLock
from msgspec import Struct

from harness.baseline.compare import compare_with_baselines, how_to_accept
from harness.checkpoints.resolve import refuse_changed
from harness.evaluation import earlier_runs, families, seen_cases
from harness.evaluation.generate import ANSWERS, answer, floor_records
from harness.evaluation.noise_file import read_floors, with_floors
from harness.evaluation.plan import Job, RunPlan, SuiteJob, make_plan, variants
from harness.files import digest, text_sha256
from harness.formatting import count, first_few
from harness.gates.config import gate_ids, gates_path, load_suite_gates, unjudged_cases
from harness.gates.judge import NO_BASELINE, judge
from harness.progress import tracing
from harness.progress.progress import Progress
from harness.runs.folder import Results, RunData, RunFolder, load_run, now, stream
from harness.runs.history import judged_suites
from harness.runs.provenance import environment, git_state
from harness.schema import (
    ACCEPTED,
    BASELINE,
    CANDIDATE,
    FLOOR,
    NO_MERGE,
    AcceptedInfo,
    Checkpoint,
    GateFile,
    Manifest,
    Metrics,
    Noise,
    Record,
    SuiteInfo,
    Verdict,
    combine_outcomes,
)
from harness.suites.prompts import Rendering
from harness.suites.suite import Suite
from harness.threads import before_torch

PLAN, GATES, WRITING = "plan", "gates", "writing"
"""Stages of a run, besides generation."""
PINS = {
    "name": f"A server answered as '{{name}}', and its weights are not known by content: {{why}}. {NO_MERGE}",
    "trusted canary": "A server answered as '{name}' and is trusted to have the weights that were named "
    "(--trust-server): {why}. The run approves a merge only where the approval policy allows it (trust_server = true).",
    "server process": "A server on this machine answered as '{name}'. Its weights are known by content: its process "
    "loaded them from files that have not changed since.",
    "imported": "The answers of '{name}' were {why}, not generated here: the prompts, decoding and weights behind them "
    f"are not known. {NO_MERGE}",
}
"""Notes on a model that was not loaded here, by how its weights are pinned, or on imported answers."""


def run_once(job: Job, root: Path, run_path: Path | None, progress: Progress) -> RunData:
    """Make the run at `run_path`, or read it where another process has made it; None makes a new folder."""
    if run_path is None:
        return load_run(run(job, RunFolder.create(root, "eval"), progress).path)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(str(run_path) + ".lock"):
        if not (run_path / "MANIFEST.sha256").exists():
            run(job, RunFolder.restart(run_path), progress)
    return load_run(run_path)


def run(job: Job, folder: RunFolder, progress: Progress, parent_run_id: str | None = None) -> Results:
    """Generate, score, estimate and judge; write and seal the run folder.

    An interruption leaves completions in the cache and the folder unsealed; the next run generates only the rest.
    """
    before_torch()
    names, cases = [part.suite.name for part in job.suites], sum(len(part.cases) for part in job.suites)
    with (
        tracing.span("run", run_id=folder.path.name, suites=names, cases=cases) as note,
        progress.work(PLAN, ANSWERS, GATES, WRITING),
    ):
        with progress.stage(PLAN):
            try:
                ready = _ready(job, folder, parent_run_id)
            except BaseException:
                with suppress(OSError):
                    folder.path.rmdir()  # Only an empty folder: nothing can be read in it.
                raise
        note(models=[checkpoint.name for checkpoint in ready.checkpoints.values()])
        for line in [*(f"the gates changed: {text}" for text in ready.manifest.moved), *ready.manifest.notes]:
            progress.say(line)
        with folder.recording_failure(ready.manifest):
            answered = _answered(job, ready, folder, progress)
            with progress.stage(GATES):
                suites = [part.suite for part in job.suites]
                metrics, verdicts = estimate_and_judge(suites, ready.gates, answered, stream(folder.path))
        with progress.stage(WRITING):
            folder.write_metrics(metrics)
            folder.write_verdicts(verdicts)
            known = list(judged_suites(folder.path.parent))
            notes = [*answered.notes, *earlier_runs.looks(answered, verdicts, known)]
            moved = [*answered.moved, *_eased(job, answered, verdicts, known)]
            finished = msgspec.structs.replace(answered, status="finished", ended=now(), notes=notes, moved=moved)
            folder.write_manifest(finished)
            folder.seal()
        note(outcome=combine_outcomes({verdict.outcome for verdict in verdicts}))
    return Results(path=folder.path, manifest=finished, metrics=metrics, verdicts=verdicts)


class _Ready(Struct, frozen=True, kw_only=True):
    """A run that is ready to generate."""

    gates: dict[str, GateFile]
    """By suite."""
    checkpoints: dict[str, Checkpoint]
    """Checkpoints that are run, by variant."""
    plan: RunPlan
    """Their requests."""
    floors: dict[str, list[Noise]]
    """Noise measured before, by suite."""
    manifest: Manifest
    """The run's record at its start."""


def _ready(job: Job, folder: RunFolder, parent_run_id: str | None) -> _Ready:
    """Plan the run and open its folder, with the records of an accepted baseline."""
    suites = [part.suite for part in job.suites]
    gates = {suite.name: load_suite_gates(suite, job.bars) for suite in suites}
    for part in suites:
        gate_ids(gates[part.name], part.slice_values(), part.name)  # what is wrong is said before a model is loaded
    checkpoints = variants(job)
    rendering = families.renderers(job.engine, checkpoints)
    plan = make_plan(job, rendering)
    floors = read_floors(suites, job.bars)
    prompts = plan.prompt_hashes(job) if job.baseline == ACCEPTED else {}
    tokenizer = checkpoints[CANDIDATE].tokenizer_digest
    compared = compare_with_baselines(suites, gates, job.baseline, job.bars, prompts, tokenizer)
    manifest = Manifest(
        run_id=folder.path.name,
        kind="eval",
        status="running",
        started=now(),
        git=git_state(Path.cwd()),
        checkpoints=compared.checkpoints | checkpoints | _floor(job),
        suites=[suite_info(p, gates[p.suite.name], job, plan, compared.infos.get(p.suite.name)) for p in job.suites],
        sampling={} if job.imported else {"seed": job.seed},
        env=environment(),
        parent_run_id=parent_run_id,
        notes=[
            *_pins(checkpoints),
            *(note for suite in suites for note in unjudged_cases(gates[suite.name], suite)),
            *_notes(job, plan, rendering),
            *families.notes(checkpoints, plan, rendering),
            *seen_cases.notes(checkpoints[CANDIDATE], {suite.name: len(suite.cases) for suite in suites}),
            *compared.notes,
        ],
        moved=compared.moved,
    )
    folder.write_manifest(manifest)
    for suite, baseline_records in compared.records.items():
        folder.append_records(suite, baseline_records)
    return _Ready(gates=gates, checkpoints=checkpoints, plan=plan, floors=floors, manifest=manifest)


def _answered(job: Job, ready: _Ready, folder: RunFolder, progress: Progress) -> Manifest:
    """Generate all completions into the folder; return the manifest with the engine's record and the last notes."""
    engine = answer(job, ready.checkpoints, ready.plan.asks, folder, progress)
    for checkpoint in ready.checkpoints.values():
        refuse_changed(checkpoint)
    floor_records(job, ready.plan, folder)
    return with_floors(msgspec.structs.replace(ready.manifest, engine=engine), ready.floors)


def _floor(job: Job) -> dict[str, Checkpoint]:
    floors = [p.suite.floor for p in job.suites if p.suite.floor]
    names = sorted(f"{f.__module__}.{f.__qualname__}" for f in floors)
    return {FLOOR: Checkpoint(name="keyword floor", kind="scripted", path="", digest=digest(names))} if floors else {}


def _pins(checkpoints: Mapping[str, Checkpoint]) -> list[str]:
    served = (checkpoint for checkpoint in checkpoints.values() if checkpoint.kind in ("endpoint", "imported"))
    return list(
        dict.fromkeys(PINS.get(c.kind, PINS[c.pin]).format(name=c.name, why=c.unpinned_because) for c in served)
    )


def _notes(job: Job, plan: RunPlan, rendering: Mapping[str, Rendering]) -> list[str]:
    notes = []
    for part in job.suites:
        notes += part.suite.warnings()
        if part.suite.has_other_cases:
            notes.append(f"{part.suite.name}: these are not the suite's own cases. {NO_MERGE}")
        if not job.imported and (asked := job.samples(part.suite)) != part.suite.samples:
            other = f"{count(asked, 'answer')} per case, where the suite asks for {part.suite.samples}"
            notes.append(f"{part.suite.name}: {other}. {NO_MERGE}")
        if not part.complete:
            run_share = f"{len(part.cases)} of {len(part.suite.cases)} cases"
            notes.append(
                f"{part.suite.name}: {run_share} {_lacking(part) if job.imported else 'were asked'}; gates skip"
            )
        if out := plan.left_out[CANDIDATE].get(part.suite.name):
            room = f"{rendering[CANDIDATE].max_positions} tokens"
            notes.append(f"{part.suite.name}: {_share(out, part)} are longer than {room}; left out")
        apart = BASELINE in rendering and rendering[BASELINE] is not rendering[CANDIDATE]
        if apart and (out := plan.left_out[BASELINE].get(part.suite.name)):
            room = f"the baseline's {rendering[BASELINE].max_positions} tokens"
            notes.append(
                f"{part.suite.name}: {_share(out, part)} are longer than {room}; it does not answer them, so gates "
                "that compare skip"
            )
    return notes


def _eased(
    job: Job, manifest: Manifest, verdicts: Sequence[Verdict], known: Sequence[earlier_runs.Judged]
) -> Iterator[str]:
    """Say what became easier than in earlier runs; not of gates where those of an accepted baseline are compared."""
    tuned = manifest.checkpoints[CANDIDATE].digest
    for part, info in zip(job.suites, manifest.suites, strict=True):
        if part.complete:
            is_said = info.accepted is not None and info.accepted.digest
            judged = [] if is_said else [verdict for verdict in verdicts if verdict.suite == info.name]
            yield from earlier_runs.eased(part.suite, info.gates_hash, judged, known, tuned)


def _lacking(part: SuiteJob) -> str:
    answered = {case.id for case in part.cases}
    lacking = [case.id for case in part.suite.cases if case.id not in answered]
    return f"are answered in every log, not {first_few(lacking, 3)}"


def _share(some: Sequence[str], part: SuiteJob) -> str:
    return f"{len(some)} of {len(part.cases)} cases ({len(some) / len(part.cases):.1%})"


def suite_info(part: SuiteJob, gates: GateFile, job: Job, plan: RunPlan, accepted: AcceptedInfo | None) -> SuiteInfo:
    """Return the manifest's record of a suite."""
    suite = part.suite
    hashes = {
        "cases_hash": suite.cases_hash,
        "prompt_hash": suite.prompt_hash,
        "gates_hash": text_sha256(gates_path(suite, job.bars)),
        "scorers_hash": suite.scorers_hash,
    }
    return SuiteInfo(
        name=suite.name,
        title=suite.title,
        shape=suite.shape,
        objective=gates.objective.text,
        cluster=suite.cluster,
        cases=len(suite.cases),
        asked=len(part.cases),
        hash=digest(hashes),
        prompt="" if job.imported else suite.prompt,
        scorers=suite.scorer_versions,
        metrics=suite.metrics,
        primary=suite.primary,
        general=suite.general,
        slices=suite.slices,
        licence=suite.licence,
        samples=job.samples(suite),
        temperature=suite.temperature,
        left_out=plan.left_out[CANDIDATE].get(suite.name, []),
        accepted=accepted,
        noise=None,
        **hashes,
    )


def estimate_and_judge(
    suites: Iterable[Suite], gates: Mapping[str, GateFile], manifest: Manifest, records: Iterable[tuple[str, Record]]
) -> tuple[Metrics, list[Verdict]]:
    """Compute estimates and verdicts of these suites from the run's records (each with its suite) alone."""
    from harness.stats.observations import readings
    from harness.stats.summary import summarise

    metrics = Metrics()
    verdicts: list[Verdict] = []
    infos = {info.name: info for info in manifest.suites}
    read = readings(records)
    for suite in suites:
        info = infos[suite.name]
        ids, accepted = set(info.left_out), info.accepted
        left_out = [case for case in suite.cases if case.id in ids] if ids else []
        answers = read.pop(suite.name, {})
        summary = summarise(answers, suite.metrics, suite.slices, suite.name)
        metrics.metrics.extend(summary.metrics)
        metrics.comparisons.extend(summary.comparisons)
        verdicts += judge(
            suite.name,
            gates[suite.name],
            suite.metrics,
            answers,
            expected_cases=len(suite.cases) - len(left_out),
            slices=suite.slice_values(),
            comparable="; ".join(accepted.unlike) if accepted else None,
            no_baseline=f"no accepted baseline: make one with `{how_to_accept(suite)}`" if accepted else NO_BASELINE,
            noise=info.noise,
            cluster=suite.cluster,
            left_out=left_out,
        )
    return metrics, verdicts
