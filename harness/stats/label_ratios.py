"""What a label's own number is, by the kind of mean over labels that it goes into. Knows no mean; loads no library."""

from collections.abc import Callable
from typing import Any

Numbers = Any
"""Whole numbers, or arrays of them of one shape."""


def f1(tp: Numbers, fp: Numbers, fn: Numbers) -> tuple[Numbers, Numbers]:
    """Balance of recall and precision, where the label has gold or a prediction."""
    return 2 * tp, 2 * tp + fp + fn


def recall(tp: Numbers, fp: Numbers, fn: Numbers) -> tuple[Numbers, Numbers]:
    """Share of the label's gold that is found, where it has any.

    Its mean is balanced accuracy where each case has one label: an answer that is no label at all lowers its gold
    label's recall.
    """
    return tp, tp + fn


LABEL_RATIOS: dict[str, Callable[[Numbers, Numbers, Numbers], tuple[Numbers, Numbers]]] = {
    "macro_f1": f1,
    "macro_recall": recall,
}
"""True positives, false positives and false negatives to what stands above and below a label's line, by `Metric.kind`.

A label with 0 below has no number and is not in the mean.
"""
