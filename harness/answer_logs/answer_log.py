"""The answers of one model to the cases of one suite, read from a log and checked as a whole."""

from __future__ import annotations

import tempfile
import weakref
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.answer_logs import answers
from harness.answer_logs.logged import LoggedAnswer
from harness.errors import UserError, refuse_all
from harness.files import MEMORY_BYTES, digest, file_sha256, shown_path
from harness.formatting import count, first_few
from harness.schema import Checkpoint, Completion
from harness.suites.prompts import messages
from harness.suites.suite import Suite

LONGEST_ANSWER = 1 << 20
"""Most characters of one answer."""


class AnswerLog:
    """Answers by case and repeat: in memory while they are few, then in a temporary file."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        """Name of the format in FORMATS."""
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        self._places: dict[tuple[str, int], tuple[int, int]] = {}
        self.sha256 = ""
        """Of the log."""
        self.model = Checkpoint(name="", kind="imported", path="", digest="")
        """The model that answered, as far as the log names it."""

    @property
    def repeats(self) -> int:
        """The most answers to one case."""
        return max((repeat for _, repeat in self._places), default=0)

    def has(self, case_id: str, repeats: int) -> bool:
        """Whether a case has so many answers."""
        return all((case_id, repeat) in self._places for repeat in range(1, repeats + 1))

    def add(self, case_id: str, answer: LoggedAnswer) -> bool:
        """Store an answer; False where the case has one of this repeat."""
        if (case_id, answer.repeat) in self._places:
            return False
        data = msgspec.msgpack.encode(answer)
        self._places[case_id, answer.repeat] = self._file.tell(), len(data)
        self._file.write(data)
        return True

    def completion(self, case_id: str, repeat: int) -> Completion:
        """Return an answer as a completion; tokens and times are not known."""
        start, size = self._places[case_id, repeat]
        self._file.seek(start)
        answer = msgspec.msgpack.decode(self._file.read(size), type=LoggedAnswer)
        return Completion(
            key=digest([self.model.digest, case_id, repeat]),
            text="" if answer.error else answer.text,
            finish_reason="error" if answer.error else "length" if answer.is_cut else "stop",
            prompt_tokens=0,
            output_tokens=0,
            error=" ".join(answer.error.split())[:500] or None,
        )


class NoCase(Exception):
    """Why an answer belongs to no case."""


class CaseFinder:
    """The cases of a suite by their ids and texts; of texts that several cases share, none."""

    def __init__(self, suite: Suite) -> None:
        self._ids = {case.id for case in suite.cases}
        cases: dict[frozenset[str], str | None] = {}
        for case in suite.cases:
            chat = messages(suite.template, case)
            inputs = [text for text in case.input.values() if text.strip()]
            named_by = [inputs, [chat[-1]["content"]], ["\n\n".join(turn["content"] for turn in chat)]]
            for keys in {frozenset(map(_key, texts)) for texts in named_by if texts}:
                cases[keys] = None if keys in cases else case.id
        frequency = Counter(key for keys in cases for key in keys)
        self._by_rarest: dict[str, list[tuple[frozenset[str], str | None]]] = {}
        """By the rarest of its texts, the texts that together name a case, or None where several have them."""
        for keys, case_id in cases.items():
            rarest = min(keys, key=lambda key: frequency[key])
            self._by_rarest.setdefault(rarest, []).append((keys, case_id))

    def find(self, answer: LoggedAnswer) -> str:
        """Return the id of the answer's case. Raises NoCase where there is none, or more than one.

        Texts that contain all texts of another case, which has fewer inputs, do not name that one too.
        """
        by_id = self._ids.intersection(answer.ids)
        given = {_key(text) for text in answer.prompts}
        fitting = {keys: name for key in given for keys, name in self._by_rarest.get(key, ()) if keys <= given}
        by_text = {name for keys, name in fitting.items() if name and not any(keys < other for other in fitting)}
        found = by_id | by_text
        if len(found) == 1:
            return found.pop()
        named = f"{answer.where} (id {answer.ids[0]!r})" if answer.ids else answer.where
        raise NoCase(f"{named} fits {' and '.join(sorted(found))}" if found else named)


def _key(text: str) -> str:
    """Return the digest of a text without regard to white space."""
    return digest(" ".join(text.split()).encode("utf-8", "replace"))


NAMELESS = "{answers} without a model in a log of several, the first: {first}. Add the model, or leave them out"
STRANGE = (
    "{answers} without a case in {suite}, the first: {first}. Answers are matched by case id, or by the text of the "
    "prompt or of all inputs. Leave them out, or name their suite"
)
DOUBLED = "{answers} to cases that have one already, the first: {first}. Leave one of the two out"


def read_log(path: Path, form: str, suite: Suite, model: str | None = None, option: str = "--model") -> AnswerLog:
    """Read the answers of `model`; None: of the only one in the log. `option` is where the user names the model.

    Raises UserError for a log that cannot be read or has several models, for answers to no case, and for two answers
    to one case.
    """
    where, log, finder = shown_path(path), AnswerLog(form), CaseFinder(suite)
    models: dict[str, None] = {}
    refused: dict[str, list[str]] = {NAMELESS: [], STRANGE: [], DOUBLED: []}
    try:
        for answer in answers(path, form):
            models[answer.model] = None
            if not answer.model:
                refused[NAMELESS].append(answer.where)
            if answer.model not in ("", model or next(filter(None, models), "")):
                continue
            if len(answer.text) > LONGEST_ANSWER:
                raise UserError(
                    f"{where}: {answer.where}: the answer has {len(answer.text):,} characters, expected at most "
                    f"{LONGEST_ANSWER:,}. Leave it out of the log"
                )
            try:
                case_id = finder.find(answer)
            except NoCase as problem:
                refused[STRANGE].append(str(problem))
            else:
                if not log.add(case_id, answer):
                    refused[DOUBLED].append(f"'{case_id}' at {answer.where}")
        log.sha256 = file_sha256(path)
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror}). Name the log that {form} wrote") from None
    named = [name for name in models if name]
    name = _the_model(named, model, where, option) or path.stem
    if len(named) < 2:
        refused[NAMELESS].clear()
    problems = [
        problem.format(answers=count(len(places), "answer"), suite=suite.name, first=places[0])
        for problem, places in refused.items()
        if places
    ]
    if not models:
        problems.append("has no answer. Name the log of a finished evaluation")
    refuse_all([f"{where}: {problem}" for problem in problems], where)
    log.model = Checkpoint(
        name=name,
        kind="imported",
        path="",
        digest=digest(["imported", form, name, log.sha256]),
        pinned_by="name",
        unpinned_because=f"imported from {form} ({path.name}, SHA-256 {log.sha256[:12]})",
    )
    return log


def _the_model(named: Sequence[str], model: str | None, where: str, option: str) -> str | None:
    """Return the name of the model whose answers were read; None where neither log nor user names one."""
    if model is None and len(named) > 1:
        raise UserError(
            f"{where}: has answers of {len(named)} models: {first_few(named, 10)}. Choose one with {option}"
        )
    if model is not None and named and model not in named:
        raise UserError(f"{where}: has no answer of '{model}'. Choose one with {option}: {first_few(named, 10)}")
    return model or next(iter(named), None)
