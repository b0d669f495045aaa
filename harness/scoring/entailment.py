"""Score the sentences of an answer by a local model that decides whether the source supports a sentence.

Off unless a suite names a model: `entailment.by_model("./models/nli")`. The path must start with ./ or be absolute;
nothing is downloaded. Any sequence classification model works if one of its labels means support, or if it has a single
output. A sentence's support is the largest over chunks of the source. Model digest, threshold and chunk size are part
of the scorer's version. The scorer has no other rule: it repeats the model's mistakes.
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
from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import Scorer, make_span, scorer, whole_length
from harness.scoring.text.refusals import refuses

SUPPORTING = ("entailment", "entailed", "supported", "support", "consistent", "faithful", "grounded")
"""Labels, in lower case, that mean: the source supports the sentence."""
ABBREVIATION = re.compile(r"(?:\b(?:Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|St|No|Sec|Art|v|Ga|Ann|Jr|Sr|approx)|\b[A-Z])\.$")
STOP = re.compile(r"[.!?]+[\"”’)\]]*(?=\s)|\n")
LETTER = re.compile(r"[^\W\d_]")
BULLET = re.compile(r"[\s*•#>-]*(?:\d+[.)]\s+)?")
WORD = re.compile(r"\S+")
BATCH = 16
"""Pairs of source chunk and sentence in one forward pass."""
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
    """A loaded model."""

    tokenizer: Any
    model: Any
    max_tokens: int
    """Tokens of the longest pair that the model reads."""


def by_model(path: str | Path, threshold: float = 0.5, chunk_words: int = 200, label: str | None = None) -> Scorer:
    """Make the scorer of claim support by the model in a local folder.

    A sentence is supported if the model gives the label that means support a probability of `threshold` or more for
    some chunk of `chunk_words` words of the source; chunks overlap by half. `label` names that label if the model's
    configuration has no known word for it. Raises UserError for a folder, label or number that cannot be used.
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
        """Share of the sentences that the source supports. A failed completion counts as one unsupported sentence."""
        if completion.finish_reason == "error":
            return Score(name="support", value=0.0, counts={"claims": 1, "supported": 0})
        claims = list(sentences(completion.text[: whole_length(completion)], completion.finish_reason == "stop"))
        if not case.document.strip() or not claims or refuses(completion.text):
            reason = "the case has no source" if not case.document.strip() else "the answer has no sentence to check"
            return Score(name="support", value=None, reason=reason)
        reader = _reader(str(folder))
        spans = [_span(case, completion.text, claim, reader, column, threshold, chunk_words) for claim in claims]
        supported_count = sum(span.verdict == "supported" for span in spans)
        return Score(
            name="support",
            value=supported_count / len(spans),
            extracted={"unsupported": [span.quote for span in spans if span.verdict != "supported"]},
            counts={"claims": len(spans), "supported": supported_count},
            spans=spans,
        )

    return supported


def _folder(path: str | Path) -> Path:
    """The model's folder. Raises UserError for what could be a name on the Hub."""
    folder = Path(path)
    if not (folder.is_absolute() or str(path).startswith(("./", "../"))):
        raise UserError(
            f"entailment.by_model: {str(path)!r} could be a name on the Hub. Start a local path with ./ or /"
        )
    if not CheckpointFolder(folder).is_model:
        raise UserError(f"entailment.by_model: {path}: it has no config.json. Name the folder of a downloaded model")
    return folder.resolve()


def _column(folder: Path, label: str | None) -> int:
    """Index of the model's output that means support."""
    id2label = CheckpointFolder(folder).config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = [str(id2label[key]) for key in sorted(id2label, key=int)]
    accepted = SUPPORTING if label is None else (label.lower(),)
    if label is None and len(labels) == 1:
        return 0
    for at, name in enumerate(labels):
        if name.lower() in accepted:
            return at
    raise UserError(
        f"entailment.by_model: {folder}: labels are {', '.join(labels)}, expected {label or 'one such as entailment'}. "
        "Name the one that means support with label="
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
    max_tokens = min(int(tokenizer.model_max_length), int(getattr(model.config, "max_position_embeddings", 0) or 10**9))
    return Reader(tokenizer, model.eval(), max_tokens)


def sentences(text: str, whole: bool = True) -> Iterator[tuple[int, int]]:
    """Yield the ranges of sentences with a letter; if the text is not `whole`, the last one needs its full stop."""
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
    """Return ranges of chunks of `size` words that cover a document, each overlapping half of the one before it."""
    words = [match.span() for match in WORD.finditer(document)]
    step = max(1, size // 2)
    starts = range(0, max(1, len(words) - size + step), step)
    return tuple((words[at][0], words[min(at + size, len(words)) - 1][1]) for at in starts)


def _span(
    case: Case, text: str, claim: tuple[int, int], reader: Reader, column: int, threshold: float, size: int
) -> Span:
    quote = text[claim[0] : claim[1]]
    places = chunks(case.document, size)
    support = _support(reader, [case.document[start:end] for start, end in places], quote, column, size)
    if not support:
        return make_span(text, *claim, "claim", "unsupported", "too long for the model to read")
    best = max(range(len(places)), key=lambda at: support[at])
    verdict = "supported" if support[best] >= threshold else "unsupported"
    return make_span(text, *claim, "claim", verdict, f"support {support[best]:.3f}", places[best], case.cluster)


def _support(reader: Reader, premises: list[str], claim: str, column: int, size: int) -> list[float]:
    """Probability of support by each premise; empty if the claim alone leaves no room for one."""
    import torch

    if len(reader.tokenizer(claim)["input_ids"]) * 2 > reader.max_tokens:
        return []
    probabilities: list[float] = []
    for at in range(0, len(premises), BATCH):
        pairs = premises[at : at + BATCH]
        read = reader.tokenizer(pairs, [claim] * len(pairs), padding=True, return_tensors="pt")
        if read["input_ids"].shape[1] > reader.max_tokens:
            raise UserError(
                f"entailment.by_model: {size} words of a source and a sentence are {read['input_ids'].shape[1]} "
                f"tokens; the model reads {reader.max_tokens}. Nothing is cut: set a smaller chunk_words"
            )
        with torch.inference_mode():
            logits = reader.model(**read).logits.float()
        scores = logits.sigmoid()[:, 0] if logits.shape[1] == 1 else logits.softmax(-1)[:, column]
        probabilities.extend(float(score) for score in scores)
    return probabilities
