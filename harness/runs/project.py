"""Find the user's project and its folder of runs, from `[tool.tunegate]` in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import NOT_TOML, read_toml

FILE = "pyproject.toml"
SUITES = "evalsuites"
DEFAULT = "runs"
"""Default folder of the run folders."""
EXPECTED = '[tool.tunegate] takes one key: runs = "FOLDER"'


def project_of(here: Path) -> Path:
    """Find the nearest folder, from `here` upwards, whose pyproject.toml has [tool.tunegate] or is next to evalsuites.

    Returns `here` itself where there is none.
    """
    return next((folder for folder in (here, *here.parents) if _is_project(folder)), here)


def runs_of(given: str | Path | None, here: Path) -> Path:
    """Return the folder of the run folders: `given`, relative to `here`, or that of the project around `here`.

    Raises UserError for a [tool.tunegate] that cannot be used.
    """
    if given is not None:
        return here / given
    project = project_of(here)
    file = project / FILE
    section = _section(read_toml(file, EXPECTED)) if _is_project(project) else None
    if section is None:
        return project / DEFAULT
    if not isinstance(section, dict) or set(section) - {"runs"} or not isinstance(section.get("runs", DEFAULT), str):
        raise UserError(f"{file}: tool.tunegate is {section!r}. {EXPECTED}")
    return project / str(section.get("runs", DEFAULT))


def _is_project(folder: Path) -> bool:
    file = folder / FILE
    if not file.is_file():
        return False
    try:
        return (folder / SUITES).is_dir() or _section(tomllib.loads(file.read_text("utf-8"))) is not None
    except (OSError, *NOT_TOML):  # The file of another project.
        return False


def _section(content: dict[str, Any]) -> Any:
    """Return [tool.tunegate], or whatever has its place."""
    tool = content.get("tool")
    return tool.get("tunegate") if isinstance(tool, dict) else None
