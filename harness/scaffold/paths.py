"""Puts a suite's folder where it belongs: whole or not at all, and over nothing. Knows not what is in it."""

from __future__ import annotations

import contextlib
import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError

ROOT = Path("evalsuites")
"""The folder of the suites, below the current one."""
ROOT_PACKAGE = '''"""Suites, one folder per domain and in it one per suite."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # The suites that came with tunegate stay importable.
'''


def refuse_taken(domain: str, suite: str) -> None:
    """Refuse a name under which there is something already."""
    target = ROOT / domain / suite
    if os.path.lexists(target):
        raise UserError(f"{target} exists, and nothing is overwritten. Name another suite, such as {domain}/second")
    for folder in (ROOT, ROOT / domain):
        if os.path.lexists(folder) and not folder.is_dir():
            raise UserError(f"{folder} is no folder, expected one for suites. Move it, or start in another folder")


def place(domain: str, suite: str, fill: Callable[[Path], None]) -> Path:
    """Let `fill` write into a folder of its own, and move that to evalsuites/DOMAIN/SUITE when all of it is there.

    `fill` may look at the suite as if it were in place: the folder already lies in evalsuites/DOMAIN, elsewhere.
    """
    refuse_taken(domain, suite)
    target = ROOT / domain / suite
    try:
        with tempfile.TemporaryDirectory(prefix=".tunegate-init-", dir=Path.cwd()) as work:
            made = Path(work) / target
            made.mkdir(parents=True)
            for folder in (made.parents[1], made.parent):
                _as_package(folder)
            fill(made)
            with _packages(target):
                made.rename(target)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise UserError(f"{target}: cannot be written ({what}). Nothing was left behind") from None
    return target


@contextmanager
def _packages(target: Path) -> Iterator[None]:
    """The folders above the suite, as packages; those that were made go again where the block fails."""
    made: list[Path] = []
    try:
        for folder in (target.parents[1], target.parent):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
            if not (folder / "__init__.py").exists():
                made.append(_as_package(folder))
        yield
    except BaseException:
        for path in reversed(made):
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
    """Write files by name, each with the same line ends on every system."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")


def copy_into(folder: Path, source: Path) -> None:
    """Copy one file into a folder below which it keeps its name."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / source.name)


NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FIRST = "first"
"""What a suite is called where only a domain is named."""


def suite_name(text: str) -> tuple[str, str]:
    """Domain and suite of `contracts/first`, `evalsuites/contracts/first` or `contracts`."""
    parts = text.strip().removesuffix("/").split("/")
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
    """The name of an input or a tag."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) or keyword.iskeyword(text):
        raise UserError(f"{option}: {text!r} is no name, expected letters, digits and '_', such as document")
    return text


def named_columns(given: Iterable[str] | None, option: str) -> dict[str, str]:
    """`name=COLUMN` options as a table; a bare COLUMN names itself."""
    found: dict[str, str] = {}
    for text in given or []:
        name, _, column = text.partition("=")
        if plain_name(name, option) in found:
            raise UserError(f"{option} {name} is given twice. Name each once")
        found[name] = column or name
    return found
