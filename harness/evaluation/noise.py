"""Run one checkpoint twice, with another batch size the second time, to measure run-to-run variation (an A/A test).

Greedy answers change with the batch because sums are rounded in another order; sampled ones also get other seeds. The
cache is never used. The run is stored like any other, without a verdict, because there is nothing to judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct, structs

from harness.checkpoints.resolve import refuse_changed
from harness.evaluation.families import renderers
from harness.evaluation.generate import answer
from harness.evaluation.noise_file import engine_facts, noise_path, read_floors, save_noise
from harness.evaluation.plan import Job, make_plan, variants
from harness.evaluation.requests import PlannedRequest, RequestQueue
from harness.evaluation.run import estimate_and_judge, suite_info
from harness.formatting import first_few, number, points
from harness.gates.config import gate_ids, load_suite_gates
from harness.gates.judge import within_noise
from harness.progress.progress import Progress
from harness.runs.folder import RunData, RunFolder, load_run, now
from harness.runs.provenance import environment, git_state
from harness.schema import BASELINE, CANDIDATE, Checkpoint, GateFile, Manifest, Noise, Record
from harness.suites.suite import Suite
from harness.threads import before_torch

WORK = ("generated", "prompt_tokens", "output_tokens", "wall_s")
"""Counters of an engine's record."""
MOST_NAMED = 10
"""Changed cases named in a line; the report names more, and all are counted."""


class SuiteNoise(Struct, frozen=True, kw_only=True):
    """The noise of one suite."""

    suite: Suite
    """The suite."""
    noise: Noise
    """The entry of its noise.json."""
    lines: list[str]
    """Description in lines."""

    @property
    def is_measured(self) -> bool:
        """Whether at least one metric has a noise floor."""
        return any(floor.floor is not None for floor in self.noise.floors)


def measure(job: Job, folder: RunFolder, progress: Progress, batch: int) -> list[SuiteNoise]:
    """Run `job.candidate` twice, write and seal the run; `batch` is the batch size of the second pass.

    Raises UserError for an unreadable noise.json, before anything is generated.
    """
    try:
        return _measure(job, folder, progress, batch)
    except BaseException:
        with suppress(OSError):
            folder.path.rmdir()  # Only an empty folder: nothing can be read in it.
        raise


def _measure(job: Job, folder: RunFolder, progress: Progress, batch: int) -> list[SuiteNoise]:
    before_torch()
    suites = [part.suite for part in job.suites]
    gates = {suite.name: load_suite_gates(suite, job.bars) for suite in suites}
    read_floors(suites, job.bars)
    checkpoint = variants(structs.replace(job, baseline=None))[CANDIDATE]
    both = {BASELINE: checkpoint, CANDIDATE: checkpoint}
    plan = make_plan(job, renderers(job.engine, both))
    seeds = ", other seeds" if any(suite.temperature for suite in suites) else ""
    passes = ["the engine's own batch", f"batch {batch}{seeds}"]
    manifest = Manifest(
        run_id=folder.path.name,
        kind="eval",
        status="running",
        started=now(),
        git=git_state(Path.cwd()),
        checkpoints=both,
        suites=[suite_info(part, gates[part.suite.name], job, plan, None) for part in job.suites],
        sampling={"seed": job.seed},
        env=environment(),
        notes=[f"{checkpoint.name} was asked twice ({'; '.join(passes)}): what differs is noise. No gate was judged."],
    )
    folder.write_manifest(manifest)
    with folder.recording_failure(manifest):
        engine = _ask(job, checkpoint, plan.asks, folder, progress, batch)
        refuse_changed(checkpoint)
    finished = structs.replace(manifest, status="finished", ended=now(), engine=engine | {"passes": passes})
    results = structs.replace(load_run(folder.path), manifest=finished)
    without_gates = {name: structs.replace(file, gate=[]) for name, file in gates.items()}
    metrics, verdicts = estimate_and_judge(suites, without_gates, finished, results.answers())
    folder.write_metrics(metrics)
    folder.write_verdicts(verdicts)
    folder.write_manifest(finished)
    folder.seal()
    return [_measured(suite, gates[suite.name], results, passes) for suite in suites]


