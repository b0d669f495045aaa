"""Tokenised rows with a loss mask, shortened to the maximum length, and the general text that measures forgetting."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import refuse_all
from harness.suites.prompts import Renderer, UntrainableTurns
from training.data.rows import TrainingRow

BORDER = 8
"""Tokens of a prompt that a cut leaves on each side of special tokens and answers: the role's name and some text.

Zephyr's `<|assistant|>` between line breaks, which is no token of its own, is eight.
"""


class Document(Struct, frozen=True, kw_only=True):
    """One tokenised row."""

    ids: list[int]
    """(tokens,): token IDs."""
    mask: list[int]
    """(tokens,): 1 where the token is learnt; the first is always 0."""
    where: str = ""
    """`file:line` of its row, for messages."""
    is_distilled: bool = False
    """Whether the base model's probabilities are learnt in place of the tokens."""
    in_context: Document | None = None
    """What the base model reads where its row has a context: the same learnt tokens after more turns."""
    shortest: int = 0
    """Smallest data.max_length that training accepts for its row."""

    @property
    def answers(self) -> int:
        """Number of learnt tokens."""
        return sum(self.mask)


class Dataset(Struct, frozen=True, kw_only=True):
    """All tokenised rows of a training or validation set."""

    documents: list[Document]
    """One per row, in the files' order."""
    rows_cut: int
    """Rows whose prompt was shortened."""
    tokens_cut: int
    """Prompt tokens that were dropped."""
    answers_expected: int
    """Tokens of the answer texts alone, each with its end token; differs from `answers` where the mask is wrong."""

    @property
    def tokens(self) -> int:
        """Number of tokens of all documents."""
        return sum(len(d.ids) for d in self.documents)

    @property
    def answers(self) -> int:
        """Number of learnt tokens of all documents."""
        return sum(d.answers for d in self.documents)

    @property
    def facts(self) -> dict[str, int]:
        """The numbers that a run records."""
        return {
            "rows": len(self.documents),
            "tokens": self.tokens,
            "answer_tokens": self.answers,
            "answer_tokens_expected": self.answers_expected,
            "rows_cut": self.rows_cut,
            "tokens_cut": self.tokens_cut,
        }


def encode(rows: Sequence[TrainingRow], renderer: Renderer, max_length: int, distil_replay: bool = False) -> Dataset:
    """Render every row, and shorten the prompts of those with more than `max_length` tokens.

    Raises UserError that lists every row whose turns cannot be trained as they are served, or else every row without an
    answer or with one that does not fit.
    """
    documents: list[Document] = []
    problems: list[str] = []
    tokens_cut = rows_cut = 0
    rendered = render_all([(row.where, row.chat) for row in rows], renderer, problems)
    refuse_all(problems, "rows that cannot be trained on")
    masks = [mask for _, mask in rendered]
    in_context = _in_context(rows, masks, renderer, max_length, problems) if distil_replay else {}
    for row, (ids, mask) in zip(rows, rendered, strict=True):
        excess, shortest = len(ids) - max_length, shortest_length(ids, mask, renderer.marker_ids)
        if not any(mask):
            problems.append(f"{row.where}: it has no answer tokens. Expected an assistant message with text")
        elif shortest > max_length:
            problems.append(
                f"{row.where}: {len(ids)} tokens, {sum(mask)} of them answer, do not fit into data.max_length = "
                f"{max_length} by cutting the prompt. Raise it, or shorten the answer"
            )
        else:
            if excess > 0:
                ids, mask = cut_prompt(ids, mask, excess, renderer.marker_ids)
                rows_cut, tokens_cut = rows_cut + 1, tokens_cut + excess
            is_distilled = distil_replay and row.is_replay
            context = in_context.get(row.where)
            documents.append(
                Document(
                    ids=ids,
                    mask=mask,
                    where=row.where,
                    is_distilled=is_distilled,
                    in_context=context,
                    shortest=max(shortest, len(context.ids) if context else 0),
                )
            )
    refuse_all(problems, "rows that cannot be trained on")
    return Dataset(
        documents=documents,
        rows_cut=rows_cut,
        tokens_cut=tokens_cut,
        answers_expected=_answer_tokens(rows, renderer),
    )


