"""Find the user's project, its trackers and its runs, from `[tool.tunegate]` in pyproject.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from harness.errors import NOT_JSON, UserError
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


def suites_of(here: Path) -> Path | None:
    """Return the nearest folder `evalsuites`, from `here` upwards."""
    return next((folder / SUITES for folder in (here, *here.parents) if (folder / SUITES).is_dir()), None)


def refuse_below_project(here: Path, may_begin: bool = False) -> None:
    """Raise UserError in a folder without suites inside a project, where a second project would begin.

    With `may_begin` a new project may begin, but not inside the suites of another.
    """
    project = project_of(here)
    is_inside = here.is_relative_to(project / SUITES) if may_begin else project != here
    if is_inside and not (here / SUITES).is_dir():
        raise UserError(f"your project is {project}: run this command there, not in {here}")


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


LATEST = "latest"
"""Given for a run: the one that started last."""


def names_latest(checkpoint: str) -> bool:
    """Whether a user who names this checkpoint means the newest training run: a folder may have the name too."""
    return checkpoint == LATEST and not Path(checkpoint).exists()


class _Start(Struct):
    """The fields of run.json that tell which run is the latest."""

    kind: str = ""
    started: str = ""


def find_run(text: str, root: Path, kind: str = "eval") -> Path:
    """Find a run folder by its path, its name, a unique part of its name, or `latest`. Raises UserError.

    `latest` is the run of this kind that started last; of runs that started in one second, the one written last.
    """
    with suppress(OSError):  # The text may be longer than a file name can be.
        if (Path(text) / "run.json").exists():
            return Path(text)
    if text == LATEST:
        newest = next(runs_newest_first(root, kind), None)
        if newest is None:
            raise UserError(f"run '{LATEST}': no {kind} run in {root.resolve()}. `tunegate runs` lists the runs")
        return root / newest
    names = _names(root)
    hits = [n for n in names if n == text] or [n for n in names if text in n]
    if len(hits) == 1:
        return root / hits[0]
    problem = f"{len(hits)} runs match" if hits else "no run has that name"
    raise UserError(f"run '{text}': {problem} in {root.resolve()}. `tunegate runs` lists the runs")


def runs_newest_first(root: Path, kind: str | None = None) -> Iterator[str]:
    """Yield the names of the runs in a folder, of one kind or of all; folders that cannot be read are skipped."""
    started: list[tuple[str, int, str]] = []
    for name in _names(root):
        file = root / name / "run.json"
        with suppress(OSError, *NOT_JSON):
            start = msgspec.json.decode(file.read_bytes(), type=_Start)
            if kind in (None, start.kind):
                started.append((start.started, file.stat().st_mtime_ns, name))
    yield from (name for *_, name in sorted(started, reverse=True))


def _names(root: Path) -> list[str]:
    """Name the runs of a folder, without those that this user may not open."""
    return [p.name for p in root.iterdir() if os.access(p / "run.json", os.F_OK)] if root.is_dir() else []
