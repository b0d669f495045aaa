"""Create a suite from answers or as a copy of a shipped one, and the project's settings; a suite is checked first."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.approval.policy import policy_path, renew
from harness.errors import UserError
from harness.files import NOT_TOML
from harness.runs.project import DEFAULT, FILE, SUITES
from harness.scaffold.copy_suite import copy_suite, source_folder
from harness.scaffold.paths import place, refuse_taken, write_into
from harness.scaffold.render import BASE, files_of, import_command
from harness.scaffold.wizard import Ask, answers

if TYPE_CHECKING:
    from harness.suites.suite import Suite

Say = Callable[[str], None]

TUNEGATE, PYTEST = "[tool.tunegate]", "[tool.pytest.ini_options]"
OF_PYTEST = ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg")
"""Files that can set pytest's root."""


def create_suite(
    domain: str, suite: str, given: Mapping[str, str | None], ask: Ask | None, say: Say, defaults: bool
) -> list[str]:
    """Write a suite from answers, and return the closing lines."""
    refuse_taken(domain, suite)
    known = answers(given, ask, say, defaults)
    files = files_of(domain, suite, known)
    power: list[str] = []

    def fill(folder: Path) -> None:
        write_into(folder, files)
        power.extend(_checked(folder))

    target = place(domain, suite, fill)
    return [
        f"written: {target} ({', '.join(sorted(files))})",
        *add_settings(Path.cwd()),
        f"objective: {known['objective']}",
        *power,
        _required(target),
        *_next(target, import_command(domain, suite, known["kind"])),
    ]


def copy(source: str, domain: str, suite: str, given: Mapping[str, str | None]) -> list[str]:
    """Write a copy of a shipped suite, and return the closing lines."""
    source_folder(source)
    options = [f"--{flag}" for flag, text in given.items() if text is not None]
    if options:
        raise UserError(f"--from copies a suite with its objective and gates: leave out {', '.join(options)}")
    target = place(domain, suite, lambda folder: copy_suite(source, domain, suite, folder))
    return [
        f"written: {target}, a copy of {source}; README.md has the source and licence of its cases",
        *add_settings(Path.cwd()),
        _required(target),
        *_next(target, f"tunegate power {target}"),
    ]


def _checked(folder: Path) -> list[str]:
    """Load the suite as a run does, and return what its cases can show."""
    from harness.gates.config import load_suite_gates
    from harness.gates.power_view import power_summary
    from harness.suites.prompts import messages

    suite = only_suite(folder)
    gates = load_suite_gates(suite, None)
    for case in suite.cases:
        messages(suite.template, case)
    return power_summary(suite, gates)


def _required(target: Path) -> str:
    """Add the new suite to the approval policy, and return what was done."""
    try:
        renew([only_suite(target)], add_new=True)
    except UserError as problem:
        return f"not added to the approval policy: {problem}. Then add it with `tunegate approval --suite {target}`"
    return f"written: {policy_path()}; a model must pass this suite before it is merged or served"


def only_suite(folder: Path) -> Suite:
    """Load the only suite of a folder. Raises UserError for none or several."""
    from harness.suites.discovery import find_suites

    suites = list(find_suites([str(folder)]))
    if len(suites) != 1:
        raise UserError(f"{folder}: {len(suites)} suites were found, expected one in a test_*.py of the folder itself")
    return suites[0]


def _next(target: Path, second: str) -> list[str]:
    return [
        "",
        "next:",
        f"  pytest {target}",
        f"  {second}",
        f"  tunegate compare {BASE} YOUR_MODEL --suite {target}",
    ]


def add_settings(folder: Path) -> list[str]:
    """Write or extend pyproject.toml, and return a line about it. Existing settings are kept. Raises UserError."""
    file = folder / FILE
    try:
        before = file.read_bytes().decode() if file.exists() else ""
        tool = tomllib.loads(before).get("tool", {})
        missing = _missing(folder, tool, is_new=not file.exists())
        added = "".join(f"{header}\n{keys}\n" for header, keys in missing.items())
        gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        tomllib.loads(before + gap + added)
        if missing:
            with file.open("ab") as opened:
                opened.write((gap + added.rstrip("\n") + "\n").encode())
    except NOT_TOML as error:
        return [f'{FILE} was left as it is ({error}). Add {TUNEGATE} with runs = "{DEFAULT}"']
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror}). The suite is complete without it") from None
    done = f"added to {FILE}: {{}}" if before else f"written: {FILE} ({{}})"
    return [done.format(", ".join(missing))] if missing else []


def _missing(folder: Path, tool: dict[str, object], is_new: bool) -> dict[str, str]:
    """Sections to add, by their header."""
    sections = {}
    if "tunegate" not in tool:
        sections[TUNEGATE] = f'# Folder of the run folders, from here.\nruns = "{DEFAULT}"\n'
    if "pytest" not in tool and not any((folder / name).exists() for name in OF_PYTEST):
        paths = f'testpaths = ["{SUITES}"]\n' if is_new else ""
        sections[PYTEST] = f"# pytest takes this folder as its root, wherever a checkpoint is.\n{paths}"
    return sections
