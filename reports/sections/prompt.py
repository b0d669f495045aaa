"""Section: what the models were asked: system message, template and one rendered example of each suite."""

from __future__ import annotations

import re

from harness.schema import SuiteInfo
from reports.cases.exchange import asked, chat
from reports.model import Block, Passage, Section
from reports.run_data import RunView

LONGEST = 4_000
"""Most characters of an input in the example."""
SETTING = re.compile(r"\{%.*?%\}\s*", re.DOTALL)
FILLED = re.compile(r"\{\{.*?\}\}")
TASK_WORDS = 3
"""Fewest words of a line that says the task; shorter ones only introduce what is filled in."""
LEAD = "One template, filled from each case and the same for every model."


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        if suite.prompt:
            blocks += _passages(evidence, suite)
    return Section(id="prompt", title="What was asked", lead=LEAD, blocks=blocks) if blocks else None


def _passages(evidence: RunView, suite: SuiteInfo) -> list[Block]:
    template = Passage(caption=f"Prompt template of {suite.name}", note=_opening(suite), text=suite.prompt)
    answer = next(iter(evidence.index.tuned(suite.name)), None)
    if answer is None:
        return [template]
    case = evidence.source.read(answer.number).case
    if not chat(suite, case):
        return [template]
    _, text, note = asked(suite, case, LONGEST)
    return [template, Passage(caption=f"The prompt of case {case.id}", note=note, text=text)]


def _opening(suite: SuiteInfo) -> str:
    """Return the template's first line of text of its own, which says the task."""
    lines = [line.strip() for line in SETTING.sub("", suite.prompt).splitlines()]
    return next((line for line in lines if len(FILLED.sub("", line).split()) >= TASK_WORDS), "")
