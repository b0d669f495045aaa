"""Scores one label of a closed set, as LegalBench and ContractNLI do. Knows no text but the answer's.

An answer is normalised as LegalBench does (`HazyResearch/legalbench`, evaluation.py): ASCII punctuation goes, the ends
are trimmed, case is ignored; then it must equal a label. Whatever is no label is wrong and stays in the denominator: a
label with an explanation after it, an empty, cut or failed answer, a refusal. Balanced accuracy is the mean over the
labels that are right somewhere of the share of their cases answered with them. lm-evaluation-harness scores the same
tasks by plain exact match: its figures are not comparable.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from harness.errors import refuse_all
from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import Scorer, scorer

NO_LABEL = "(no label)"
"""Stands among the predicted labels for an answer that is none of them."""
PUNCTUATION = str.maketrans("", "", string.punctuation)
NOT_A_WORD = re.compile(r"[^a-z0-9]+")

METRICS = [
    Metric(name="accuracy", scorer="labels", numerator="correct", says="Share of cases given the right label."),
    Metric(
        name="balanced_accuracy",
        scorer="labels",
        numerator="correct",
        kind="macro_recall",
        says="Share of cases given the right label, for each right label by itself, then the mean over labels.",
    ),
    Metric(
        name="label_macro_f1",
        scorer="labels",
        numerator="",
        kind="macro_f1",
        says="Balance of recall and precision for each label, then the mean over labels.",
    ),
    Metric(name="parse_rate", scorer="labels", numerator="parsed", says="Share of answers that are one of the labels."),
]
"""Metrics of every set of labels. A label that is predicted and never right has recall None and F1 0."""


def key(answer: str) -> str:
    """Form in which an answer and a label are compared."""
    return answer.translate(PUNCTUATION).strip().lower()


def among(
    labels: Sequence[str], aliases: Mapping[str, str] | None = None, apart: Sequence[str] = (), until: str = ""
) -> Scorer:
    """A scorer of answers that must be one of `labels`; a case expects exactly one of them.

    `aliases` maps other spellings to labels. Labels named in `apart` get precision, recall and F1 of their own.
    `until` holds characters that end the label where an answer goes on with something else, such as `[` before
    evidence; the published tasks have none.
    """
    table = label_table(labels, aliases or {})
    refuse_all([f"{name!r} in apart is none of the labels" for name in apart if name not in labels], "labels")
    end = re.compile(f"[{re.escape(until)}]") if until else None

    def unknown(case: Case) -> list[str]:
        return [] if _gold(case, table) else [_wanted(case, labels)]

    over = [replace(m, labels=tuple(labels)) if m.kind != "ratio" else m for m in METRICS]
    config = [sorted(table.items()), list(apart), until]

    @scorer(metrics=[*over, *_metrics_of(apart)], name="labels", config=config, check=unknown)
    def labelled(case: Case, completion: Completion) -> Score:
        """The label given, against the right one."""
        return _score(case, completion, table, apart, end)

    return labelled


def label_table(labels: Sequence[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Label by every key that means it. Refuses labels that cannot be told apart, and aliases that lead nowhere."""
    table: dict[str, str] = {}
    problems = [] if labels else ["there are no labels"]
    for label in labels:
        if not key(label) or table.setdefault(key(label), label) != label:
            problems.append(f"label {label!r} cannot be told from {table.get(key(label), 'nothing')!r}")
    for alias, label in aliases.items():
        if label not in labels:
            problems.append(f"alias {alias!r} means {label!r}, which is none of the labels")
        elif table.setdefault(key(alias), label) != label:
            problems.append(f"alias {alias!r} means both {table[key(alias)]!r} and {label!r}")
    refuse_all(problems, "labels")
    return table


def _score(
    case: Case, completion: Completion, table: Mapping[str, str], apart: Sequence[str], end: re.Pattern[str] | None
) -> Score:
    gold = _gold(case, table)
    if gold is None:
        raise ValueError(_wanted(case, list(dict.fromkeys(table.values()))))
    said, start, stop = _label_in(completion.text, table, end)
    if completion.finish_reason != "stop":
        said = None
    hit = said == gold
    counts = {"correct": int(hit), "parsed": int(said is not None)}
    for label in apart:
        tp, of, named = int(hit and gold == label), int(gold == label), int(said == label)
        name = slug(label)
        counts |= {f"{name}_tp": tp, f"{name}_gold": of, f"{name}_predicted": named}
        counts |= {f"{name}_f1_top": 2 * tp, f"{name}_f1_bottom": of + named}
    return Score(
        name="labels",
        value=float(hit),
        extracted={
            "predicted": [said or NO_LABEL],
            "found": [gold] if hit else [],
            "missing": [] if hit else [gold],
            "invented": [said] if said and not hit else [],
        },
        counts=counts,
        spans=[_span(completion.text, start, stop, "correct")] if hit else _unread(completion, said),
    )


def _gold(case: Case, table: Mapping[str, str]) -> str | None:
    """The right label in the spelling of the set, or None where the case does not expect exactly one."""
    return table.get(key(case.expected[0])) if len(case.expected) == 1 else None


def _wanted(case: Case, labels: Sequence[str]) -> str:
    return f"case '{case.id}' expects {case.expected!r}; it must expect one of: {', '.join(labels)}"


def _label_in(text: str, table: Mapping[str, str], end: re.Pattern[str] | None) -> tuple[str | None, int, int]:
    """The label that an answer is, or None, and where it stands without the white space around it."""
    stop = found.start() if end and (found := end.search(text)) else len(text)
    head = text[:stop]
    start = len(head) - len(head.lstrip())
    return table.get(key(head)), start, len(head.rstrip())


def _unread(completion: Completion, said: str | None) -> list[Span]:
    """The whole of an answer that is no label, so that a reader sees why it is wrong."""
    if said is not None or not completion.text:
        return []
    cut = completion.finish_reason == "length"
    reason = "the answer was cut at the token limit" if cut else "the answer is none of the labels"
    return [_span(completion.text, 0, len(completion.text), "unreadable", reason)]


def _span(text: str, start: int, end: int, verdict: str, reason: str = "") -> Span:
    return Span(start=start, end=end, quote=text[start:end], kind="label", verdict=verdict, reason=reason)


def slug(label: str) -> str:
    """A label as part of a metric's name: `NotMentioned` is `notmentioned`, `Very likely` is `very_likely`."""
    return NOT_A_WORD.sub("_", label.lower()).strip("_")


def _metrics_of(apart: Sequence[str]) -> list[Metric]:
    """Precision, recall and F1 of single labels; a case that neither is one nor is given one counts towards none."""
    said = {
        "precision": ("tp", "predicted", "Share of the answers '{}' that are right."),
        "recall": ("tp", "gold", "Share of the cases that are '{}' which were given that label."),
        "f1": ("f1_top", "f1_bottom", "Balance of recall and precision of the label '{}'."),
    }
    return [
        Metric(
            name=f"{slug(label)}_{measure}",
            scorer="labels",
            numerator=f"{slug(label)}_{above}",
            denominator=f"{slug(label)}_{below}",
            says=says.format(label),
        )
        for label in apart
        for measure, (above, below, says) in said.items()
    ]
