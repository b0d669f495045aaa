"""Builds the injected-error set: faithful passages, and copies of them with one known error each.

    python benchmarks/injected.py [--freeze]

The errors are put into passages of the public CUAD contracts (found through TUNEGATE_DATA, never committed) and into
own text. A share of the sources is frozen: drawn by the hash of its name, so that nothing that is done to the scorer
can move a source between the parts. `injected_frozen.json` holds what the frozen part must amount to.
"""

import argparse
import hashlib
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from injected_edits import OPERATORS, Edit, restate, untouched  # noqa: E402
from injected_text import Passage, cuad_folder, cuad_passages, own_passages  # noqa: E402

from benchmarks.claim_edits.sources import frozen  # noqa: E402
from harness.schema import Case, Completion  # noqa: E402

SEED = 1
FROZEN = Path(__file__).with_name("injected_frozen.json")
FAITHFUL = {"untouched": untouched, "restated": restate}
ORIGINS = ("own", "cuad")


class Copy(NamedTuple):
    """One copy of a passage, as a scorer sees it, and what is wrong with it."""

    case: Case
    completion: Completion
    operator: str
    kind: str
    spans: tuple[tuple[int, int], ...]
    """Where the error stands in the completion; empty for a faithful copy."""
    origin: str
    frozen: bool


@lru_cache
def copies(origin: str) -> tuple[Copy, ...]:
    """Every copy made of the text of one origin; none where the public contracts are not on this machine."""
    folder = cuad_folder()
    passages = own_passages() if origin == "own" else cuad_passages(folder) if folder else []
    return tuple(copy for passage in passages for copy in copies_of(passage))


def copies_of(passage: Passage) -> Iterator[Copy]:
    """The passage itself, its restatements, and every error that the operators can put into it."""
    for name, operator in (FAITHFUL | OPERATORS).items():
        edits = operator(passage, random.Random(f"{SEED} {name} {passage.id}"))
        for number, edit in enumerate(edits):
            yield _copy(passage, name, number, edit)


def _copy(passage: Passage, operator: str, number: int, edit: Edit) -> Copy:
    case = Case(
        id=f"{passage.id}-{operator.replace(' ', '-')}-{number}",
        input={"document": passage.text},
        expected=[],
        cluster=passage.cluster,
        tags={"state": "Georgia"} if passage.georgian else {},
    )
    words = len(edit.text.split())
    completion = Completion(
        key="injected", text=edit.text, finish_reason="stop", prompt_tokens=words, output_tokens=words
    )
    return Copy(case, completion, operator, edit.kind, edit.spans, passage.origin, frozen(passage.cluster))


def summary(made: Iterable[Copy]) -> dict[str, object]:
    """Digest of the frozen copies, and how many there are of each operator and kind."""
    kept = [copy for copy in made if copy.frozen]
    told = [(c.case.id, c.case.document, c.completion.text, c.spans) for c in kept]
    counts = Counter(f"{c.operator}: {c.kind}" for c in kept)
    return {
        "digest": hashlib.sha256(json.dumps(told).encode()).hexdigest(),
        "sources": len({c.case.cluster for c in kept}),
        "counts": dict(sorted(counts.items())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the injected-error set and count it.")
    parser.add_argument(
        "--freeze", action="store_true", help=f"write {FROZEN.name} again; only before a scorer is tuned"
    )
    args = parser.parse_args()
    for origin in ORIGINS:
        made = copies(origin)
        counts = Counter((c.operator, c.kind, "frozen" if c.frozen else "open") for c in made)
        for (operator, kind, part), count in sorted(counts.items()):
            print(f"{origin:5} {part:7} {operator}: {kind}  {count}")
    if args.freeze:
        text = json.dumps({origin: summary(copies(origin)) for origin in ORIGINS}, indent=2)
        FROZEN.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
