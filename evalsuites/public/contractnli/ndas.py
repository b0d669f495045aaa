"""Read ContractNLI: non-disclosure agreements as sentences, and the label of 17 statements for each.

Expects the folder `contractnli` below the one that TUNEGATE_DATA names, with `dev.json`. The file
`train_small.json` next to it is not read: under the same keys its statements have other words ("all" where dev.json has
"some").
"""

import json
from pathlib import Path
from typing import Any

from msgspec import Struct

from evalsuites.public import data
from harness.errors import UserError

LABELS = ("Entailment", "Contradiction", "NotMentioned")
ENTAILMENT, CONTRADICTION, NOT_MENTIONED = LABELS
WHERE = (
    "the ContractNLI agreements are not on this machine: set TUNEGATE_DATA to a folder with contractnli/dev.json, from "
    "stanfordnlp.github.io/contract-nli (CC BY 4.0)"
)


class Answer(Struct, frozen=True, kw_only=True):
    label: str
    """One of LABELS."""
    evidence: tuple[int, ...]
    """Positions in `sentences` of those that decide; empty where nothing is mentioned."""


class Agreement(Struct, frozen=True, kw_only=True):
    name: str
    """Stable name, such as `nda-435`; the number is the data's."""
    sentences: tuple[str, ...]
    """The whole text in order, with white space collapsed; some are headings, numbers or empty."""
    answers: dict[str, Answer]
    """By the key of the statement."""


class Data(Struct, frozen=True, kw_only=True):
    agreements: list[Agreement]
    """By name."""
    statements: dict[str, str]
    """The 17 statements by key, such as `nda-4`."""


def data_folder() -> Path:
    """The folder `contractnli`, or Unavailable with the way to get it."""
    return data.data_folder("contractnli", ["dev.json"], WHERE)


def load(folder: Path) -> Data:
    """Every agreement and statement of dev.json."""
    file = folder / "dev.json"
    try:
        content = json.loads(file.read_text("utf-8"))
        statements = {key: label["hypothesis"] for key, label in content["labels"].items()}
        agreements = [_agreement(document, statements) for document in content["documents"]]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UserError(f"{file}: not a file of ContractNLI ({error!r}). Take dev.json from a whole copy") from None
    return Data(agreements=sorted(agreements, key=lambda a: a.name), statements=statements)


def _agreement(document: dict[str, Any], statements: dict[str, str]) -> Agreement:
    text = document["text"]
    sentences = tuple(" ".join(text[start:end].split()) for start, end in document["spans"])
    annotations = document["annotation_sets"][0]["annotations"]
    answers = {
        key: Answer(label=annotations[key]["choice"], evidence=tuple(sorted(annotations[key]["spans"])))
        for key in statements
    }
    strange = {answer.label for answer in answers.values()} - set(LABELS)
    if strange:
        raise ValueError(f"unknown choice {sorted(strange)}")
    return Agreement(name=f"nda-{document['id']}", sentences=sentences, answers=answers)
