"""Scores the sentences of an answer by a local model that reads source and sentence: does the one support the other?

Off unless a suite names a model: `entailment.by_model("./models/nli")`. The path must start with ./ or be absolute, and
nothing is ever fetched. Any sequence classification model serves whose labels include one that means support, or that
has a single output; the largest support over chunks of the source is a sentence's. Model digest, threshold and chunk
size are part of the scorer's version. Knows no other rule: what the model gets wrong, this gets wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.checkpoints import safety
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.errors import MissingExtra, UserError
from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import Scorer, scorer, unbroken
from harness.scoring.text.refusals import refuses

SUPPORTING = ("entailment", "entailed", "supported", "support", "consistent", "faithful", "grounded")
"""Labels, in lower case, that mean that the source supports the sentence."""
ABBREVIATION = re.compile(r"(?:\b(?:Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|St|No|Sec|Art|v|Ga|Ann|Jr|Sr|approx)|\b[A-Z])\.$")
STOP = re.compile(r"[.!?]+[\"”’)\]]*(?=\s)|\n")
LETTER = re.compile(r"[^\W\d_]")
BULLET = re.compile(r"[\s*•#>-]*(?:\d+[.)]\s+)?")
WORD = re.compile(r"\S+")
BATCH = 16
"""Pairs read at once."""
METRICS = [
    Metric(
        name="claim_support_rate",
        scorer="support",
        numerator="supported",
        denominator="claims",
        says="Share of the answers' sentences that a named local model finds supported by the source.",
    ),
]


class Reader(NamedTuple):
    """A model in memory."""

    tokenizer: Any
    model: Any
    longest: int
    """Tokens that a pair may have."""


def by_model(path: str | Path, threshold: float = 0.5, chunk_words: int = 200, label: str | None = None) -> Scorer:
    """The scorer of claim support by the model in a local folder.

    A sentence is supported if the model gives the label that means support a probability of `threshold` or more for
    some chunk of the source of `chunk_words` words; chunks overlap by half. `label` names that label where the model's
    own configuration does not use a known word for it.
    """
    folder = _folder(path)
    if not 0 < threshold < 1 or chunk_words < 2:
        raise UserError(
            f"entailment.by_model: threshold is {threshold} and chunk_words {chunk_words}; "
            "expected a threshold between 0 and 1, and 2 words or more"
        )
    column = _column(folder, label)
    config = {
        "model": resolve(str(folder)).digest,
        "threshold": threshold,
        "chunk_words": chunk_words,
        "column": column,
    }

    @scorer(metrics=METRICS, name="support", config=config)
    def supported(case: Case, completion: Completion) -> Score:
        """Sentences that the source supports. A failed completion counts as one that it does not."""
        if completion.finish_reason == "error":
            return Score(name="support", value=0.0, counts={"claims": 1, "supported": 0})
        claims = list(sentences(completion.text[: unbroken(completion)], completion.finish_reason == "stop"))
        if not case.document.strip() or not claims or refuses(completion.text):
            lacking = "the case has no source" if not case.document.strip() else "the answer states no sentence"
            return Score(name="support", value=None, reason=lacking)
        reader = _reader(str(folder))
        spans = [_span(case, completion.text, claim, reader, column, threshold, chunk_words) for claim in claims]
        good = sum(span.verdict == "supported" for span in spans)
        return Score(
            name="support",
            value=good / len(spans),
            extracted={"unsupported": [span.quote for span in spans if span.verdict != "supported"]},
            counts={"claims": len(spans), "supported": good},
            spans=spans,
        )

    return supported


def _folder(path: str | Path) -> Path:
    """The model's folder. Refuses whatever might be read as a name on a hub."""
    folder = Path(path)
    if not (folder.is_absolute() or str(path).startswith(("./", "../"))):
        raise UserError(
            f"entailment.by_model: {str(path)!r} could be a name on the Hub. Start a local path with ./ or /"
        )
    if not CheckpointFolder(folder).is_model:
        raise UserError(f"entailment.by_model: {path}: it has no config.json. Name the folder of a downloaded model")
    return folder.resolve()


