"""Follow the import statements of a Python file to the files that decide what its functions return."""

from __future__ import annotations

import ast
import inspect
import os
import sys
import tokenize
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness.files import absolute, digest

INSTALLED = Path(__file__).parents[2]
"""The folder of the packages harness and evalsuites."""
HARNESS, SCORING, SUITES = "harness", "harness/scoring", "evalsuites"
NAMESPACE = {"from pkgutil import extend_path", "__path__ = extend_path(__path__, __name__)"}
"""Statements of an `__init__.py` that only shares a package; `tunegate init` writes them."""


def source_digest(module: str) -> str:
    """Digest the text of all `source_files` of an imported module, independent of its name and the project's place."""
    first, *others = source_files(Path(inspect.getfile(sys.modules[module])))
    texts = {"": _text(first)}
    for other in others:
        name = _name(other, first.parent)
        texts[name] = texts.get(name, "") + _text(other)
    return digest(texts)


def source_files(file: Path) -> list[Path]:
    """List the file and what it imports, also inside functions and indirectly: scorers, and the project's own files.

    Its own files are those of a package around it, those next to it, and the __init__.py files above it in evalsuites.
    """
    reached: dict[Path, None] = {}
    pending = [absolute(file)]
    while pending:
        file = pending.pop()
        if file not in reached:
            reached[file] = None
            pending += [*_packages(file), *_imported(file, _text(file))]
    return list(reached)


def _packages(file: Path) -> Iterator[Path]:
    """Yield the __init__.py files of evalsuites with code that Python runs before it imports one of its files."""
    suites = next((folder for folder in file.parents if folder.name == SUITES), file)
    for init in (folder / "__init__.py" for folder in file.parents if folder.is_relative_to(suites)):
        code = _parsed(_text(init)).body if init.is_file() else []
        docs = (part for part in code if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        if {*map(ast.unparse, code)} - {*map(ast.unparse, docs)} - NAMESPACE:
            yield init


def _name(file: Path, folder: Path) -> str:
    """Name a file by its place in harness or in evalsuites, wherever they are, or else relative to `folder`."""
    if file.is_relative_to(INSTALLED / HARNESS):
        return file.relative_to(INSTALLED).as_posix()
    root = next((parent.parent for parent in file.parents if parent.name == SUITES), folder)
    return Path(os.path.relpath(file, root)).as_posix()


def _text(file: Path) -> str:
    with tokenize.open(file) as opened:
        return opened.read()


@cache
def _imported(file: Path, text: str) -> list[Path]:
    """Return the files that one file imports, without what they import."""
    found: list[Path | None] = []
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.Import):
            found += [_first(_module(place) for place in _places(file, alias.name)) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [_source_of(file, node, alias.name) for alias in node.names]
    harness, scoring = INSTALLED / HARNESS, INSTALLED / SCORING
    return [path for path in found if path and (path.is_relative_to(scoring) or not path.is_relative_to(harness))]


def _source_of(file: Path, node: ast.ImportFrom, name: str) -> Path | None:
    """Return the file that `from ... import name` takes the name from; an __init__.py of harness only passes it on."""
    module = node.module or ""
    places = [file.parents[node.level - 1] / module.replace(".", "/")] if node.level else _places(file, module)
    for place in places:
        if found := _module(place / name) or _module(place):
            passes_on = found.name == "__init__.py" and found.is_relative_to(INSTALLED / HARNESS)
            if passes_on and found not in (file, place / name / "__init__.py"):
                for inner in _parsed(_text(found)).body:
                    passed = {a.asname or a.name: a.name for a in getattr(inner, "names", ())}
                    if isinstance(inner, ast.ImportFrom) and name in passed:
                        return _source_of(found, inner, passed[name])
            return found
    return None


def _places(file: Path, module: str) -> Iterator[Path]:
    """Yield where a module of the project, or an installed scorer or suite, may be, without the suffix."""
    top, inner = module.partition(".")[0], module.replace(".", "/")
    if top != HARNESS:
        yield from (folder.parent / inner for folder in file.parents if folder.name == top)
        if "site-packages" not in file.parts:
            yield file.parent / inner
    if top in (HARNESS, SUITES):
        yield INSTALLED / inner


def _module(place: Path) -> Path | None:
    return _first(path for path in (place / "__init__.py", place.parent / f"{place.name}.py") if path.is_file())


def _first(paths: Iterator[Path | None]) -> Path | None:
    return next((path for path in paths if path), None)


def _parsed(text: str) -> ast.Module:
    """Parse a file; one that cannot be parsed was not imported, and imports nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except SyntaxError:
            return ast.Module([], [])
