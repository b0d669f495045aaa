"""Leaves out of prompts the lines that all rows of a task begin or end with: the task's instructions. Knows no task.

Rows are of one task where their prompts begin with the same five words. In a task of five different prompts or more,
the lines that all begin with, and all end with, are stock. An instruction inside a line that also holds the document is
not seen as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

OPENING_WORDS = 5
FEWEST_PROMPTS = 5


def without_stock(prompts: Sequence[str]) -> list[str]:
    """Each prompt without its task's stock lines."""
    tasks: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(dict)
    for prompt in prompts:
        tasks[_opening(prompt)].setdefault(prompt, prompt.split("\n"))
    stock = {task: _shared(list(lines.values())) for task, lines in tasks.items() if len(lines) >= FEWEST_PROMPTS}
    return [_cut(prompt, stock.get(_opening(prompt), (0, 0))) for prompt in prompts]


def _opening(prompt: str) -> tuple[str, ...]:
    return tuple(prompt.split(None, OPENING_WORDS)[:OPENING_WORDS])


def _shared(prompts: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Lines that all prompts begin with, and lines that all end with."""
    return _leading(prompts), _leading([lines[::-1] for lines in prompts])


def _leading(prompts: Sequence[Sequence[str]]) -> int:
    first = prompts[0]
    count = min(map(len, prompts))
    for lines in prompts:
        count = next((at for at in range(count) if lines[at] != first[at]), count)
    return count


def _cut(prompt: str, stock: tuple[int, int]) -> str:
    lead, trail = stock
    if not lead and not trail:
        return prompt
    lines = prompt.split("\n")
    return "\n".join(lines[lead : max(lead, len(lines) - trail)])
