"""Find the user's project, its folder of runs and its trackers, from `[tool.tunegate]` in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from harness.errors import UserError
from harness.files import NOT_TOML, read_toml

FILE = "pyproject.toml"
SUITES = "evalsuites"
DEFAULT = "runs"
"""Default folder of the run folders."""
EXPECTED = '[tool.tunegate] takes two keys: runs = "FOLDER", track = ["TRACKER"]'


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
    return project / _settings(project).runs


def trackers_of(here: Path) -> list[str]:
    """Return the trackers of the project around `here`. Raises UserError as `runs_of` does."""
    return _settings(project_of(here)).track


class _Settings(Struct, forbid_unknown_fields=True):
    """The section [tool.tunegate]."""

    runs: str = DEFAULT
    """Folder of the run folders."""
    track: list[str] = field(default_factory=list)
    """Trackers that results are sent to."""


def _settings(project: Path) -> _Settings:
    file = project / FILE
    section = _section(read_toml(file, EXPECTED)) if _is_project(project) else None
    try:
        return msgspec.convert({} if section is None else section, _Settings)
    except msgspec.ValidationError:
        raise UserError(f"{file}: tool.tunegate is {section!r}. {EXPECTED}") from None


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
