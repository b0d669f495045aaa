"""The checker of meaning that `make checker` trains: an adapter with a record of how it is asked, as a ready scorer.

It states `claim_support_rate`, a metric of its own: facts and their rates do not depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from harness.checkpoints.bundled_model import say_on_stderr
from harness.checkpoints.resolve import cache_dir, resolve
from harness.env import CHECKER
from harness.errors import NOT_JSON, UserError
from harness.files import write_atomic
from harness.scoring import entailment
from harness.scoring.base import Scorer

GATES_PASSED = False
"""Whether the adapter of the committed configuration passed the gates of general/claims; suites then use one that is
installed."""
RECORD = "checker.json"
BUILD = "In a clone of tunegate, with TUNEGATE_DATA set, `make checker` trains it in hours and prints its folder"


class CheckerRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an adapter was trained to be asked; checker.json in its folder."""

    digest: str = ""
    """Content digest of base, adapter and tokenizer."""
    system: str
    """The system message."""
    prompt: str
    """The user message, with {source} and {sentence}."""
    answers: tuple[str, ...]
    """Possible answers; the first one means support."""
    windows: int
    """Passages that are shown with a sentence."""
    window_tokens: int
    """Longest passage."""
    threshold: float
    """Least probability of a supported sentence."""


def installed() -> Path:
    """Return the folder into which `make checker` puts the checker."""
    return cache_dir() / "checker"


def named() -> Path | None:
    """Return the checker's folder: what TUNEGATE_CHECKER names, or else the installed one; None where there is none."""
    text = os.environ.get(CHECKER)
    if text:
        return Path(text).expanduser().absolute()
    return installed() if (installed() / RECORD).is_file() else None


def record(folder: Path, how: CheckerRecord) -> CheckerRecord:
    """Write checker.json, with the digest of the adapter as it is, next to the adapter; return it."""
    sealed = structs.replace(how, digest=resolve(str(folder)).digest)
    write_atomic(folder / RECORD, msgspec.json.format(msgspec.json.encode(sealed), indent=1))
    return sealed


def read(folder: Path) -> CheckerRecord:
    """Read checker.json. Raises UserError without one, or where the weights are not those that it was made for."""
    file = folder / RECORD
    try:
        how = msgspec.json.decode(file.read_bytes(), type=CheckerRecord)
    except OSError as error:
        raise UserError(f"{file}: no checker there ({error.strerror}). {BUILD}; set {CHECKER} to a folder") from None
    except NOT_JSON as error:
        raise UserError(f"{file}: {error}. {BUILD}") from None
    found = resolve(str(folder)).digest
    if found != how.digest:
        raise UserError(
            f"{folder}: its base or its weights have the digest {found[:12]}, and {RECORD} says {how.digest[:12]}: "
            f"they changed after it was built. {BUILD}"
        )
    return how


def threshold_at(alarms: float, supported: Sequence[float]) -> float:
    """Return the highest threshold that is above at most a share `alarms` of the supported sentences' probabilities."""
    ranked = sorted(supported)
    return min(max(ranked[int(alarms * len(ranked))], 1e-6), 1 - 1e-6)


def options(how: CheckerRecord) -> dict[str, Any]:
    """Return the options of `entailment.by_model` by which a checker is asked."""
    return {name: value for name, value in structs.asdict(how).items() if name != "digest"}


def of_folder(folder: Path) -> Scorer:
    """Make the scorer of the checker in a folder. Raises UserError for one that cannot be used."""
    return entailment.by_model(folder, **options(read(folder)))


def ready() -> list[Scorer]:
    """Return the checker's scorer, to be added to a suite's; an empty list without a checker.

    Until its gates have passed, only a folder that TUNEGATE_CHECKER names is used.
    """
    folder = named()
    if folder is not None and (GATES_PASSED or os.environ.get(CHECKER)):
        return [of_folder(folder)]
    if GATES_PASSED:
        _say_missing()
    return []


@cache
def _say_missing() -> None:
    say_on_stderr(f"claim_support_rate is left out: no checker is in {installed()}. {BUILD}")
