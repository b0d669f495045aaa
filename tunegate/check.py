"""Validate suites and training configurations without a model, such as before a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from _pytest.outcomes import OutcomeException

from harness.errors import Unavailable, UserError, refuse_all, typed_line
from harness.files import absolute, files_below, read_toml, shown_path
from harness.formatting import count
from harness.suites.discovery import SUITES, find_suites, name_clash

if TYPE_CHECKING:
    from harness.suites.suite import Suite

EXPECTED = "Name a suite's folder or one of its files, or a training configuration with 'base' and [data]"


def check(paths: Iterable[Path]) -> Iterator[str]:
    """Yield a line for each suite and training configuration that is valid, or whose data is not on this machine.

    A file of a suite stands for its suite; one outside a suite's folder for all suites of its `evalsuites`. Raises one
    UserError for all problems.
    """
    problems: list[str] = []
    configurations: dict[Path, None] = {}
    tests: dict[Path, list[Path]] = {}
    for path in paths:
        try:
            if _is_configuration(path):
                configurations[path] = None
            else:
                tests[path] = _test_files(absolute(path))
        except UserError as error:
            problems.append(str(error))
    works: list[tuple[Callable[[Path], Iterator[str]], Path]] = [(_configuration, file) for file in configurations]
    of_suites = partial(_suites, {})
    works += [(of_suites, file) for file in dict.fromkeys(file for files in tests.values() for file in files)]
    without_suite: set[Path] = set()
    for work, file in works:
        try:
            lines = list(work(file))
        except UserError as error:
            problems.append(str(error))
        except (Exception, SystemExit, OutcomeException) as error:  # A suite's own code can raise anything.
            problems.append(f"{shown_path(file)}: cannot be checked: {typed_line(error)}")
        else:
            yield from lines
            without_suite |= set() if lines else {file}
    empty = [path for path, files in tests.items() if without_suite.issuperset(files)]
    problems += [f"{shown_path(path)}: belongs to no suite. {EXPECTED}" for path in empty]
    refuse_all(problems, "not valid")


def _is_configuration(path: Path) -> bool:
    """Whether it has a table or key of a training configuration. Raises UserError for a path that cannot be read."""
    from training.config import Config

    if not path.exists():
        raise UserError(f"{path}: does not exist. {EXPECTED}")
    return path.suffix == ".toml" and not read_toml(path, EXPECTED).keys().isdisjoint(Config.__struct_fields__)


def _test_files(path: Path) -> list[Path]:
    """Return the test files of a folder's suites, or of the suite that a file belongs to."""
    if path.is_dir():
        return files_below(path, "test_*.py")
    root = next((folder for folder in path.parents if folder.name == SUITES), path.parent)
    above = (folder for folder in path.parents if folder.is_relative_to(root))
    folder = next((folder for folder in above if (folder / "gates.toml").is_file()), root)
    return files_below(root, "test_*.py") if folder.name == SUITES else sorted(folder.glob("test_*.py"))


def _configuration(file: Path) -> Iterator[str]:
    from training.config_file import load

    load(file)
    yield f"{file}: valid"


def _suites(seen: dict[tuple[Path | None, str], Suite], file: Path) -> Iterator[str]:
    """Yield the lines of a file's suites; `seen` has those of files before, by their project's folder and name."""
    from harness.gates.config import load_suite_gates, unjudged_cases

    root = next((folder for folder in file.parents if folder.name == SUITES), None)
    for suite in find_suites([str(file)]):
        first = seen.setdefault((root, suite.name), suite)
        if first.declared_at != suite.declared_at:
            raise UserError(name_clash(first, suite))
        try:
            refuse_all(_problems(suite), suite.name)
        except Unavailable as missing:
            yield f"{suite.name}: not checked: {missing}"
        else:
            yield f"{suite.name}: valid, {count(len(suite.cases), 'case')}"
            yield from (*suite.warnings(), *unjudged_cases(load_suite_gates(suite, None), suite))


def _problems(suite: Suite) -> list[str]:
    """List what a run would refuse before it starts: gates, cases, prompts, and gates and tests without a case."""
    from harness.gates.config import gate_ids, load_suite_gates
    from harness.suites.prompts import messages

    steps: tuple[Callable[[], object], ...] = (
        lambda: load_suite_gates(suite, None),
        lambda: suite.structure,
        lambda: [messages(suite.template, case) for case in suite.cases],
        lambda: gate_ids(load_suite_gates(suite, None), suite.slice_values(), suite.name),
        lambda: refuse_all([problem for test in suite.tests for problem in test.problems()], suite.name),
    )
    problems: list[str] = []
    for step in steps:
        try:
            step()
        except Unavailable:
            raise
        except UserError as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))
