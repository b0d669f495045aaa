"""Put a suite's folder in place: whole or not at all, and never over another."""

from __future__ import annotations

import contextlib
import keyword
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError
from harness.files import shown_path
from harness.runs.project import refuse_below_project

ROOT = Path("evalsuites")
"""The folder of the suites, below the current one."""
ROOT_PACKAGE = '''"""Suites, one folder per domain and in it one per suite."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # The suites that came with tunegate stay importable.
'''


def refuse_taken(domain: str, suite: str) -> None:
    """Raise UserError for a name that is taken, and below the root of a project."""
    refuse_below_project(Path.cwd(), may_begin=True)
    target = ROOT / domain / suite
    if os.path.lexists(target):
        raise UserError(f"{target} exists, and nothing is overwritten. Name another suite, such as {domain}/second")
    for folder in (ROOT, ROOT / domain):
        if os.path.lexists(folder) and not folder.is_dir():
            raise UserError(f"{folder} is not a folder, expected one for suites. Move it, or start in another folder")


def place(domain: str, suite: str, fill: Callable[[Path], None]) -> Path:
    """Let `fill` write into a folder of its own, and move that to evalsuites/DOMAIN/SUITE when all of it is there.

    `fill` may load the suite as if it were in place: its folder is already in an evalsuites/DOMAIN. Raises UserError.
    """
    refuse_taken(domain, suite)
    target = ROOT / domain / suite
    try:
        with tempfile.TemporaryDirectory(prefix=".tunegate-init-", dir=Path.cwd()) as work:
            staged = Path(work) / target
            staged.mkdir(parents=True)
            for folder in (staged.parents[1], staged.parent):
                _as_package(folder)
            fill(staged)
            with _packages(target):
                staged.rename(target)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise UserError(f"{target}: cannot be written ({what}). Nothing was left behind") from None
    return target


@contextmanager
def _packages(target: Path) -> Iterator[None]:
    """Make the folders above the suite packages; those created are removed where the block fails."""
    created: list[Path] = []
    try:
        for folder in (target.parents[1], target.parent):
            if not folder.exists():
                folder.mkdir()
                created.append(folder)
            if not (folder / "__init__.py").exists():
                created.append(_as_package(folder))
        yield
    except BaseException:
        for path in reversed(created):
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise


def _as_package(folder: Path) -> Path:
    """Write an __init__.py, so that suites of one name in two domains stay apart under pytest."""
    path = folder / "__init__.py"
    with path.open("x", encoding="utf-8") as file:
        file.write(ROOT_PACKAGE if folder.name == ROOT.name else '"""Suites."""\n')
    return path


def write_into(folder: Path, files: dict[str, str]) -> None:
    """Write files by name, with the same line ends on every system."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")


NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FIRST = "first"
"""Name of a suite where only a domain is given."""


def suite_name(text: str) -> tuple[str, str]:
    """Parse domain and suite of `contracts/first`, `contracts`, or the path of a suite's folder. Raises UserError."""
    parts = shown_path(Path(text.strip())).split("/")
    if len(parts) > 1 and parts[0] == "evalsuites":
        parts = parts[1:]
    if len(parts) > 2:
        raise UserError(f"{text!r} has {len(parts)} parts, expected DOMAIN or DOMAIN/SUITE, such as contracts/first")
    for part in parts:
        _check(part, text)
    return parts[0], parts[1] if len(parts) == 2 else FIRST


def _check(part: str, text: str) -> None:
    if NAME.fullmatch(part) and not keyword.iskeyword(part):
        return
    near = re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_0123456789")[:40].strip("_")
    write = f"Write {near!r}" if near and not keyword.iskeyword(near) else "Write a name such as contracts/first"
    raise UserError(
        f"{text!r}: {part!r} cannot name a folder of Python code, expected small letters, digits and '_' after a first "
        f"letter. {write}"
    )


def plain_name(text: str, option: str) -> str:
    """Check the name of an input or a tag. Raises UserError."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) or keyword.iskeyword(text):
        raise UserError(f"{option}: {text!r} is not a name, expected letters, digits and '_', such as document")
    return text


def named_columns(given: Iterable[str] | None, option: str) -> dict[str, str]:
    """Parse `name=COLUMN` options into a table; a bare COLUMN is its own name."""
    by_name: dict[str, str] = {}
    for text in given or []:
        name, _, column = text.partition("=")
        if plain_name(name, option) in by_name:
            raise UserError(f"{option} {name} is given twice. Name each once")
        by_name[name] = column or name
    return by_name
