"""Hooks of mkdocs: pages outside docs/, stars in the navigation, and a link to the published repository.

A link in a page leads where it leads in the repository: pages outside docs/ that the navigation names become pages of
the site, other files that are linked to are copied to it. Reports below docs/examples are copied as they are.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OUTSIDE = "../"
"""How the path of a file beside docs/ begins, seen from there."""
BEHIND = re.compile(r"^( *`{3,}\w+) .*$", re.M)
"""The opening line of a block of Markdown with more than its language."""
REPORTS = "examples/*/*.md"
"""Markdown that is no page."""
REPOSITORY = "TUNEGATE_REPOSITORY"
"""Environment variable with the address of the published repository. The theme's `repo_url` would query its host."""
SHOWN: Any = {"inclusion": InclusionLevel.INCLUDED}
"""Whatever patterns say that are meant for docs/."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put in what the navigation's stars stand for, and a link to the repository below every page."""
    config.nav = _spread(config.nav)
    if address := os.environ.get(REPOSITORY):
        config.extra["social"] = [{"icon": "fontawesome/brands/git-alt", "link": address, "name": "Repository"}]
    return config


def on_page_markdown(markdown: str, **page: Any) -> str:
    """Leave out the words behind a block's language, which are for the tests that run it: mkdocs takes none."""
    return BEHIND.sub(r"\1", markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the navigation's pages that lie outside docs/, and reports as they are."""
    found = Repository(files)
    found.config = config
    for report in DOCS.glob(REPORTS):
        found.append(AsItIs(_seen_from_docs(report), str(DOCS), config.site_dir, config.use_directory_urls, **SHOWN))
    for path in _paths(config.nav):
        if path.startswith(OUTSIDE):
            found.append(_outside(path, config))
    return found


class Repository(Files):
    """The files of docs/, and by need those beside it, by their paths as seen from docs/."""

    config: MkDocsConfig

    def get_file_from_path(self, path: str) -> File | None:
        path = path.removeprefix(f"{OUTSIDE}{DOCS.name}/")
        found = super().get_file_from_path(path)
        if found is None and path.startswith(OUTSIDE) and not path.endswith(".md") and (DOCS / path).is_file():
            found = _outside(path, self.config)
            self.append(found)
        return found


class AsItIs(File):
    """A file that is copied, whatever its name."""

    def is_documentation_page(self) -> bool:
        return False


def _outside(path: str, config: MkDocsConfig) -> File:
    """A file outside docs/; on the site it has its path in the repository, where no folder is hidden."""
    shown = "/".join(part.lstrip(".") for part in PurePosixPath(path.removeprefix(OUTSIDE)).parts)
    place = File(shown, None, config.site_dir, config.use_directory_urls)
    return File(path, str(DOCS), config.site_dir, config.use_directory_urls, dest_uri=place.dest_uri, **SHOWN)


def _spread(nav: Any) -> Any:
    """The navigation with a path for every file that a path with a star fits, below docs/ or beside it."""
    if isinstance(nav, dict):
        return {title: _spread(entry) for title, entry in nav.items()}
    if isinstance(nav, str):
        return _fitting(nav)[0]
    if isinstance(nav, list):
        return [one for entry in nav for one in (_fitting(entry) if isinstance(entry, str) else [_spread(entry)])]
    return nav


def _fitting(path: str) -> list[str]:
    found = sorted(DOCS.glob(path)) or sorted(ROOT.glob(path))
    if not found:
        return [] if "*" in path else [path]
    return [_seen_from_docs(file) for file in found]


def _seen_from_docs(file: Path) -> str:
    inside = file.is_relative_to(DOCS)
    return file.relative_to(DOCS).as_posix() if inside else OUTSIDE + file.relative_to(ROOT).as_posix()


def _paths(nav: Any) -> list[str]:
    """Every path of a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [path for entry in entries for path in _paths(entry)]
