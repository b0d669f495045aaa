"""Find the suites below a folder, and make the packages around a suite's file importable."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import harness
from harness.errors import Unavailable, UserError, own_code
from harness.files import READABLE, absolute, digest, files_below, shown_path
from harness.suites.suite import Suite

SUITES = "evalsuites"
"""The folder of suites, in a project and in the installed package: one namespace that all of them share."""
SHIPPED = Path(harness.__file__).parents[1] / SUITES
"""The suites that were installed with the harness."""
_AT_IMPORT: dict[Path, str] = {}
"""Digest of each file that decides scores, from when a suite first imported it in this process."""


def find_suites(folders: Iterable[str]) -> Iterator[Suite]:
    """Import every test file below the folders and yield the suites that they declare, for commands without pytest.

    A folder may also be named from `evalsuites`. A suite behind a symbolic link has the name of the link.

    Raises UserError where a folder has no test file, where two suites have one name, where another module declared the
    suite of a file, or where this process has imported another version of a file that decides the scores.
    """
    by_name: dict[str, tuple[Suite, Path]] = {}
    files: dict[Path, None] = {}
    for root in folders:
        path = Path(root) if Path(root).exists() else Path("evalsuites", root)
        below = files_below(path, "test_*.py") if path.is_dir() else [path]
        if not below or not below[0].exists():
            raise UserError(f"{root}: no suite was found. Name a folder with a test_*.py that declares a Suite")
        if below[0].suffix != ".py":
            raise UserError(f"{root}: is no suite. Name the folder of the suite, or its test_*.py")
        files |= {absolute(file): None for file in below}
    for file in files:
        module = _load(file)
        for suite in vars(module).values():
            if not isinstance(suite, Suite):
                continue
            if problem := misplaced(suite, file):
                raise UserError(problem)
            declared = Path(suite.declared_at.rpartition(":")[0])
            if suite.folder != file.parent:
                continue  # It is found in its own file.
            first, where = by_name.setdefault(suite.name, (suite, file))
            is_one = first is suite or (first.declared_at == suite.declared_at and declared in (where, file))
            if not is_one:
                raise UserError(name_clash(first, suite))
            if file in (declared, where):  # Not in one that imports it from there.
                suite.is_long = any(mark.name == "long" for mark in marks_of(module))
                by_name[suite.name] = suite, file
    yield from (suite for suite, _ in by_name.values())


def available(suites: Iterable[Suite], long_with: str = "") -> tuple[list[Suite], list[str]]:
    """Return the suites whose data is on this machine, and why each of the others cannot run.

    `long_with` names the option that runs suites marked long, which are left out then. Raises UserError for bad cases.
    """
    found: list[Suite] = []
    left_out: list[str] = []
    for suite in suites:
        try:
            if suite.is_long and long_with:
                raise Unavailable(f"{suite.name} is marked long: run it with {long_with}")
            suite.cases  # noqa: B018 - loading them is the check
            found.append(suite)
        except Unavailable as missing:
            left_out.append(str(missing))
    return found, left_out


def gates_without_suite(folders: Iterable[str | Path], suites: Iterable[Suite]) -> list[str]:
    """Name every gates.toml below the folders that no suite has: its test file was renamed, left out or broken."""
    known = {suite.gates_path for suite in suites}
    roots = (Path(folder) for folder in folders if Path(folder).is_dir())
    files = (absolute(file) for root in roots for file in files_below(root, "gates.toml"))
    return [
        f"{shown_path(file)} belongs to no suite that was found" for file in dict.fromkeys(files) if file not in known
    ]


def marks_of(source: object) -> list[Any]:
    """Return pytest's marks of a function or module, from decorators or `pytestmark`."""
    declared: Any = getattr(source, "pytestmark", [])
    marks: list[Any] = declared if isinstance(declared, list) else [declared]
    return [getattr(mark, "mark", mark) for mark in marks]


def name_clash(first: Suite, second: Suite) -> str:
    """The error of two suites with one name, which one run could not tell apart."""
    places = (shown_path(Path(suite.declared_at)) for suite in (first, second))
    return (
        f"{first.name} is the name of two suites, {' and '.join(places)}, expected one suite per "
        "DOMAIN/SUITE folder. Move one of them into a folder with another name"
    )


