"""Score one label of a closed set, as LegalBench and ContractNLI do.

An answer is normalised as LegalBench does (`HazyResearch/legalbench`, evaluation.py): ASCII punctuation is removed, the
ends are trimmed, case is ignored; then it must equal a label. Any other answer is wrong and counted in the denominator:
a label with an explanation after it, an empty, cut or failed answer, a refusal. Balanced accuracy is the mean, over the
labels that any case expects, of the share of their cases answered with them. lm-evaluation-harness scores the same
tasks by plain exact match: its results are not comparable.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from harness.errors import refuse_all
from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import Scorer, make_span, ratios, scorer

NO_LABEL = "(no label)"
"""Listed as the predicted label of an answer that is none of the labels."""
PUNCTUATION = str.maketrans("", "", string.punctuation)
NOT_A_WORD = re.compile(r"[^a-z0-9]+")

METRICS = [
    *ratios("labels", {"accuracy = correct": "Share of cases given the right label."}),
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
    *ratios("labels", {"parse_rate = parsed": "Share of answers that are one of the labels."}),
]
"""Metrics of every set of labels. A label that is predicted and never right has recall None and F1 0."""


def key(answer: str) -> str:
    """Return the form in which an answer and a label are compared."""
    return answer.translate(PUNCTUATION).strip().lower()


def among(
    labels: Sequence[str], aliases: Mapping[str, str] | None = None, apart: Sequence[str] = (), until: str = ""
) -> Scorer:
    """Make a scorer of answers that must be one of `labels`; a case expects exactly one of them.

    `aliases` maps other spellings to labels. Labels named in `apart` get precision, recall and F1 of their own.
    `until` lists characters that end the label if an answer continues with something else, such as `[` before evidence;
    the published tasks have none. Raises UserError for labels and aliases that cannot be used.
    """
    table = label_table(labels, aliases or {})
    refuse_all([f"{name!r} in apart is not one of the labels" for name in apart if name not in labels], "labels")
    end = re.compile(f"(?!^)[{re.escape(until)}]") if until else None

    def unknown(case: Case) -> list[str]:
        return [] if _gold(case, table) else [_unknown_label(case, labels)]

    over = [replace(m, labels=tuple(labels)) if m.kind != "ratio" else m for m in METRICS]
    config = [sorted(table.items()), list(apart), until]

    @scorer(metrics=[*over, *_metrics_of(apart)], name="labels", config=config, check=unknown)
    def labelled(case: Case, completion: Completion) -> Score:
        """Whether the answer is the label that the case expects."""
        gold = _gold(case, table)
        if gold is None:
            raise ValueError(_unknown_label(case, labels))
        head = end.split(completion.text, maxsplit=1)[0] if end else completion.text
        label = table.get(key(head)) if completion.finish_reason == "stop" else None
        hit = label == gold
        counts = {"correct": int(hit), "parsed": int(label is not None)}
        for one in apart:
            tp, expected, predicted = int(hit and gold == one), int(gold == one), int(label == one)
            name = slug(one)
            counts |= {f"{name}_tp": tp, f"{name}_gold": expected, f"{name}_predicted": predicted}
            counts |= {f"{name}_f1_top": 2 * tp, f"{name}_f1_bottom": expected + predicted}
        return Score(
            name="labels",
            value=float(hit),
            extracted={
                "predicted": [label or NO_LABEL],
                "found": [gold] if hit else [],
                "missing": [] if hit else [gold],
                "invented": [label] if label and not hit else [],
            },
            counts=counts,
            spans=_spans(completion, head, label, hit),
        )

    return labelled


def label_table(
    labels: Sequence[str], aliases: Mapping[str, str], form: Callable[[str], str] = key, kind: str = "label"
) -> dict[str, str]:
    """Map the form of every spelling to its label. Raises UserError for labels of one form and for unusable aliases."""
    table: dict[str, str] = {}
    problems = [] if labels else [f"there are no {kind}s"]
    for label in labels:
        if not form(label) or table.setdefault(form(label), label) != label:
            same = table.get(form(label), "nothing")
            problems.append(f"{kind} {label!r} is the same as {same!r} without punctuation and case")
    for alias, label in aliases.items():
        if form(label) not in table:
            problems.append(f"alias {alias!r} means {label!r}, which is not one of the {kind}s")
        elif table.setdefault(form(alias), table[form(label)]) != table[form(label)]:
            problems.append(f"alias {alias!r} means both {table[form(alias)]!r} and {label!r}")
    refuse_all(problems, f"{kind}s")
    return table


def _gold(case: Case, table: Mapping[str, str]) -> str | None:
    """The expected label in the spelling of the set, or None if the case does not expect exactly one."""
    return table.get(key(case.expected[0])) if len(case.expected) == 1 else None


def _unknown_label(case: Case, labels: Sequence[str]) -> str:
    return f"case '{case.id}' expects {case.expected!r}; it must expect one of: {', '.join(labels)}"


def _spans(completion: Completion, head: str, label: str | None, hit: bool) -> list[Span]:
    """The right label; or the whole answer if it is no label, so that a reader sees why it is wrong."""
    text = completion.text
    if hit:
        return [make_span(text, len(head) - len(head.lstrip()), len(head.rstrip()), "label", "correct")]
    cut = completion.finish_reason == "length"
    reason = "the answer was cut at the token limit" if cut else "the answer is none of the labels"
    return [make_span(text, 0, len(text), "label", "unreadable", reason)] if label is None and text else []


def slug(label: str) -> str:
    """Return a label as part of a metric's name: `notmentioned` for `NotMentioned`, `very_likely` for `Very likely`."""
    return NOT_A_WORD.sub("_", label.lower()).strip("_")


def _metrics_of(apart: Sequence[str]) -> list[Metric]:
    """Precision, recall and F1 of single labels; a case that neither expects nor is given a label does not count."""
    measures = {
        "{0}_precision = {0}_tp / {0}_predicted": "Share of the answers '{}' that are right.",
        "{0}_recall = {0}_tp / {0}_gold": "Share of the cases that are '{}' which were given that label.",
        "{0}_f1 = {0}_f1_top / {0}_f1_bottom": "Balance of recall and precision of the label '{}'.",
    }
    return [
        metric
        for label in apart
        for metric in ratios("labels", {each.format(slug(label)): measures[each].format(label) for each in measures})
    ]
