"""Finds the fenced blocks of the documents, with the words behind their language. Runs nothing.

A block of commands is ```sh; the words behind it say what it needs and how it ends:

    exit=1      it ends with this code (0 where nothing is said)
    ctrl-c      its last command runs until Ctrl-C, which it gets once it has said where it listens
    minutes     takes minutes, or the real model: only its command lines are read where there is no time for it
    cuda        needs a CUDA device, or several machines with one
    cloud       needs a cloud, or programs that are not tunegate's, such as Docker
"""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md", "deploy/README.md", "evalsuites/*/*/README.md")
FENCE = re.compile(r"( *)(`{3,})(.*)")
NOT_RUN = ("cuda", "cloud")
WORDS = re.compile(r"exit=\d+|ctrl-c|minutes|cuda|cloud")
COMMAND = re.compile(r" *(\$ )?(tunegate|pytest|make|pip|uv|python3?|docker|torchrun|accelerate|vllm|ray) [-\w./]")
NAMED = re.compile(r"`([\w./-]+\.(?:py|toml|jinja|jsonl?))`")
CODE = ("python", "json", "toml", "yaml", "jinja", "text", "mermaid")
"""Languages of blocks that are read and not typed. What a command prints is `text`, without the command."""


class Block(Struct, frozen=True, kw_only=True):
    page: str
    """Path of its page from the root of the repository."""
    line: int
    """Where it opens."""
    language: str
    """The first word of the fence; empty where there is none."""
    words: tuple[str, ...]
    """The others."""
    text: str
    """What is in it, without the fence's indentation."""

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def exit(self) -> int:
        """Code that it ends with."""
        return next((int(word.removeprefix("exit=")) for word in self.words if word.startswith("exit=")), 0)

    def has(self, *words: str) -> bool:
        """Whether one of the words stands behind its language."""
        return any(word in self.words for word in words)


def pages() -> list[str]:
    """Every page that may hold commands, as a path from the root."""
    return sorted({path.relative_to(ROOT).as_posix() for pattern in PAGES for path in ROOT.glob(pattern)})


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks_of(page: str, text: str) -> list[Block]:
    """The fenced blocks of a page in their order."""
    return [part for part in _parts(page, text) if isinstance(part, Block)]


def commands_of(page: str) -> list[Block]:
    """Its blocks of commands."""
    return [block for block in blocks_of(page, text_of(page)) if block.language == "sh"]


def files_of(page: str) -> dict[str, str]:
    """Files that a page shows whole, by the path that stands alone in backticks in the line before."""
    found, before = {}, ""
    for part in _parts(page, text_of(page)):
        if isinstance(part, Block):
            paths = NAMED.findall(before)
            found |= {paths[0]: part.text} if len(paths) == 1 and before.endswith(":") else {}
            before = ""
        else:
            before = part[1].strip() or before
    return found


def faults(page: str, text: str) -> list[str]:
    """What would keep a command from being run: blocks without a language, unknown words, commands elsewhere."""
    found = []
    for part in _parts(page, text):
        if not isinstance(part, Block):
            number, line = part
            if line.startswith("    ") and COMMAND.match(line):
                found.append(f"{page}:{number}: a command that is only indented. Put it into a block: ```sh")
        elif part.language == "sh":
            unknown = [word for word in part.words if not WORDS.fullmatch(word)]
            found += [f"{part.where}: '{word}' behind ```sh means nothing" for word in unknown]
        elif part.language not in CODE:
            found.append(f"{part.where}: ```{part.language}, expected sh for commands, or {', '.join(CODE)}")
        elif part.language == "text" and any(map(COMMAND.match, part.text.splitlines())):
            found.append(f"{part.where}: a command in a block of text. Put it into a block of its own: ```sh")
    return found


def _parts(page: str, text: str) -> Iterator[Block | tuple[int, str]]:
    """Blocks, and between them numbered lines."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.fullmatch(lines[at])
        if opening is None:
            yield at + 1, lines[at]
            at += 1
            continue
        indent, fence, said = opening.groups()
        close = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == fence), len(lines))
        language, *words = said.split() or [""]
        inside = "".join(f"{line.removeprefix(indent)}\n" for line in lines[at + 1 : close])
        yield Block(page=page, line=at + 1, language=language, words=tuple(words), text=inside)
        at = close + 1
