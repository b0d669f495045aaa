"""Read the sets of sentences that people compared with a source: public ones, and this project's completions.

The public sets are below the folder that TUNEGATE_DATA names. The completions with known truth are in the repository's
`benchmarks`; a sentence that overlaps a marked error is not supported.
"""

import importlib.util
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from evalsuites.general.claims.pairs import NOT_ADDRESSED, NOT_SUPPORTED, SUPPORTED, Pair
from evalsuites.general.claims.split import EVALUATION, TRAIN, VALIDATION, document_key
from evalsuites.public import data
from evalsuites.public.contractnli import ndas
from evalsuites.public.contractnli.cases import split_of as contractnli_split
from harness.errors import Unavailable
from harness.scoring.text.sentences import statements

SUITES = Path(__file__).parents[2]
"""The folder of these suites; the package `evalsuites` may have a user's own before it."""
WHERE = (
    "the sets of people's judgements are not on this machine: set TUNEGATE_DATA to a folder with them; the README of "
    "general/claims says where each comes from"
)
COMPLETIONS = "the completions with known truth are not installed: run this suite in a clone of the repository"
REFERENCE = re.compile(r"\s*\[\d+\]")
FAITHFUL = (SUPPORTED, "faithful")
UNSUPPORTED = (NOT_SUPPORTED, "unsupported")
PARTIAL = (NOT_SUPPORTED, "partial")
CONTRADICTED = (NOT_SUPPORTED, "contradiction")
DOES_NOT_FOLLOW = (NOT_SUPPORTED, "inference")
UNADDRESSED = (NOT_ADDRESSED, "unaddressed")
NLI = {"entailment": FAITHFUL, "contradiction": CONTRADICTED, "neutral": UNADDRESSED}
WIDENED = NLI | {"neutral": DOES_NOT_FOLLOW}
"""Of sets whose neutral sentences say more than their premise about the same matter."""


class Rows(Struct, frozen=True):
    """How the rows of one set are read."""

    sentence: str
    """Field of the sentence."""
    labels: Mapping[str, tuple[str, str]]
    """Label and kind of a pair by the set's own label; rows with another one are left out."""
    domain: str
    source: str | None = None
    """Field of the source; None where `docs.jsonl` has it."""
    file: str = "items.jsonl"


TABLE = {
    "begin": Rows("response", {"Fully attributable": FAITHFUL, "Not fully attributable": UNSUPPORTED}, "dialogue"),
    "dialogue_audit": Rows(
        "response",
        {"entailment": FAITHFUL, "hallucination": UNSUPPORTED, "partial_hallucination": PARTIAL},
        "dialogue",
    ),
    "expertqa_claims": Rows("claim", {"Complete": FAITHFUL, "Partial": PARTIAL, "Incomplete": UNADDRESSED}, "web"),
    "factcheck_gpt_stance": Rows(
        "claim",
        {
            "completely-support": FAITHFUL,
            "partially-support": PARTIAL,
            "refute": CONTRADICTED,
            "irrelevant": UNADDRESSED,
        },
        "web",
    ),
    "fever_nli": Rows("hypothesis", {"entailment": FAITHFUL, "not_entailment": UNSUPPORTED}, "encyclopedia"),
    "infotabs": Rows("hypothesis", NLI, "tables"),
    "control_nli": Rows("hypothesis", NLI, "general"),
    "med_monotonicity": Rows("hypothesis", WIDENED, "logic", "premise"),
    "conjnli": Rows("hypothesis", WIDENED, "logic", "premise"),
    "mnli_small": Rows("hypothesis", NLI, "general", "premise"),
    "vitaminc_small": Rows(
        "claim",
        {"supports": FAITHFUL, "refutes": CONTRADICTED, "not enough info": UNADDRESSED},
        "encyclopedia",
        "evidence",
    ),
    "wice": Rows(
        "claim",
        {"supported": FAITHFUL, "partially_supported": PARTIAL, "not_supported": UNADDRESSED},
        "encyclopedia",
        file="claims.jsonl",
    ),
    "xsum_hallucination": Rows("summary", {"faithful": FAITHFUL, "hallucinated": UNSUPPORTED}, "news"),
}
"""Sets with one label for each sentence."""
SUMMEDITS_DOMAINS = {"ectsum": "finance", "news": "news", "scitldr": "general"}
"""Domain by SummEdits' own; the others are conversations."""
FRANK_ERRORS = ("RelE", "EntE", "CircE", "OutE", "GramE", "CorefE", "LinkE")
TEXTS = {"legal": "legal/instruments", "finance": "finance/report", "policy": "policy/handbook"}
"""Folder of the documents behind the completions, by domain."""
PARTS = ("tuning", "derived", "frozen")
LEAST_DOCUMENTS = 12
"""Documents of a domain in the cases; those of the derived part fill up the frozen ones, since a gate needs ten."""


def load() -> list[Pair]:
    """Return the pairs of all sets. Raises Unavailable, with the way to get them, without the data."""
    return [pair for read in SETS.values() for pair in read()]