def _column(folder: Path, label: str | None) -> int:
    """Which output of the model means support."""
    named = CheckpointFolder(folder).config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = [str(named[key]) for key in sorted(named, key=int)]
    wanted = SUPPORTING if label is None else (label.lower(),)
    if label is None and len(labels) == 1:
        return 0
    for at, name in enumerate(labels):
        if name.lower() in wanted:
            return at
    raise UserError(
        f"entailment.by_model: {folder}: labels are {', '.join(labels)}, expected {label or 'one such as entailment'}. "
        "Say which of them means support with label="
    )


@lru_cache(maxsize=2)
def _reader(folder: str) -> Reader:
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise MissingExtra("claim support", error.name or "transformers", "train") from None
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, **safety.TOKENIZER)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, torch_dtype=torch.float32, **safety.MODEL)
    longest = min(int(tokenizer.model_max_length), int(getattr(model.config, "max_position_embeddings", 0) or 10**9))
    return Reader(tokenizer, model.eval(), longest)


def sentences(text: str, whole: bool = True) -> Iterator[tuple[int, int]]:
    """Ranges of the sentences of a text that hold a letter; the last one of a text that is not whole needs its stop."""
    start = 0
    for stop in STOP.finditer(text):
        if stop[0] != "\n" and ABBREVIATION.search(text, start, stop.end()):
            continue
        yield from _sentence(text, start, stop.end())
        start = stop.end()
    if whole or re.search(r"[.!?][\"”’)\]]*\s*$", text[start:]):
        yield from _sentence(text, start, len(text))


def _sentence(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    bullet = BULLET.match(text, start, end)
    start = bullet.end() if bullet else start
    end = start + len(text[start:end].rstrip())
    if LETTER.search(text, start, end):
        yield start, end


@lru_cache(maxsize=64)
def chunks(document: str, size: int) -> tuple[tuple[int, int], ...]:
    """Ranges of chunks of `size` words, each half over the one before it, that cover a document."""
    words = [match.span() for match in WORD.finditer(document)]
    step = max(1, size // 2)
    starts = range(0, max(1, len(words) - size + step), step)
    return tuple((words[at][0], words[min(at + size, len(words)) - 1][1]) for at in starts)


def _span(
    case: Case, text: str, claim: tuple[int, int], reader: Reader, column: int, threshold: float, size: int
) -> Span:
    quote = text[claim[0] : claim[1]]
    places = chunks(case.document, size)
    found = _support(reader, [case.document[start:end] for start, end in places], quote, column, size)
    best = max(range(len(places)), key=lambda at: found[at]) if found else None
    good = best is not None and found[best] >= threshold
    return Span(
        start=claim[0],
        end=claim[1],
        quote=quote,
        kind="claim",
        verdict="supported" if good else "unsupported",
        reason=f"support {found[best]:.3f}" if best is not None else "too long for the model to read",
        source=SourceSpan(doc_id=case.cluster, start=places[best][0], end=places[best][1])
        if best is not None
        else None,
    )


def _support(reader: Reader, premises: list[str], claim: str, column: int, size: int) -> list[float]:
    """Probability of support by each premise; none where the claim alone leaves no room for one."""
    import torch

    if len(reader.tokenizer(claim)["input_ids"]) * 2 > reader.longest:
        return []
    found: list[float] = []
    for at in range(0, len(premises), BATCH):
        pairs = premises[at : at + BATCH]
        read = reader.tokenizer(pairs, [claim] * len(pairs), padding=True, return_tensors="pt")
        if read["input_ids"].shape[1] > reader.longest:
            raise UserError(
                f"entailment.by_model: {size} words of a source and a sentence are {read['input_ids'].shape[1]} "
                f"tokens; the model reads {reader.longest}. Nothing is cut: set a smaller chunk_words"
            )
        with torch.inference_mode():
            logits = reader.model(**read).logits.float()
        scores = logits.sigmoid()[:, 0] if logits.shape[1] == 1 else logits.softmax(-1)[:, column]
        found.extend(float(score) for score in scores)
    return found
