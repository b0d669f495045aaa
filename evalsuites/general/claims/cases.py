"""Cases and training rows: passages of a source, and one sentence that is held to them.

python -m evalsuites.general.claims.cases --split train --out train.jsonl

Both are drawn as twins of one set and one domain, of which one sentence is supported and the other one is not.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import msgspec

from evalsuites.general.claims import sets
from evalsuites.general.claims.pairs import NOT_ADDRESSED, NOT_SUPPORTED, SUPPORTED, Pair
from evalsuites.general.claims.split import EVALUATION, TRAIN, VALIDATION, Split, split
from evalsuites.training_rows import command
from harness.checkpoints.bundled_model import say_on_stderr
from harness.checkpoints.resolve import cache_dir
from harness.files import digest, write_atomic
from harness.schema import Case
from harness.scoring.text import passages as retrieval
from harness.scoring.text.passages import passages, text_of

ANSWERS = {SUPPORTED: "Yes", NOT_SUPPORTED: "No", NOT_ADDRESSED: "Unmentioned"}
"""Word that the prompt asks for, by label. Their first tokens differ, so that each has a log probability."""
WINDOWS = 3
"""Passages of a case."""
TWINS = {"completions": 400, "contractnli": 80}
"""Most twins of a set among the cases."""
OTHER_TWINS = 40
"""The same for every other set."""
LEAST_WORDS = 25
"""Words of a case's source; `tunegate data check` could not recognise shorter ones in training rows."""
SIDES = {"train": TRAIN, "dev": VALIDATION}
ROWS = {"train": 12000, "dev": 800}
"""Rows written when --rows is not given."""

T = TypeVar("T")
Twins = tuple[Pair, Pair]


def eval_cases(windows: int = WINDOWS) -> list[Case]:
    """Return the suite's cases, always the same; built once per copy of the data. Raises Unavailable without it."""
    folder = cache_dir() / "claims" / _key(windows)
    file = folder / "cases.jsonl"
    if not file.is_file():
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            if not file.is_file():
                say_on_stderr("finding the passages of general/claims, once (under a minute)")
                made = [case_of(pair, windows) for pair in suite_pairs()]
                write_atomic(file, msgspec.json.Encoder().encode_lines(made))
    return msgspec.json.Decoder(Case).decode_lines(file.read_bytes())


def _key(windows: int) -> str:
    """Digest of what cases are made of: the source of the builders, and the files of the data."""
    builders = [*sorted(Path(__file__).parent.glob("*.py")), Path(retrieval.__file__)]
    source = [file.read_text("utf-8") for file in builders]
    listing = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in sets.files()]
    return digest([windows, source, listing])[:16]


def suite_pairs() -> list[Pair]:
    """Return the pairs behind the suite's cases, the sets in turn."""
    drawn = [listed[: TWINS.get(origin, OTHER_TWINS)] for origin, listed in sorted(twins(EVALUATION).items())]
    return [pair for both in _in_turn(drawn) for pair in both]


def case_of(pair: Pair, count: int = WINDOWS) -> Case:
    """Return the case that holds a sentence to the nearest windows of its source."""
    return Case(
        id=pair.id,
        input={"document": text_of(passages(pair.source, pair.sentence, count)), "sentence": pair.sentence},
        expected=[ANSWERS[pair.label]],
        cluster=sides().group.get(pair.document, pair.document),
        tags={
            "label": pair.label,
            "class": pair.kind.partition("-")[0],
            "kind": pair.kind,
            "origin": pair.origin,
            "domain": pair.domain,
        },
    )


def training_pairs(
    split: str, rows: int, seed: int, without: str | None = None, first: str | None = None, windows: int = WINDOWS
) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers, the sets in turn.

    `without` leaves a set out; all of `first` comes before the others.
    """
    by_origin = {origin: listed for origin, listed in twins(SIDES[split], seed).items() if origin != without}
    begin = by_origin.pop(first, []) if first else []
    for both in [*begin, *_in_turn(by_origin.values())][: rows // 2]:
        for pair in both:
            case = case_of(pair, windows)
            yield case, case.expected[0]


@cache
def pairs() -> tuple[Pair, ...]:
    """Return the pairs of all sets."""
    return tuple(sets.load())


@cache
def sides() -> Split:
    """Return the side of every document."""
    return split(pairs(), sets.settled())


def twins(side: str, seed: int = 0) -> dict[str, list[Twins]]:
    """Return the twins of one side by set: as many supported sentences as others in each set and domain."""
    cells: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    used = [pair for pair in pairs() if sides().side(pair.document) == side]
    if side == EVALUATION:
        elsewhere = sets.trained_on()
        used = [pair for pair in used if pair.document not in elsewhere and len(pair.source.split()) >= LEAST_WORDS]
    for pair in used:
        cells[pair.origin, pair.domain].append(pair)
    by_origin: dict[str, list[list[Twins]]] = defaultdict(list)
    for (origin, _), listed in sorted(cells.items()):
        kept = _without_telling_sentences(_shuffled(listed, seed))
        good, bad = ([pair for pair in kept if (pair.label == SUPPORTED) == is_good] for is_good in (True, False))
        by_origin[origin].append(list(zip(_kinds_in_turn(good), _kinds_in_turn(bad), strict=False)))
    return {origin: _in_turn(parts) for origin, parts in by_origin.items()}


def _without_telling_sentences(listed: Sequence[Pair]) -> list[Pair]:
    """Of a sentence that stands with several sources, as many supported pairs as others; one if it has one label."""
    groups: dict[str, tuple[list[Pair], list[Pair]]] = defaultdict(lambda: ([], []))
    for pair in listed:
        groups[pair.sentence][pair.label == SUPPORTED].append(pair)
    most = {sentence: max(1, min(map(len, both))) for sentence, both in groups.items()}
    kept = {pair.id for sentence, both in groups.items() for part in both for pair in part[: most[sentence]]}
    return [pair for pair in listed if pair.id in kept]


def _kinds_in_turn(listed: Iterable[Pair]) -> list[Pair]:
    by_kind: dict[str, list[Pair]] = defaultdict(list)
    for pair in listed:
        by_kind[pair.kind].append(pair)
    return _in_turn(list(by_kind.values()))


def _in_turn(parts: Iterable[Sequence[T]]) -> list[T]:
    return [item for turn in zip_longest(*parts) for item in turn if item is not None]


def _shuffled(listed: Iterable[Pair], seed: int) -> list[Pair]:
    return sorted(listed, key=lambda pair: hashlib.sha256(f"{seed} {pair.id}".encode()).hexdigest())


if __name__ == "__main__":
    command(
        Path(__file__).parent,
        eval_cases,
        training_pairs,
        ROWS,
        without=[*sets.SETS],
        first=[*sets.SETS],
        numbers={"windows": (WINDOWS, "passages of a source in each prompt")},
    )
