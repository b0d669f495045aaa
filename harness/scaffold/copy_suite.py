"""Copies a suite that comes with tunegate under a new name. Knows no person's answers.

What a suite shares with others is copied beside it, so that the copy stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness import __version__
from harness.errors import UserError
from harness.scaffold.paths import copy_into, write_into
from harness.suites.discovery import SHIPPED

DROPPED = {"baseline.json", "noise.json"}
"""What was accepted or measured for the shipped suite says nothing of a copy."""
SKIPPED_FOLDERS = {"__pycache__"}
TEXT = {".py", ".md", ".toml", ".jinja"}
IMPORT = re.compile(r"^(\s*)from evalsuites((?:\.\w+)*) import (.+)$", re.M)


def shipped() -> list[str]:
    """Names of the suites that can be copied."""
    return sorted(path.parent.relative_to(SHIPPED).as_posix() for path in SHIPPED.glob("*/*/gates.toml"))


def source_folder(name: str) -> Path:
    """Folder of the shipped suite of this name."""
    known = shipped()
    if name not in known:
        raise UserError(f"--from {name!r}: no such suite comes with tunegate. There are: {', '.join(known)}")
    return SHIPPED / name


def copy_suite(name: str, domain: str, suite: str, folder: Path) -> None:
    """Copy the shipped suite `name` into the empty `folder`, as evalsuites/DOMAIN/SUITE."""
    source = source_folder(name)
    old, new = name.replace("/", "."), f"{domain}.{suite}"
    moved: dict[str, str] = {}
    for path in _files(source):
        inner = path.relative_to(source)
        if path.suffix not in TEXT:
            copy_into(folder / inner.parent, path)
            continue
        called = f"test_{suite}.py" if inner.as_posix() == f"test_{source.name}.py" else inner.as_posix()
        moved[called] = _renamed(path.read_text("utf-8"), old, new)
    _with_shared(moved, new, name)
    readme = moved.get("README.md", f"# {name}\n")
    moved["README.md"] = _of_the_copy(readme, name, f"{domain}/{suite}")
    write_into(folder, moved)


def _files(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        if path.is_file() and path.name not in DROPPED and not SKIPPED_FOLDERS & set(inner.parts):
            yield path


def _renamed(text: str, old: str, new: str) -> str:
    """Text in which imports, commands and paths speak of the copy."""
    text = re.sub(rf"\bevalsuites\.{re.escape(old)}(?!\w)", f"evalsuites.{new}", text)
    old, new = old.replace(".", "/"), new.replace(".", "/")
    return re.sub(rf"\bevalsuites/{re.escape(old)}(?!\w)", f"evalsuites/{new}", text)


def _with_shared(moved: dict[str, str], new: str, name: str) -> None:
    """Copy the modules that suites share beside the copy, and let it import them from there."""
    waiting = [path for path in moved if path.endswith(".py")]
    while waiting:
        path = waiting.pop()
        for _, package, names in IMPORT.findall(moved[path]):
            if package.startswith(f".{new}"):
                continue
            module = _shared_module(package, names)
            if module is None:
                other = "/".join(package.split(".")[1:3])
                raise UserError(f"--from {name}: it is built from {other}, and cannot stand alone. Copy {other}")
            if (shared := module.name) not in moved:
                moved[shared] = module.read_text("utf-8")
                waiting.append(shared)
        moved[path] = IMPORT.sub(lambda found: _from_beside(found, new), moved[path])


def _shared_module(package: str, names: str) -> Path | None:
    """File of the one module that `from evalsuites<package> import <names>` is about, where no suite owns it."""
    below = [part for part in package.split(".") if part]
    for parts in (below, [*below, names.strip()]):
        file = SHIPPED.joinpath(*parts).with_suffix(".py") if parts else SHIPPED
        if len(parts) <= 2 and file.is_file():
            return file
    return None


def _from_beside(found: re.Match[str], new: str) -> str:
    indent, package, names = found.groups()
    if package.startswith(f".{new}"):
        return found[0]
    module = _shared_module(package, names)
    assert module is not None
    inner = f".{module.stem}" if package.endswith(f".{module.stem}") else ""
    return f"{indent}from evalsuites.{new}{inner} import {names}"


def _of_the_copy(readme: str, old: str, new: str) -> str:
    """The README under the new name, with where it comes from; source and licence stay as they are."""
    title, _, rest = readme.partition("\n")
    note = (
        f"*A copy of `{old}`, which comes with tunegate {__version__}. What is said below of source, licence and "
        "limits is said of the original: keep it with the cases that are kept, and say what was changed.*"
    )
    return f"{title.replace(old, new)}\n\n{note}\n{rest}"
