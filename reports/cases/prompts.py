"""What a model was asked: the messages of a case, from the prompt template in the run's manifest."""

from __future__ import annotations

from harness.schema import Case, SuiteInfo
from harness.suites.prompts import Message, recorded_messages
from reports import wording
from reports.cases.read import EXCERPT, shown_input

DOCUMENT, PROMPT = "Document", "Prompt"
"""What a case's excerpt is of."""


def asked(suite: SuiteInfo, case: Case, longest: int = EXCERPT) -> tuple[str, str, str]:
    """Return what the excerpt of a case is of, its text, and how much of the input it holds.

    Inputs are cut to `longest` characters before the template is filled. Runs of older versions hold no template: of
    these the input is shown.
    """
    whole = shown_input(case.input)
    messages = chat(suite, case, longest)
    if messages:
        size = sum(len(text) for text in case.input.values())
        left = sum(max(0, len(text) - longest) for text in case.input.values())
        note = f"as sent; {wording.excerpt(size - left, size)} of the case"
        return PROMPT, "\n\n".join(f"{m['role']}: {m['content']}" for m in messages), note
    return DOCUMENT, whole[:longest], wording.excerpt(min(longest, len(whole)), len(whole))


def chat(suite: SuiteInfo, case: Case, longest: int = EXCERPT) -> list[Message]:
    """Return the messages of a case with its inputs cut; empty where the run holds no template that can be filled."""
    given = {name: text[:longest] + (" […]" if len(text) > longest else "") for name, text in case.input.items()}
    return recorded_messages(suite.prompt, Case(id=case.id, input=given, expected=case.expected, cluster=case.cluster))
