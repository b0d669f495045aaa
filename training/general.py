"""The general text whose loss before and after a training shows what it made the model forget. Knows no model."""

from __future__ import annotations

from pathlib import Path

from harness.prompts import Renderer
from training.data import Document

FILE = Path(__file__).with_name("general.txt")


def documents(renderer: Renderer) -> list[Document]:
    """One document a paragraph; every token but the first is measured."""
    found = []
    for paragraph in FILE.read_text("utf-8").split("\n\n"):
        ids = list(renderer.tokenizer.encode(" ".join(paragraph.split())))
        found.append(Document(ids=ids, mask=[0] + [1] * (len(ids) - 1)))
    return found
