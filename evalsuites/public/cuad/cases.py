"""Build the suite's cases, and those for training rows, once per copy of the data."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from evalsuites.public import overlap
from evalsuites.public.cuad.contracts import Contract, data_folder, load_contracts
from evalsuites.public.cuad.passages import Passage, labelled, unit_starts, unlabelled
from evalsuites.public.cuad.split import SPLITS, groups, side
from harness.checkpoints.bundled_model import say_on_stderr
from harness.checkpoints.resolve import cache_dir
from harness.files import digest, write_atomic
from harness.schema import Case

PER_CONTRACT = {"train": 16, "validation": 4, "test": 4}
"""Passages with a clause per contract, so that no contract dominates; as many without one."""
SAME = 0.5
"""Share of a passage's runs of words in earlier passages from which it is left out."""
RUN = 8
"""Words in a run."""
LAST = next(iter(SPLITS))
"""The split that is built last."""
BUILDERS = ("cases.py", "contracts.py", "passages.py", "split.py")


def cases(split: str = "test") -> list[Case]:
    """Return the cases of one split, from the cache if this copy of the data has been built before."""
    file = cache_dir() / "cuad" / _key(data_folder()) / f"{split}.jsonl"
    if not file.is_file():
        _build_into(file.parent, split)
    return msgspec.json.Decoder(Case).decode_lines(file.read_bytes())


def _key(folder: Path) -> str:
    """Digest of the builders' source, and of the data folder's listing."""
    builders = [*(Path(__file__).parent / name for name in BUILDERS), Path(overlap.__file__)]
    source = [file.read_text("utf-8") for file in builders]
    table = (folder / "master_clauses.csv").stat()
    with os.scandir(folder / "contracts") as entries:
        listing = sorted((entry.name, entry.stat().st_size) for entry in entries)
    return digest([source, str(folder), table.st_size, table.st_mtime_ns, listing])[:16]


def _build_into(folder: Path, last_split: str) -> None:
    """Write the file of a split, and of those before it. Of several processes, one builds and the others wait."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if (folder / f"{last_split}.jsonl").is_file():
            return
        say_on_stderr("cutting passages out of the CUAD contracts, once (under a minute)")
        for split, split_cases in build(load_contracts(data_folder()), last_split).items():
            write_atomic(folder / f"{split}.jsonl", msgspec.json.Encoder().encode_lines(split_cases))


def build(contracts: Iterable[Contract], last_split: str = LAST) -> dict[str, list[Case]]:
    """Build cases by split, from the test to `last_split`; by default all.

    Of passages that share SAME of their wording one is kept, first the test's.
    """
    by_name = {contract.name: contract for contract in contracts}
    built: dict[str, list[Case]] = {}
    seen: set[str] = set()
    together = groups({name: contract.text for name, contract in by_name.items()})
    order = list(reversed(SPLITS))
    for split in order[: order.index(last_split) + 1]:
        built[split] = []
        per_category: Counter[str] = Counter()
        for name, cluster in ((name, group[0]) for group in together if side(group) == split for name in group):
            for case in _cases_of(by_name[name], PER_CONTRACT[split], per_category, cluster):
                wording = overlap.runs(case.document, RUN, r"\w+")
                if len(wording & seen) < SAME * len(wording):
                    seen |= wording
                    built[split].append(case)
    return built


def _cases_of(contract: Contract, most: int, per_category: Counter[str], cluster: str) -> Iterator[Case]:
    """At most `most` passages of a contract with a clause, and as many of the same lengths without one."""
    starts = unit_starts(contract)
    chosen = varied(list(labelled(contract, starts)), most, per_category)
    lengths = [passage.end - passage.start for passage in chosen]
    slug = re.sub(r"[^a-z0-9]+", "-", contract.name.lower())[:20].strip("-")
    mark = hashlib.sha256(contract.name.encode()).hexdigest()[:6]
    for passage in [*chosen, *unlabelled(contract, starts, lengths)]:
        yield Case(
            id=f"{slug}-{mark}-{passage.start}",
            input={"document": contract.text[passage.start : passage.end].strip()},
            expected=passage.clauses,
            cluster=cluster,
            tags={"kind": "clause", "clause": passage.main} if passage.main else {"kind": "no_such_clause"},
        )


def varied(passages: list[Passage], most: int, per_category: Counter[str]) -> list[Passage]:
    """Choose at most `most` passages of one contract: categories in turn, first those with fewest passages so far.

    The choice is added to `per_category`.
    """
    left = list(passages)
    chosen: list[Passage] = []
    here: Counter[str] = Counter()
    while left and len(chosen) < most:
        best = min(left, key=lambda passage: (here[passage.main], per_category[passage.main], passage.start))
        left.remove(best)
        chosen.append(best)
        here[best.main] += 1
        per_category[best.main] += 1
    return chosen
