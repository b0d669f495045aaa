"""The texts that realism.py compares: shipped suites, their training sets, and real text of the same domain."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from harness.schema import Case

ROOT = Path(__file__).parent.parent
GENERATORS = {
    "legal/clauses": "evalsuites.legal.clauses.cases",
    "legal/clauses_long": "evalsuites.legal.clauses_long.cases",
    "legal/extraction": "evalsuites.legal.extraction.cases",
    "legal/summaries": "evalsuites.legal.summaries.cases",
    "legal/citations": "evalsuites.legal.citations.cases",
    "finance/report": "evalsuites.finance.report.cases",
    "policy/handbook": "evalsuites.policy.handbook.cases",
    "brand/voice": "evalsuites.brand.voice.cases",
}
"""Modules with `eval_cases()`, `training_pairs(split, rows, seed)` and `ROWS`, by suite."""
BASICS = "general/basics"
DATA_BLOCKS = re.compile(r"^```.*?^```|^---\n.*?^---\n|<[^>\n]{1,200}>", re.M | re.S)
"""Code, front matter and tags of a Markdown page."""


PARAGRAPH_NUMBER = re.compile(r"^\[\d+\] ", re.M)
"""A number that a suite puts in front of each paragraph."""


class Corpus(NamedTuple):
    """Documents under one name."""

    name: str
    domain: str
    documents: list[str]


def suites() -> Iterator[Corpus]:
    """Yield every shipped suite and its training set."""
    for name, module in GENERATORS.items():
        generator = import_module(module)
        domain = name.split("/")[0]
        yield Corpus(name, domain, documents(generator.eval_cases()))
        pairs = generator.training_pairs("train", generator.ROWS["train"], 0)
        yield Corpus(f"{name}, training", domain, documents(pair[0] for pair in pairs))
    folder = ROOT / "evalsuites" / BASICS
    questions = [row["input"]["question"] for row in _rows(folder / "cases.jsonl")]
    yield Corpus(BASICS, "general", questions)
    prompts = import_module("evalsuites.general.basics.replay").prompts()
    yield Corpus(f"{BASICS}, training", "general", [cases[0].input["question"] for cases in prompts])


def documents(cases: Iterable[Case]) -> list[str]:
    """Return one text for each cluster: the distinct paragraphs of its documents, in order of first appearance.

    Excerpts of one contract or handbook overlap; as separate documents they would count as repetition. Where no blank
    line separates paragraphs, each line is one.
    """
    parts: dict[str, dict[str, None]] = {}
    for case in cases:
        document = PARAGRAPH_NUMBER.sub("", case.input["document"])
        separator = "\n\n" if "\n\n" in document else "\n"
        parts.setdefault(case.cluster, {}).update((part + separator, None) for part in document.split(separator))
    return ["".join(listed).rstrip("\n") for listed in parts.values()]


def references(data: Path) -> Iterator[Corpus]:
    """Yield the real text that the data folder has."""
    for name, domain, file, read in REFERENCES:
        if (data / file).exists():
            yield Corpus(name, domain, read(data / file))


def _texts(folder: Path) -> list[str]:
    return [file.read_text("utf-8") for file in sorted(folder.glob("*.txt"))]


def _agreements(file: Path) -> list[str]:
    return [document["text"] for document in json.loads(file.read_text("utf-8"))["documents"]]


def _pages(folder: Path) -> list[str]:
    return [DATA_BLOCKS.sub(" ", file.read_text("utf-8")) for file in sorted(folder.glob("*.md"))]


def _reports(file: Path) -> list[str]:
    return ["\n\n".join(row["text"]["paragraphs"]) for row in _rows(file)]


def _questions(file: Path) -> list[str]:
    return list(dict.fromkeys(row["question"] for row in _rows(file)))


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, file.read_text("utf-8").splitlines())


REFERENCES: list[tuple[str, str, str, Callable[[Path], list[str]]]] = [
    ("contracts (CUAD)", "legal", "cuad/contracts", _texts),
    ("real-estate contracts (EDGAR)", "legal", "real_estate_contracts/contracts", _texts),
    ("non-disclosure agreements (ContractNLI)", "legal", "contractnli/dev.json", _agreements),
    ("annual reports, text (TAT-QA)", "finance", "tatqa/docs.jsonl", _reports),
    ("staff handbooks", "policy", "hr_handbooks/pages", _pages),
    ("experts' questions (ExpertQA)", "general", "expertqa_claims/items.jsonl", _questions),
]
"""Name, domain, place in the data folder and reader of each reference; the first of a domain trains its model."""
