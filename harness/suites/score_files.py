"""Find what decides a suite's scores and is in no scorer's version: a factory's arguments and a project's files."""

from __future__ import annotations

import ast
import inspect
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path, PurePath
from textwrap import dedent
from types import CellType, FunctionType
from warnings import catch_warnings

from harness.files import absolute, files_below, text_sha256
from harness.scoring.source_files import HARNESS, INSTALLED, SUITES, source_files

GATES = "gates.toml"
APART = f"{GATES} baseline.json noise.json approval.toml cases.* floor.py train* test_* conftest.py .* *.pyc".split()
"""Names in a suite's folder that decide no score, or have a digest of their own."""


def factory_arguments(scorer: object) -> list[str]:
    """Return the plain values and functions in a scorer's closure; none where `config` is in its version."""
    has_config = getattr(scorer, "config", None) is not None
    closure = () if has_config else getattr(getattr(scorer, "function", scorer), "__closure__", None) or ()
    return [text for cell in closure if cell != CellType() for text in _plain(cell.cell_contents)]


def _plain(value: object) -> list[str]:
    if isinstance(value, str) and os.path.isabs(value):  # noqa: PTH117 - a Path of each word is slow
        return [Path(value).name]  # The same in every copy of the project.
    if value is None or isinstance(value, str | int | float):
        return [repr(value)]
    if isinstance(value, FunctionType):
        return _code_of(value)
    if isinstance(value, dict):
        return [str(sorted((_plain(key), _plain(inner)) for key, inner in value.items()))]
    if isinstance(value, set | frozenset | list | tuple):
        parts = [_plain(inner) for inner in value]
        return [str(parts if isinstance(value, list | tuple) else sorted(parts))]
    return []


def _code_of(function: FunctionType) -> list[str]:
    """Return a function's source, or its name where it comes with tunegate or a package, whose versions count."""
    file = Path(function.__code__.co_filename)
    if file.is_relative_to(INSTALLED / HARNESS) or "site-packages" in file.parts:
        return [] if "<locals>" in function.__qualname__ else [f"{function.__module__}.{function.__qualname__}"]
    with suppress(OSError):
        return [dedent(inspect.getsource(function))]
    return []


def deciding_files(test: Path, sources: Iterable[Path], apart: Sequence[Path | None]) -> dict[str, str]:
    """Digest, by name, what `sources` import from the project, and the files that they name or list by a pattern.

    Such files count in the suite's folder, and below `evalsuites` outside of other suites. `test` is the suite's test
    file, which may name some, too. Those in `apart` are left out. A suite that comes with tunegate has none: its files
    change with the release.
    """
    root = next((around.parent for around in test.parents if around.name == SUITES), None)
    if root is None or root.samefile(INSTALLED):
        return {}
    imported = _imported(sources, root)
    texts = [file.read_text("utf-8", errors="replace") for file in sorted({test, *imported})]
    code, patterns = "\n".join(texts), {pattern for text in texts for pattern in _patterns(text)}
    shared = [file for file in _in_folder(root / SUITES, code, patterns) if file.suffix != ".py"]
    found = {*imported, *_in_folder(test.parent, code, patterns), *shared} - {*map(absolute, filter(None, apart))}
    return {file.relative_to(root).as_posix(): text_sha256(file) for file in sorted(found)}


def _patterns(code: str) -> Iterator[str]:
    """Yield the last parts of the patterns by which code lists files; `*` where it lists all of a folder."""
    for node in _nodes(code):
        name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if name in ("iterdir", "listdir", "scandir"):
            yield "*"
        elif isinstance(node, ast.Call) and name in ("glob", "iglob", "rglob"):
            parts = [part for argument in node.args for part in ast.walk(argument)]
            texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            is_plain = texts and not any(isinstance(part, ast.JoinedStr) for part in parts)
            yield PurePath(texts[-1]).name if is_plain else "*"


def _nodes(code: str | bytes) -> Iterator[ast.AST]:
    """Yield the parts of Python code; none where it cannot be read."""
    with suppress(SyntaxError, ValueError), catch_warnings(action="ignore"):
        yield from ast.walk(ast.parse(code))


def _in_folder(folder: Path, code: str, patterns: Iterable[str]) -> Iterator[Path]:
    """Yield the files in a folder and its folders, but in those of other suites, that code names or patterns find."""
    for path in files_below(folder, "*"):
        within = path.relative_to(folder).parents
        is_apart = any(fnmatch(path.name, name) for name in APART) or any(
            (folder / up / GATES).exists() for up in within[:-1]
        )
        is_listed = any(fnmatch(path.name, pattern) for pattern in patterns)
        if not is_apart and (is_listed or re.search(rf"\b{re.escape(path.name.removesuffix('.py'))}\b", code)):
            yield path


def _imported(sources: Iterable[Path], root: Path) -> set[Path]:
    """Return the files of the project that are imported, also indirectly, and also from its root."""
    reached: set[Path] = set()
    pending = [file for source in sources for file in source_files(source)]
    while pending:
        file = pending.pop()
        shipped = any(file.is_relative_to(INSTALLED / package) for package in (HARNESS, SUITES))
        if file not in reached and file.is_relative_to(root) and not shipped and "site-packages" not in file.parts:
            reached.add(file)
            pending += [inner for module in _modules(file, root) for inner in source_files(module)]
    return reached


def _modules(file: Path, root: Path) -> Iterator[Path]:
    """Yield the modules in the project's root that a file imports, with the packages around them."""
    names: set[str] = set()
    for node in _nodes(file.read_bytes()):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    for name in names:
        place = root
        for part in name.split(".") if name.partition(".")[0] not in (HARNESS, SUITES) else ():
            place /= part
            yield from filter(Path.is_file, (place / "__init__.py", place.parent / f"{part}.py"))
