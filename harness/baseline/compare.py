"""Compare the suites of a run with their accepted baselines, and list what changed since.

New runs and finished runs that are judged again both use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field, structs

from harness.baseline.drift import decides_baseline, describe_differences, gate_changes, gates_moved
from harness.baseline.format import BASELINE_FILE, Accepted, load_accepted, records, short
from harness.files import digest
from harness.runs.folder import RunData
from harness.schema import ACCEPTED, BASELINE, AcceptedInfo, Checkpoint, GateFile, Record
from harness.suites.suite import Suite

PAIRED = "Answers are paired by case ID and input"
PromptHashes = Mapping[str, Mapping[str, str]]
"""Suite to case id to the hash of the token ids that the tuned model received."""
OTHER_SCORERS = "the scorers changed since the run, and an accepted baseline has no answers to score again"


class BaselineComparison(Struct, frozen=True, kw_only=True):
    """What the suites of one run are compared with."""

    infos: dict[str, AcceptedInfo] = field(default_factory=dict)
    """By suite; empty without `--baseline accepted`."""
    records: dict[str, list[Record]] = field(default_factory=dict)
    """Records of the baseline by suite; empty where it cannot be compared."""
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    """The baseline as recorded in the manifest."""
    moved: list[str] = field(default_factory=list)
    """Sentences on everything that changed."""
    notes: list[str] = field(default_factory=list)
    """What the suites were compared with."""


def baseline_path(suite: Suite, bars: Path | None) -> Path:
    """Return the path of the suite's baseline.json; that of its copy below `bars` where the copy decides on it."""
    twin = bars / suite.place if bars else suite.folder
    return (twin if decides_baseline(twin) else suite.folder) / BASELINE_FILE


def compare_with_baselines(
    suites: Sequence[Suite],
    gates: Mapping[str, GateFile],
    baseline: str | None,
    bars: Path | None,
    prompts: PromptHashes,
    tokenizer: str,
) -> BaselineComparison:
    """Read the accepted baselines where `baseline` asks for them, and compare them with the suites.

    `prompts` and `tokenizer`, a digest, are the tuned model's. Raises UserError for a baseline.json or gates.toml that
    cannot be used.
    """
    is_accepted = baseline == ACCEPTED
    moved = [text for suite in suites if bars for text in gate_changes(suite, bars, is_accepted)]
    infos: dict[str, AcceptedInfo] = {}
    baseline_records: dict[str, list[Record]] = {}
    models: list[tuple[str, Accepted]] = []
    notes: list[str] = []
    for suite in suites if is_accepted else ():
        accepted = load_accepted(baseline_path(suite, bars), suite.place)
        own = prompts.get(suite.name, {})
        n_changed = _other_prompts(accepted, own) if accepted else 0
        infos[suite.name] = info = _info(accepted, suite, n_changed, tokenizer)
        if accepted is not None:
            since = f"{suite.name}, since the accepted baseline of {info.accepted_at[:10]}"
            moved += [f"{since}: {text}" for text in info.unlike]
            moved += [f"{since}, gates.toml: {t}" for t in gates_moved(accepted.gates, gates[suite.name].gate)]
            if info.own_prompts and not info.unlike:
                notes.append(
                    f"{suite.name}: the accepted baseline has another tokenizer or chat template: the token IDs differ "
                    f"for {n_changed} of {len(own)} cases. {PAIRED}"
                )
            if accepted.although:
                notes.append(f"{suite.name}: the baseline was accepted by --override-reason: {accepted.although}")
            models.append((info.says, accepted))
            baseline_records[suite.name] = [] if info.unlike else records(accepted, suite.cases, own)
    return BaselineComparison(
        infos=infos,
        records=baseline_records,
        checkpoints={BASELINE: _checkpoint(models)} if models else {},
        moved=list(dict.fromkeys(moved)),
        notes=[*_notes(infos), *notes],
    )


def _info(accepted: Accepted | None, suite: Suite, n_changed: int, tokenizer: str) -> AcceptedInfo:
    """Describe a baseline. `n_changed` counts prompts with other token ids, which another tokenizer explains."""
    if accepted is None:
        return AcceptedInfo()
    changes = describe_differences(accepted, suite)
    own = bool(n_changed and tokenizer and accepted.model.tokenizer_digest not in ("", tokenizer))
    if n_changed and not changes and not own:
        changes = [f"{n_changed} prompts have other token ids (the tokenizer or chat template changed)"]
        if bool(tokenizer) != bool(accepted.model.tokenizer_digest):
            whose = "accepted" if tokenizer else "tuned"
            changes = [f"the {whose} model's answers came from a log or a script, so its prompts are not known"]
    return AcceptedInfo(
        digest=accepted.digest,
        model=accepted.model.name,
        accepted_at=accepted.accepted_at,
        run_id=accepted.run_id,
        unlike=changes,
        own_prompts=own,
    )