def _answer_tokens(rows: Sequence[TrainingRow], renderer: Renderer) -> int:
    """Count the tokens of all assistant texts, without template or mask, plus one end token each."""
    contents = [turn.content for row in rows for turn in row.messages if turn.role == "assistant"]
    return sum(len(ids) + 1 for ids in renderer.tokenizer(contents, add_special_tokens=False)["input_ids"])


def _in_context(
    rows: Sequence[TrainingRow], masks: Sequence[list[int]], renderer: Renderer, max_length: int, problems: list[str]
) -> dict[str, Document]:
    """Return what the base model reads, by place of the row, for rows with a context; `masks` are those without it."""
    learnt = {row.where: sum(mask) for row, mask in zip(rows, masks, strict=True) if row.base_context}
    rows = [row for row in rows if row.base_context]
    rendered = render_all([(row.where, row.chat_in_context) for row in rows], renderer, problems)
    documents = {}
    for row, (ids, mask) in zip(rows, rendered, strict=True):
        places = set([at for at, is_answer in enumerate(mask) if is_answer][-learnt[row.where] :])
        documents[row.where] = Document(ids=ids, mask=[int(at in places) for at in range(len(ids))], where=row.where)
        if len(ids) > max_length:
            problems.append(
                f"{row.where}: {len(ids)} tokens with its context do not fit into data.max_length = {max_length}"
            )
    return documents


def render_all(
    chats: Sequence[tuple[str, Sequence[dict[str, str]]]], renderer: Renderer, problems: list[str]
) -> list[tuple[list[int], list[int]]]:
    """Return token IDs and mask of conversations named by the places of their rows; add unusable ones to problems."""
    rendered = []
    for where, chat in chats:
        try:
            rendered.append(renderer.training(chat))
        except UntrainableTurns as error:
            problems.append(f"{where}: {error}")
            rendered.append(([], []))
    return rendered


def cut_prompt(ids: list[int], mask: list[int], excess: int, special: Collection[int]) -> tuple[list[int], list[int]]:
    """Drop `excess` tokens, at most those above `shortest_length`, from the middle of the longest prompt stretch.

    Its start (instruction), its end (question), what the template writes at special tokens, and answers are kept.
    """
    droppable = _droppable(ids, mask, special)
    first = (len(droppable) - excess + 1) // 2
    dropped = set(droppable[first : first + excess])
    kept = [at for at in range(len(ids)) if at not in dropped]
    return [ids[at] for at in kept], [mask[at] for at in kept]


def shortest_length(ids: Sequence[int], mask: Sequence[int], special: Collection[int]) -> int:
    """Return the fewest tokens to which `cut_prompt` shortens a row."""
    return len(ids) - len(_droppable(ids, mask, special))


def _droppable(ids: Sequence[int], mask: Sequence[int], special: Collection[int]) -> list[int]:
    """Return the places, away from borders, in the longest stretch without learnt tokens."""
    ends = [-1, *(at for at, learnt in enumerate(mask) if learnt), len(mask)]
    start, end = max(itertools.pairwise(ends), key=lambda stretch: stretch[1] - stretch[0])
    borders = [start, *(at for at in range(start + 1, end) if ids[at] in special), end]
    return [at for a, b in itertools.pairwise(borders) for at in range(a + 1 + BORDER, b - BORDER)]


GENERAL_TEXT = Path(__file__).with_name("general.txt")


def general_documents(renderer: Renderer) -> list[Document]:
    """Tokenise the general text, one document per paragraph; every token but the first counts for the loss."""
    documents = []
    for paragraph in GENERAL_TEXT.read_text("utf-8").split("\n\n"):
        ids = list(renderer.tokenizer.encode(" ".join(paragraph.split())))
        documents.append(Document(ids=ids, mask=[0] + [1] * (len(ids) - 1)))
    return documents
