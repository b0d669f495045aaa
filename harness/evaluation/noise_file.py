"""Read and write noise.json: the run-to-run variation of a suite's metrics.

The file is committed next to gates.toml. An entry applies to the engine, the family of models, the cases, the prompt
and the scorers that it was measured with; any other run ignores it, with a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field, structs

from harness.files import write_atomic
from harness.gates.config import gates_path
from harness.runs.folder import decode
from harness.schema import CANDIDATE, Manifest, Noise, SuiteInfo
from harness.suites.suite import Suite

NOISE_FILE = "noise.json"
NOISE_SCHEMA = 1


class NoiseFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of noise.json."""

    schema_version: int = NOISE_SCHEMA
    """Version of this layout."""
    noise: list[Noise] = field(default_factory=list)
    """One entry per engine and family of models."""


IDLE_NOISE = "noise.json was measured with another "


def noise_path(suite: Suite, bars: Path | None) -> Path:
    """Return the path of the suite's noise.json, or of its copy below `bars`, where the gates come from too."""
    return gates_path(suite, bars).with_name(NOISE_FILE)


def load_noise(path: Path) -> list[Noise]:
    """Read the entries of one noise.json; none without a file. Raises UserError where it cannot be read."""
    hint = "Take it from version control, or delete it and measure again with `tunegate repeatability`"
    return decode(path, NoiseFile, NOISE_SCHEMA, hint).noise if path.exists() else []


def read_floors(suites: Iterable[Suite], bars: Path | None) -> dict[str, list[Noise]]:
    """Read the measured noise of each suite, by name."""
    return {suite.name: load_noise(noise_path(suite, bars)) for suite in suites}


def save_noise(path: Path, new: Noise) -> None:
    """Add an entry to noise.json, or replace that of the same engine, device, data type and family of models."""
    others = [old for old in load_noise(path) if _place(old) != _place(new)]
    entries = sorted([*others, new], key=_place)
    text = msgspec.json.format(msgspec.json.encode(NoiseFile(noise=entries)), indent=1) + b"\n"
    write_atomic(path, text, "The run keeps what was measured")


def _place(noise: Noise) -> tuple[str, ...]:
    return noise.engine, noise.device, noise.dtype, noise.tokenizer_digest


def with_floors(
    manifest: Manifest, known: Mapping[str, Sequence[Noise]], scorers: Mapping[str, str] | None = None
) -> Manifest:
    """Return the manifest with the noise that applies to each suite, and a note on each suite where it does not.

    `scorers` maps suites to the hash of those that scored the run again. Notes of an earlier call are replaced.
    """
    infos: list[SuiteInfo] = []
    notes: list[str] = list(manifest.notes)
    advice = "" if manifest.is_imported else "; measure again with `tunegate repeatability`"
    for info in manifest.suites:
        entries = known.get(info.name, ())
        scored = structs.replace(info, scorers_hash=(scorers or {}).get(info.name, info.scorers_hash))
        unlike = [differing(noise, scored, manifest) for noise in entries]
        fitting = next((noise for noise, says in zip(entries, unlike, strict=True) if not says), None)
        infos.append(structs.replace(info, noise=fitting))
        notes = [note for note in notes if not is_idle_noise(note, info.name)]
        if entries and fitting is None:
            what = " and ".join(sorted(unlike, key=len)[0])
            notes.append(f"{info.name}: {IDLE_NOISE}{what}, so no margin uses it{advice}")
    return structs.replace(manifest, suites=infos, notes=notes)


def is_idle_noise(note: str, suite: str) -> bool:
    """Whether a note says that the measured noise of a suite does not apply."""
    return note.startswith(f"{suite}: {IDLE_NOISE}")


def differing(noise: Noise, info: SuiteInfo, manifest: Manifest) -> list[str]:
    """Name the differences between a run's suite and the measured one; empty where the noise applies."""
    tuned = manifest.checkpoints.get(CANDIDATE)
    facts = engine_facts(manifest)
    pairs = {
        "engine": ([noise.engine, noise.engine_version, noise.dtype, noise.device], list(facts.values())),
        "family of models": (noise.tokenizer_digest, tuned.tokenizer_digest if tuned else ""),
        "set of cases": (noise.cases_hash, info.cases_hash),
        "prompt": (noise.prompt_hash, info.prompt_hash),
        "set of scorers": (noise.scorers_hash, info.scorers_hash),
        "number of answers a case": (noise.samples, info.samples),
    }
    return [what for what, (then, now) in pairs.items() if then != now]


def engine_facts(manifest: Manifest) -> dict[str, str]:
    """Return what decides an engine's rounding, from its record."""
    names = {"engine": "name", "engine_version": "version", "dtype": "dtype", "device": "device"}
    return {ours: str(manifest.engine.get(its, "")) for ours, its in names.items()}
