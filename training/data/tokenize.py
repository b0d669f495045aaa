"""Turns rows into token ids with a loss mask, and shortens what is too long. Knows no model and no batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import refuse_all
from harness.suites.prompts import Renderer
from training.data.rows import TrainingRow

LEAST_PROMPT = 8


class Document(Struct, frozen=True, kw_only=True):
    ids: list[int]
    """Token ids."""
    mask: list[int]
    """1 where the token is learnt; the first is always 0."""
    where: str = ""
    """`file:line` of its row, for messages."""

    @property
    def answers(self) -> int:
        """Tokens that are learnt."""
        return sum(self.mask)


class Dataset(Struct, frozen=True, kw_only=True):
    documents: list[Document]
    """One a row, in the files' order."""
    rows_cut: int
    """Rows whose prompt was shortened."""
    tokens_cut: int
    """Prompt tokens that were left out."""
    answers_expected: int
    """Tokens of the answers as their texts alone give them, each with its end token; `answers` must be the same."""

    @property
    def tokens(self) -> int:
        """Tokens of all documents."""
        return sum(len(d.ids) for d in self.documents)

    @property
    def answers(self) -> int:
        """Learnt tokens of all documents."""
        return sum(d.answers for d in self.documents)

    @property
    def facts(self) -> dict[str, int]:
        """What a run records of it."""
        return {
            "rows": len(self.documents),
            "tokens": self.tokens,
            "answer_tokens": self.answers,
            "answer_tokens_expected": self.answers_expected,
            "rows_cut": self.rows_cut,
            "tokens_cut": self.tokens_cut,
        }


def encode(rows: Sequence[TrainingRow], renderer: Renderer, max_length: int) -> Dataset:
    """Render every row. One UserError lists every row whose answer does not fit into `max_length` tokens."""
    documents: list[Document] = []
    problems: list[str] = []
    tokens_cut = rows_cut = 0
    rendered = _rendered(rows, renderer)
    for row, ids, mask in zip(rows, rendered["ids"], rendered["mask"], strict=True):
        over = len(ids) - max_length
        if not any(mask):
            problems.append(f"{row.where}: no token is learnt. Expected an assistant message with text")
        elif over > 0 and (kept := cut_prompt(ids, mask, over)) is None:
            problems.append(
                f"{row.where}: {len(ids)} tokens, {sum(mask)} of them answer, do not fit into data.max_length = "
                f"{max_length} by cutting the prompt. Raise it, or shorten the answer"
            )
        else:
            if over > 0:
                assert kept is not None
                ids, mask = kept
                rows_cut, tokens_cut = rows_cut + 1, tokens_cut + over
            documents.append(Document(ids=ids, mask=mask, where=row.where))
    refuse_all(problems, "rows that cannot be trained on")
    return Dataset(
        documents=documents,
        rows_cut=rows_cut,
        tokens_cut=tokens_cut,
        answers_expected=_answer_tokens(rows, renderer),
    )


def _answer_tokens(rows: Sequence[TrainingRow], renderer: Renderer) -> int:
    """Tokens of all assistant contents, tokenised without template or mask, and one end token each."""
    contents = [turn.content for row in rows for turn in row.messages if turn.role == "assistant"]
    return sum(len(ids) + 1 for ids in renderer.tokenizer(contents, add_special_tokens=False)["input_ids"])


def _rendered(rows: Sequence[TrainingRow], renderer: Renderer) -> Any:
    """Columns `ids` and `mask`, rendered through `datasets` in memory."""
    import datasets

    def render(batch: dict[str, list[Any]]) -> dict[str, list[list[int]]]:
        pairs = [renderer.training(chat) for chat in batch["messages"]]
        return {"ids": [ids for ids, _ in pairs], "mask": [mask for _, mask in pairs]}

    datasets.disable_progress_bars()
    table = datasets.Dataset.from_list([{"messages": row.chat} for row in rows])
    done = table.map(render, batched=True, remove_columns=["messages"], new_fingerprint="rendered")
    return {"ids": list(done["ids"]), "mask": list(done["mask"])}


def cut_prompt(ids: list[int], mask: list[int], over: int) -> tuple[list[int], list[int]] | None:
    """Leave `over` tokens out of the middle of the longest stretch of prompt, or None where too little would stay.

    Its start (template header, instruction) and its end (question, answer header) stay, and so does every answer.
    """
    start, end = _longest_prompt(mask)
    left = end - start - over
    if left < LEAST_PROMPT:
        return None
    first = start + (left + 1) // 2
    return ids[:first] + ids[first + over :], mask[:first] + mask[first + over :]


def _longest_prompt(mask: Sequence[int]) -> tuple[int, int]:
    best = (0, 0)
    start = 0
    for at, learnt in enumerate([*mask, 1]):
        if learnt:
            if at - start > best[1] - best[0]:
                best = (start, at)
            start = at + 1
    return best


FILE = Path(__file__).with_name("general.txt")


def documents(renderer: Renderer) -> list[Document]:
    """One document a paragraph; every token but the first is measured."""
    found = []
    for paragraph in FILE.read_text("utf-8").split("\n\n"):
        ids = list(renderer.tokenizer.encode(" ".join(paragraph.split())))
        found.append(Document(ids=ids, mask=[0] + [1] * (len(ids) - 1)))
    return found