def files() -> list[Path]:
    """Return every file that the pairs are read from. Raises Unavailable, with the way to get them, without one."""
    named = {
        **{"contractnli": ["dev.json"], "frank": ["summaries.jsonl"], "faithbench": ["samples.jsonl"]},
        **{origin: ["items.jsonl", "docs.jsonl"] for origin in ("summedits", "storysumm")},
        **{origin: [how.file, *([] if how.source else ["docs.jsonl"])] for origin, how in TABLE.items()},
    }
    public = [data.data_folder(origin, listed, WHERE) / file for origin, listed in named.items() for file in listed]
    own = [file for folder in TEXTS.values() for file in sorted((SUITES / folder).rglob("*.txt"))]
    return [*public, *own, *sorted(known_truth().FOLDER.glob("*.jsonl"))]


def completions() -> Iterator[Pair]:
    """Yield the sentences of the completions with known truth; an answer's sentence follows its question."""
    truth = known_truth()
    for domain in TEXTS:
        for known in (each for part in PARTS for each in truth.load(domain, part)):
            source = own_text(domain, known.document)
            for number, (start, end, said) in enumerate(statements(known.text)):
                errors = [error.type for error in known.errors if error.start < end and start < error.end]
                yield Pair(
                    id=f"completions-{known.id}-{number}",
                    origin="completions",
                    document=document_key(source),
                    domain=domain,
                    kind=errors[0] if errors else "faithful",
                    source=source,
                    sentence=f"{known.question}\n{said}" if known.question else said,
                    label=NOT_SUPPORTED if errors else SUPPORTED,
                )


def settled() -> dict[str, str]:
    """Return the side of documents that is decided elsewhere: by `benchmarks` and by `public/contractnli`."""
    agreements = ndas.load(ndas.data_folder()).agreements
    by_name = contractnli_split(agreements)
    by_split = {"test": EVALUATION, "validation": VALIDATION, "train": TRAIN}
    sides = {document_key(agreement_text(each)): by_split[by_name[each.name]] for each in agreements}
    for domain in TEXTS:
        frozen, derived = (
            {each.document for each in known_truth().load(domain, part)} for part in ("frozen", "derived")
        )
        shown = sorted(name for name in frozen if not is_trained_on(domain, name))
        others = sorted(name for name in derived if not is_trained_on(domain, name))
        names = {*frozen, *others[: max(0, LEAST_DOCUMENTS - len(shown))]}
        sides.update({document_key(own_text(domain, name)): EVALUATION for name in names})
    return sides


def trained_on() -> set[str]:
    """Return the keys of the completions' documents that training rows of the suites show, so that no case may."""
    return {
        document_key(own_text(domain, known.document))
        for domain in TEXTS
        for part in PARTS
        for known in known_truth().load(domain, part)
        if is_trained_on(domain, known.document)
    }


def is_trained_on(domain: str, name: str) -> bool:
    """Whether a document is one of its suite's for training."""
    return own_file(domain, name).parent.name == "train"


@cache
def own_file(domain: str, name: str) -> Path:
    """Return the file of a document of the suites by its id."""
    return next((SUITES / TEXTS[domain]).rglob(f"{name}.txt"))


@cache
def own_text(domain: str, name: str) -> str:
    """Return the text of a document of the suites by its id."""
    return own_file(domain, name).read_text("utf-8")