def _ask(
    job: Job, checkpoint: Checkpoint, asks: RequestQueue, folder: RunFolder, progress: Progress, batch: int
) -> dict[str, object]:
    """Run both passes, each in its own engine; return the first engine's record, with the work of both."""
    uncached = structs.replace(job, engine=structs.replace(job.engine, use_cache=False))
    batched = structs.replace(uncached, engine=structs.replace(uncached.engine, batch=batch))
    first = list(asks.of(BASELINE))
    second = [_reseeded(ask, job) for ask in asks.of(CANDIDATE)]
    engine = answer(uncached, {BASELINE: checkpoint}, first, folder, progress)
    other = answer(batched, {CANDIDATE: checkpoint}, second, folder, progress)
    truncated = engine["truncated"] | other["truncated"]
    return engine | {work: engine[work] + other[work] for work in WORK} | {"truncated": truncated}


def _reseeded(ask: PlannedRequest, job: Job) -> PlannedRequest:
    """Return the question with a seed that no repeat of the first pass has; greedy answers use none."""
    sampling = ask.sampling
    if sampling.temperature == 0:
        return ask
    seed = sampling.seed + job.samples(job.suites[ask.suite].suite)
    return structs.replace(ask, sampling=structs.replace(sampling, seed=seed))


def _measured(suite: Suite, gates: GateFile, run_data: RunData, passes: Sequence[str]) -> SuiteNoise:
    """Compute the floors of a suite: of every metric over the whole suite and every slice that a gate may name."""
    from harness.stats.noise import floors

    manifest = run_data.manifest
    info = next(info for info in manifest.suites if info.name == suite.name)
    records, checkpoint = run_data.by_variant(suite.name), manifest.checkpoints[CANDIDATE]
    noise = Noise(
        run_id=manifest.run_id,
        measured_at=now(),
        checkpoint=checkpoint.name,
        passes=list(passes),
        tokenizer_digest=checkpoint.tokenizer_digest,
        cases_hash=info.cases_hash,
        prompt_hash=info.prompt_hash,
        scorers_hash=info.scorers_hash,
        samples=info.samples,
        floors=floors(records, suite.metrics, suite.slices),
        **engine_facts(manifest),
    )
    return SuiteNoise(suite=suite, noise=noise, lines=_lines(suite, gates, records, noise))


def _lines(suite: Suite, gates: GateFile, records: Mapping[str, Sequence[Record]], noise: Noise) -> list[str]:
    from harness.stats.noise import flips, repeat_flips

    first = {(r.case.id, r.repeat): r.completion.answer for r in records[BASELINE]}
    differing = sum(first[r.case.id, r.repeat] != r.completion.answer for r in records[CANDIDATE])
    lines = [f"{suite.name}: {differing:,} of {len(first):,} answers differ ({'; '.join(noise.passes)})"]
    for metric in suite.metrics:
        entry = noise.of(metric.name, None, None)
        if entry is None or entry.level is None or entry.floor is None:
            continue
        is_share = metric.is_percentage([entry.level])
        floor, low, high = (points(x or 0.0, is_share) for x in (entry.floor, entry.low, entry.high))
        lines.append(
            f"  {metric.name} {number(entry.level, is_share)}: noise floor {floor.lstrip('+')} ({low} to {high}); "
            f"{_flipped(flips(records, metric), entry.cases, 'between the passes')}"
        )
        if noise.samples > 1:
            for variant, which in ((BASELINE, "first"), (CANDIDATE, "second")):
                ids = repeat_flips(records[variant], metric)
                lines.append(f"    {_flipped(ids, entry.cases, f'between repeats of the {which} pass')}")
    metrics = {metric.name: metric for metric in suite.metrics}
    for gate_id in gate_ids(gates, suite.slice_values(), suite.name):
        why = within_noise(gate_id, noise, metrics[gate_id.gate.metric])
        lines += [f"  {gate_id.id} will not be judged: {why}"] if why else []
    return lines


def _flipped(ids: Sequence[str], cases: int, where: str) -> str:
    if not ids:
        return f"no case flips {where}"
    return f"{len(ids):,} of {cases:,} cases flip {where}: {first_few(ids, MOST_NAMED)}"


def save(noises: Sequence[SuiteNoise]) -> list[Path]:
    """Write the noise.json of every suite with a measured floor."""
    paths = []
    for one in noises:
        if not one.is_measured:
            continue
        path = noise_path(one.suite, None)
        save_noise(path, one.noise)
        paths.append(path)
    return paths
