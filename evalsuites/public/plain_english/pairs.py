"""Read passages of terms of service with people's plain-English summaries.

Expects the folder `plain_english_contracts` below the one that TUNEGATE_DATA names, with `pairs.jsonl`.
"""

import ast
import json
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import refuse_all

WHERE = (
    "the plain-English pairs are not on this machine: set TUNEGATE_DATA to a folder with "
    "plain_english_contracts/pairs.jsonl, from github.com/lauramanor/legal_summarization (Apache 2.0)"
)
LABELS_OF_NO_SERVICE = {"www", "en", "store", "news", "m", "com", "org", "net", "co"}
"""Parts of a web address that name no service."""


class Pair(Struct, frozen=True, kw_only=True):
    id: str
    """The data's own name."""
    passage: str
    """Lower case, with no punctuation but full stops; so it is in the data."""
    summary: str
    """One person's."""
    documents: tuple[str, ...]
    """What it may share with other passages: its document, and the services it is from."""


def load(folder: Path) -> list[Pair]:
    """Read every pair, by id. Raises one UserError for all bad lines."""
    pairs: list[Pair] = []
    problems: list[str] = []
    for number, line in enumerate((folder / "pairs.jsonl").read_text("utf-8").splitlines(), 1):
        try:
            pairs.append(_pair(json.loads(line)))
        except (ValueError, KeyError, TypeError, SyntaxError, AttributeError) as error:
            problems.append(f"pairs.jsonl:{number}: not a pair of passage and summary ({error!r})")
    refuse_all(problems, f"{folder}: take pairs.jsonl from a whole copy")
    return sorted(pairs, key=lambda pair: pair.id)


def _pair(row: dict[str, str]) -> Pair:
    """A row of the data. `urls` is a set as Python writes it; a generic `doc` ("Privacy Policy") says nothing alone."""
    services = {service for url in ast.literal_eval(row.get("urls") or "()") for service in named_in(url)}
    return Pair(
        id=row["uid"],
        passage=" ".join(row["original_text"].split()),
        summary=" ".join(row["reference_summary"].split()),
        documents=tuple(sorted(services)) or (row["doc"], row["doc"].split()[0].lower()),
    )


def named_in(url: str) -> Sequence[str]:
    """The service that an address names: `store.steampowered.com` names `steampowered`."""
    parts = [part for part in url.lower().split(".") if part not in LABELS_OF_NO_SERVICE]
    return parts[:1]
