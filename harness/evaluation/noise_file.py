"""Reads and writes noise.json: how far a suite's metrics move when nothing changes. Knows no engine; measures nothing.

The file is committed beside gates.toml. An entry holds for the engine, the family of models, the cases, the prompt and
the scorers that it was measured with; for any other it is passed over, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field, structs

from harness.errors import NOT_JSON, UserError, refuse_newer
from harness.files import write_atomic
from harness.gates.config import gates_path
from harness.schema import CANDIDATE, Manifest, Noise, SuiteInfo
from harness.suites.suite import Suite

NOISE_FILE = "noise.json"
NOISE_SCHEMA = 1


class NoiseFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of noise.json."""

    schema_version: int = NOISE_SCHEMA
    """Version of this layout."""
    noise: list[Noise] = field(default_factory=list)
    """One entry an engine and family of models."""


def noise_path(suite: Suite, bars: Path | None) -> Path:
    """The suite's noise.json, or that of its twin below `bars`: it comes from where the bars come from."""
    return gates_path(suite, bars).with_name(NOISE_FILE)


def load_noise(path: Path) -> list[Noise]:
    """Entries of one noise.json, none where there is no file. One that cannot be read is a UserError."""
    if not path.exists():
        return []
    try:
        data = path.read_bytes()
        refuse_newer(data, NOISE_SCHEMA, path)
        found = msgspec.json.decode(data, type=NoiseFile, strict=True)
    except (OSError, *NOT_JSON) as error:
        raise UserError(f"{path}: cannot be read: {error}. Take it from version control, or measure again") from None
    if found.schema_version != NOISE_SCHEMA:
        raise UserError(
            f"{path}: layout {found.schema_version}, expected {NOISE_SCHEMA}. Measure again with `tunegate noise`"
        )
    return found.noise


def read_floors(suites: Iterable[Suite], bars: Path | None) -> dict[str, list[Noise]]:
    """What is known of the noise of each suite, by its name."""
    return {suite.name: load_noise(noise_path(suite, bars)) for suite in suites}


def save_noise(path: Path, new: Noise) -> None:
    """Put an entry into noise.json, in place of one of the same engine, device, data type and family of models."""
    kept = [old for old in load_noise(path) if _place(old) != _place(new)]
    entries = sorted([*kept, new], key=_place)
    text = msgspec.json.format(msgspec.json.encode(NoiseFile(noise=entries)), indent=1) + b"\n"
    write_atomic(path, text, "The run keeps what was measured")


def _place(noise: Noise) -> tuple[str, ...]:
    return noise.engine, noise.device, noise.dtype, noise.tokenizer_digest


def with_floors(manifest: Manifest, known: Mapping[str, Sequence[Noise]]) -> Manifest:
    """The manifest with the noise that holds for each suite, and a note on each suite whose noise.json does not."""
    infos: list[SuiteInfo] = []
    notes: list[str] = []
    for info in manifest.suites:
        entries = known.get(info.name, ())
        unlike = [differing(noise, info, manifest) for noise in entries]
        fitting = next((noise for noise, says in zip(entries, unlike, strict=True) if not says), None)
        infos.append(structs.replace(info, noise=fitting))
        if entries and fitting is None:
            says = " and ".join(sorted(unlike, key=len)[0])
            notes.append(
                f"{info.name}: noise.json was measured with another {says}, so no margin is held to it; measure again "
                f"with `tunegate noise`"
            )
    notes = [*manifest.notes, *(note for note in notes if note not in manifest.notes)]
    return structs.replace(manifest, suites=infos, notes=notes)


def differing(noise: Noise, info: SuiteInfo, manifest: Manifest) -> list[str]:
    """What tells a run's suite from the one whose noise was measured; empty where the noise holds for it."""
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
    """What decides an engine's rounding, from what it said of itself."""
    names = {"engine": "name", "engine_version": "version", "dtype": "dtype", "device": "device"}
    return {ours: str(manifest.engine.get(its, "")) for ours, its in names.items()}