def misplaced(suite: Suite, file: Path) -> str:
    """The error of a suite in this file that another module declared; empty for its own, and for one of another suite.

    Its folder would be that module's, so that neither it nor its gates would be found.
    """
    if suite.folder == file.parent or suite.gates_path.is_file():
        return ""
    return (
        f"{shown_path(file)}: its suite was declared at {shown_path(Path(suite.declared_at))}, expected in this file: "
        f"a suite belongs to the folder of the file that calls Suite(...). Call it in {file.name}"
    )


def open_packages(file: Path) -> None:
    """Make every package around `file` importable by its dotted name.

    Packages are the folders above it that hold an __init__.py, and all up to one called `evalsuites`, with or without.
    Installed suites stay importable; a user's own come first. Nothing is put on sys.path, where a user's folder called
    `reports` would hide tunegate's.
    """
    folders = _packages_of(file)
    for depth, folder in enumerate(folders, 1):
        _open(".".join(part.name for part in folders[:depth]), folder)


def _load(file: Path) -> ModuleType:
    """Run a suite's file, even if it was imported before; what it imports is not imported again."""
    before = {name: _real(path) for name, module in dict(sys.modules).items() if (path := _file_of(module))}
    _refuse_stale(file, before, is_run=True)
    outermost = [*_packages_of(file), file.parent][0]
    with own_code(f"{shown_path(file)}: cannot be imported", outermost, BaseException):  # As of sys.exit, pytest.skip.
        open_packages(file)
        module = _imported(importlib.util.spec_from_file_location(".".join(file.with_suffix("").parts[-4:]), file))
    scorers = [scorer for suite in vars(module).values() if isinstance(suite, Suite) for scorer in suite.scorers]
    sources = {_file_of(sys.modules[scorer.__module__]): None for scorer in scorers if scorer.__module__ in sys.modules}
    for source in map(absolute, filter(None, sources)):
        if source != file:
            _refuse_stale(source, before)
    return module


def _refuse_stale(file: Path, places: Mapping[str, Path], is_run: bool = False) -> None:
    """Refuse a file that is, or that imports, an older version of a file or another project's, among `places` by name.

    They are not imported again instead, because pytest and the user may hold on to what is in them. `is_run` says that
    the file itself will be.
    """
    from harness.scoring.source_files import source_files

    try:
        sources = source_files(file)
    except (SyntaxError, UnicodeDecodeError):
        return  # Its import says what is wrong.
    except OSError as error:
        raise UserError(f"{shown_path(Path(error.filename))}: cannot be read ({error.strerror}). {READABLE}") from None
    imported = set(places.values())
    for source in sources:
        real, now = source.resolve(), digest(source.read_bytes())
        name = ".".join([part.name for part in _packages_of(source)] + [source.stem]).removesuffix(".__init__")
        if real not in imported or (is_run and source == file):
            _AT_IMPORT[real] = now
        elif _AT_IMPORT.setdefault(real, now) != now:
            raise UserError(f"{shown_path(source)}: changed since it was imported; restart the kernel or the program")
        if "." in name and places.get(name, real) != real and source != file:
            raise UserError(
                f"{shown_path(source)}: {name} was imported from {shown_path(places[name])}; restart the kernel or the "
                "program, and evaluate each project in a process of its own"
            )


@cache
def _real(path: str) -> Path:
    """Where a module's file was when it was first seen: thousands are imported, and each suite asks for all of them."""
    return Path(path).resolve()


def _file_of(module: ModuleType) -> str | None:
    return getattr(module, "__file__", None)


def _packages_of(file: Path) -> list[Path]:
    """Folders around `file` that are packages, the outermost first."""
    root = next(folder for folder in file.parents if not (folder / "__init__.py").is_file())
    suites = next((folder for folder in file.parents if folder.name == SUITES), None)
    if suites is not None and root.is_relative_to(suites):
        root = suites.parent
    return [folder for folder in reversed(file.parents) if folder != root and folder.is_relative_to(root)]


def _open(name: str, folder: Path) -> None:
    package = sys.modules.get(name) or _new_package(name, folder)
    if hasattr(package, "__path__"):
        shipped = SHIPPED.parent.joinpath(*name.split("."))
        last = [str(shipped)] if shipped.is_relative_to(SHIPPED) else []
        package.__path__ = list(dict.fromkeys([str(folder), *package.__path__, *last]))


def _new_package(name: str, folder: Path) -> ModuleType:
    """An imported package, or a namespace where the folder has no __init__.py."""
    init = folder / "__init__.py"
    if init.is_file():
        return _imported(importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)]))
    return _imported(ModuleSpec(name, None, is_package=True))


def _imported(spec: ModuleSpec | None) -> ModuleType:
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)
    return module
