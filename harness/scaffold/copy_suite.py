"""Copy a shipped suite under a new name, with the modules that it shares with others, so that the copy is complete.

Cases that a suite's `cases.py` makes of documents are written into the copy's cases.jsonl, and that module stays out,
as do modules that only it needs.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec

from harness import __version__
from harness.errors import UserError
from harness.scaffold.paths import write_into
from harness.suites.discovery import SHIPPED

DROPPED = {"baseline.json", "noise.json"}
"""Files about the shipped suite that do not apply to a copy."""
SKIPPED_FOLDERS = {"__pycache__", "texts"}
"""Caches, and the documents that built cases are made of."""
TEXT = {".py", ".md", ".toml", ".jinja"}
BUILT = re.compile(r"^from evalsuites\S*\.cases import eval_cases\n", re.M)
"""The import of the function that makes a suite's cases."""
IMPORT = re.compile(r"^(\s*)from evalsuites((?:\.\w+)*) import (.+)$", re.M)


def shipped() -> list[str]:
    """List the names of the suites that can be copied."""
    return sorted(path.parent.relative_to(SHIPPED).as_posix() for path in SHIPPED.glob("*/*/gates.toml"))


def source_folder(name: str) -> Path:
    """Return the folder of a shipped suite. Raises UserError for an unknown name."""
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
            (folder / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / inner)
            continue
        called = f"test_{suite}.py" if inner.as_posix() == f"test_{source.name}.py" else inner.as_posix()
        moved[called] = _renamed(path.read_text("utf-8"), old, new)
    _write_built_cases(moved, old, f"test_{suite}.py")
    _add_shared_modules(moved, new, name)
    readme = moved.get("README.md", f"# {name}\n")
    moved["README.md"] = _readme_of_copy(readme, name, f"{domain}/{suite}")
    write_into(folder, moved)


def _write_built_cases(moved: dict[str, str], old: str, test_file: str) -> None:
    """Put the cases that the suite's `eval_cases` makes into cases.jsonl, and let the copy's suite read them there."""
    if not BUILT.search(moved[test_file]):
        return
    cases = import_module(f"evalsuites.{old}.cases").eval_cases()
    moved["cases.jsonl"] = msgspec.json.Encoder().encode_lines(cases).decode("utf-8")
    moved[test_file] = BUILT.sub("", moved[test_file]).replace("cases=eval_cases", 'cases="cases.jsonl"')
    del moved["cases.py"]
    needed = "\n".join(text for called, text in moved.items() if called.endswith(".py"))
    for called in [called for called in moved if re.fullmatch(r"[a-z_]+\.py", called)]:
        module = called.removesuffix(".py")
        if not module.startswith(("test_", "__")) and not re.search(rf"^from \S+\.{module} import", needed, re.M):
            del moved[called]


def _files(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        if path.is_file() and path.name not in DROPPED and not SKIPPED_FOLDERS & set(inner.parts):
            yield path


def _renamed(text: str, old: str, new: str) -> str:
    """Rename imports, commands and paths to those of the copy."""
    text = re.sub(rf"\bevalsuites\.{re.escape(old)}(?!\w)", f"evalsuites.{new}", text)
    old, new = old.replace(".", "/"), new.replace(".", "/")
    return re.sub(rf"\bevalsuites/{re.escape(old)}(?!\w)", f"evalsuites/{new}", text)


def _add_shared_modules(moved: dict[str, str], new: str, name: str) -> None:
    """Copy shared modules into the copy, and change its imports to them."""
    waiting = [path for path in moved if path.endswith(".py")]

    def local_import(match: re.Match[str]) -> str:
        indent, package, names = match.groups()
        if package.startswith(f".{new}"):
            return match[0]
        module = _shared_module(package, names)
        if module is None:
            other = "/".join(package.split(".")[1:3])
            raise UserError(f"--from {name}: it is built from {other} and needs it. Copy {other}")
        if module.name not in moved:
            moved[module.name] = module.read_text("utf-8")
            waiting.append(module.name)
        inner = f".{module.stem}" if package.endswith(f".{module.stem}") else ""
        return f"{indent}from evalsuites.{new}{inner} import {names}"

    while waiting:
        path = waiting.pop()
        moved[path] = IMPORT.sub(local_import, moved[path])


def _shared_module(package: str, names: str) -> Path | None:
    """Return the file of the module that `from evalsuites<package> import <names>` loads, unless a suite owns it."""
    below = [part for part in package.split(".") if part]
    for parts in (below, [*below, names.strip()]):
        file = SHIPPED.joinpath(*parts).with_suffix(".py") if parts else SHIPPED
        if len(parts) <= 2 and file.is_file():
            return file
    return None


def _readme_of_copy(readme: str, old: str, new: str) -> str:
    """Return the README under the new name, with its origin; source and licence stay as they are."""
    title, _, rest = readme.partition("\n")
    note = (
        f"*A copy of `{old}`, which comes with tunegate {__version__}. Source, licence and limits below are "
        "those of the original: keep them with its cases, and describe your changes. Modules and texts named below "
        "that are not in this folder are the original's too.*"
    )
    return f"{title.replace(old, new)}\n\n{note}\n{rest}"