def _other_prompts(accepted: Accepted, prompts: Mapping[str, str]) -> int:
    """Count prompts whose token ids differ from those that the accepted model received."""
    known_cases = {name: accepted.cases[name] for name in prompts if name in accepted.cases}
    return sum(bool(case.answers) and short(prompts[name]) != case.prompt_hash for name, case in known_cases.items())


def _checkpoint(models: Sequence[tuple[str, Accepted]]) -> Checkpoint:
    """Return one checkpoint for all suites: the accepted model, or all of them by name where they differ."""
    names = list(dict.fromkeys(says for says, _ in models))
    seen = {accepted.model.digest: accepted.model for _, accepted in models}
    if len(seen) > 1:
        return Checkpoint(name="; ".join(names), kind="accepted", path="", digest=digest(sorted(seen)))
    (model,) = seen.values()
    return Checkpoint(
        name="; ".join(names),
        kind="accepted",
        path="",
        digest=model.digest,
        base_digest=model.base_digest,
        adapter_digest=model.adapter_digest,
        tokenizer_digest=model.tokenizer_digest,
    )


def _notes(infos: Mapping[str, AcceptedInfo]) -> list[str]:
    compared = [f"{name}: compared with the {i.says}" for name, i in infos.items() if i.digest and not i.unlike]
    lacking = [name for name, info in infos.items() if not info.digest]
    if lacking:
        compared.append(
            f"{', '.join(lacking)}: no baseline was accepted, so gates that compare with one were not judged. To judge "
            "them, accept a finished run with `tunegate baseline accept RUN --reason TEXT` and run again, or name the "
            "model to compare with in place of 'accepted'"
        )
    return compared


def how_to_accept(suite: Suite) -> str:
    """Return the command that writes a suite's baseline.json."""
    return f"tunegate baseline accept RUN --suite {'/'.join(suite.folder.parts[-3:])} --reason TEXT"


def with_baseline(run: RunData, comparison: BaselineComparison) -> RunData:
    """Return the run with the baseline of `comparison` in place of its own, for the suites in it.

    Where there are none, the run keeps its baseline and the changes since.
    """
    pairs = [(record, suite) for suite, baseline_records in comparison.records.items() for record in baseline_records]
    pairs += [
        (record, suite)
        for record, suite in zip(run.records, run.suite_of, strict=True)
        if record.variant != BASELINE or suite not in comparison.infos
    ]
    infos = [
        structs.replace(info, accepted=comparison.infos.get(info.name, info.accepted)) for info in run.manifest.suites
    ]
    moved = comparison.moved if comparison.infos else list(dict.fromkeys([*comparison.moved, *run.manifest.moved]))
    manifest = structs.replace(
        run.manifest,
        suites=infos,
        checkpoints=run.manifest.checkpoints | comparison.checkpoints,
        moved=moved,
        notes=list(dict.fromkeys([*run.manifest.notes, *comparison.notes])),
    )
    return structs.replace(run, records=[r for r, _ in pairs], suite_of=[s for _, s in pairs], manifest=manifest)


def without_stale(run: RunData, scorers: Mapping[str, str]) -> RunData:
    """Return the run without accepted scores of other scorers than in `scorers` (suite to hash)."""
    stale = {
        info.name: structs.replace(info.accepted, unlike=[*info.accepted.unlike, OTHER_SCORERS])
        for info in run.manifest.suites
        if info.accepted and info.accepted.digest and scorers.get(info.name, info.scorers_hash) != info.scorers_hash
    }
    return with_baseline(run, BaselineComparison(infos=stale, moved=run.manifest.moved)) if stale else run


def prompt_hashes(pairs: Iterable[tuple[str, Record]]) -> PromptHashes:
    """Map suite and case id to the prompt hash, from records with their suite's name."""
    by_suite: dict[str, dict[str, str]] = {}
    for suite, record in pairs:
        by_suite.setdefault(suite, {})[record.case.id] = record.prompt_hash
    return by_suite