@cache
def known_truth() -> ModuleType:
    """The module that reads the completions, which the package does not install."""
    file = SUITES.parent / "benchmarks" / "known_truth.py"
    spec = importlib.util.spec_from_file_location("evalsuites_known_truth", file) if file.exists() else None
    if spec is None or spec.loader is None:
        raise Unavailable(COMPLETIONS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contractnli() -> Iterator[Pair]:
    """Yield the statements on whole non-disclosure agreements."""
    found = ndas.load(ndas.data_folder())
    labels = {ndas.ENTAILMENT: FAITHFUL, ndas.CONTRADICTION: CONTRADICTED, ndas.NOT_MENTIONED: UNADDRESSED}
    for agreement in found.agreements:
        source = agreement_text(agreement)
        for key, answer in agreement.answers.items():
            name = f"contractnli-{agreement.name}-{key}"
            yield _pair(name, "contractnli", "legal", source, found.statements[key], labels[answer.label])


def agreement_text(agreement: ndas.Agreement) -> str:
    """Return the sentences of an agreement as lines."""
    return "\n".join(sentence for sentence in agreement.sentences if sentence)


def summedits() -> Iterator[Pair]:
    """Yield the sentences of SummEdits, each once a document.

    A sentence of a consistent summary is supported. One of an inconsistent summary is not, if it is the only one that
    no consistent summary has.
    """
    texts = _documents("summedits")
    items: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in _rows("summedits", "items.jsonl"):
        items[item["doc_id"]].append(item)
    for name, listed in items.items():
        domain = SUMMEDITS_DOMAINS.get(listed[0]["domain"], "dialogue")
        first = set(_sentences(next(item["summary"] for item in listed if item["id"].endswith("_og"))))
        good = {s for item in listed if item["label"] == 1 for s in _sentences(item["summary"])}
        labels = {s: (SUPPORTED, "faithful" if s in first else "restated") for s in sorted(good)}
        for item in listed:
            changed = [s for s in _sentences(item["summary"]) if s not in good]
            if item["label"] == 0 and len(changed) == 1:
                types = item["edit_types"]
                labels[changed[0]] = (NOT_SUPPORTED, f"edit-{types[0] if len(types) == 1 else 'mixed'}")
        for number, (sentence, label) in enumerate(labels.items()):
            yield _pair(f"summedits-{name}-{number}", "summedits", domain, texts[name], sentence, label)


def frank() -> Iterator[Pair]:
    """Yield the sentences of FRANK's faithful CNN/DailyMail summaries, and its other ones that are one sentence.

    Its BBC summaries are left out: nine in ten are wrong, so that their style would give the label away.
    """
    for item in _rows("frank", "summaries.jsonl"):
        if item["dataset"] != "cnndm":
            continue
        listed = _sentences(item["summary"])
        if item["Factuality"] == 1:
            label = FAITHFUL
        elif len(listed) == 1:
            errors = [name for name in FRANK_ERRORS if item[name] < 1]
            label = (NOT_SUPPORTED, f"unsupported-{errors[0] if len(errors) == 1 else 'mixed'}")
        else:
            continue
        for number, sentence in enumerate(listed):
            name = f"frank-{item['source_id'][:12]}-{item['model']}-{number}"
            yield _pair(name, "frank", "news", item["source"], sentence, label)


def storysumm() -> Iterator[Pair]:
    """Yield the sentences of the StorySumm summaries that have a label for each sentence."""
    texts = _documents("storysumm")
    for item in _rows("storysumm", "items.jsonl"):
        if len(item["sentences"]) == len(item["sentence_labels"]):
            for number, (said, is_faithful) in enumerate(zip(item["sentences"], item["sentence_labels"], strict=True)):
                label = FAITHFUL if is_faithful else UNSUPPORTED
                yield _pair(
                    f"storysumm-{item['id']}-{number}", "storysumm", "general", texts[item["doc_id"]], said, label
                )


def faithbench() -> Iterator[Pair]:
    """Yield the sentences of FaithBench that are marked as wrong or questionable, and those with no mark at all."""
    for at, item in enumerate(_rows("faithbench", "samples.jsonl")):
        marks = [
            (note["summary_start"], note["summary_end"], any(not name.startswith("Benign") for name in note["label"]))
            for note in item["annotations"]
        ]
        if any(start is None for start, _, _ in marks):
            continue
        for number, (start, end, said) in enumerate(statements(item["summary"])):
            wrong = {is_wrong for first, last, is_wrong in marks if first < end and start < last}
            if wrong != {False}:
                label = UNSUPPORTED if wrong else FAITHFUL
                yield _pair(f"faithbench-{at}-{number}", "faithbench", "general", item["source"], said, label)


def _of_table(origin: str) -> Iterator[Pair]:
    """The pairs of one set of TABLE."""
    how = TABLE[origin]
    texts = {} if how.source else _documents(origin)
    for number, item in enumerate(_rows(origin, how.file)):
        label = how.labels.get(item["label"])
        if label is not None:
            source = item[how.source] if how.source else texts[item["doc_id"]]
            sentence = REFERENCE.sub("", item[how.sentence]).strip()
            yield _pair(f"{origin}-{number}", origin, how.domain, source, sentence, label)


SETS: dict[str, Callable[[], Iterable[Pair]]] = {
    "completions": completions,
    "contractnli": contractnli,
    "summedits": summedits,
    "frank": frank,
    "storysumm": storysumm,
    "faithbench": faithbench,
    **{origin: (lambda origin=origin: _of_table(origin)) for origin in TABLE},
}
"""Every set by the name that is the origin of its pairs."""


def _pair(name: str, origin: str, domain: str, source: str, sentence: str, label: tuple[str, str]) -> Pair:
    return Pair(
        id=name,
        origin=origin,
        document=document_key(source),
        domain=domain,
        kind=label[1],
        source=source,
        sentence=sentence,
        label=label[0],
    )


def _sentences(text: str) -> list[str]:
    return [said for _, _, said in statements(text)]


def _rows(origin: str, file: str) -> list[dict[str, Any]]:
    path = data.data_folder(origin, [file], WHERE) / file
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _documents(origin: str) -> dict[str, str]:
    """The sources of a set by their id: text, sentences as lines, or a table with a line for each key."""
    return {row["doc_id"]: _text(row["text"]) for row in _rows(origin, "docs.jsonl")}


def _text(text: str | list[str] | dict[str, list[str]]) -> str:
    if isinstance(text, dict):
        return "\n".join(f"{key}: {'; '.join(values)}" for key, values in text.items())
    return text if isinstance(text, str) else "\n".join(text)
