"""Add a project's settings to its pyproject.toml: the folder of runs, and the root of pytest."""

from __future__ import annotations

import tomllib
from pathlib import Path

from harness.errors import UserError
from harness.files import NOT_TOML
from harness.runs.project import DEFAULT, FILE, SUITES

TUNEGATE, PYTEST = "[tool.tunegate]", "[tool.pytest.ini_options]"
OF_PYTEST = ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg")
"""Files that can set pytest's root."""


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
