"""Find the case that a logged answer is to: by its id, or by the text of its prompt or of an input."""

from __future__ import annotations

from harness.answer_logs.logged import LoggedAnswer
from harness.files import digest
from harness.suites.prompts import messages
from harness.suites.suite import Suite


class NoCase(Exception):
    """Why an answer belongs to no case."""


class CaseFinder:
    """The cases of a suite by their ids and texts; of a text that several cases share, none."""

    def __init__(self, suite: Suite) -> None:
        self._ids = {case.id for case in suite.cases}
        self._texts: dict[str, str | None] = {}
        for case in suite.cases:
            chat = messages(suite.template, case)
            texts = [*case.input.values(), chat[-1]["content"], "\n\n".join(turn["content"] for turn in chat)]
            for key in {_key(text) for text in texts}:
                self._texts[key] = None if key in self._texts else case.id

    def find(self, answer: LoggedAnswer) -> str:
        """Return the id of the answer's case. Raises NoCase where there is none, or more than one."""
        by_id = self._ids.intersection(answer.ids)
        by_text = {name for text in answer.prompts if (name := self._texts.get(_key(text)))}
        found = by_id | by_text
        if len(found) == 1:
            return found.pop()
        named = f"{answer.where} (id {answer.ids[0]!r})" if answer.ids else answer.where
        raise NoCase(f"{named} fits {' and '.join(sorted(found))}" if found else named)


def _key(text: str) -> str:
    """Return the digest of a text without regard to white space."""
    return digest(" ".join(text.split()).encode("utf-8", "replace"))
