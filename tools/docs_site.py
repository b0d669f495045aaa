"""Hooks of mkdocs: pages outside docs/, stars in the navigation, and a link to the published repository.

Links work as in the repository: pages outside docs/ that the navigation names become pages of the site, other linked
files are copied. Reports in docs/examples are copied unchanged.
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
"""Prefix of a path outside docs/, relative to docs/."""
AFTER_LANGUAGE = re.compile(r"^( *`{3,}\w+) .*$", re.M)
"""The opening line of a code block with words after its language."""
REPORTS = "examples/*/*.md"
"""Markdown files that are not pages."""
REPOSITORY = "TUNEGATE_REPOSITORY"
"""Environment variable with the address of the published repository. The theme's `repo_url` would query its host."""
SHOWN: Any = {"inclusion": InclusionLevel.INCLUDED}
"""Include the file, whatever the exclude patterns say."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand the stars in the navigation, and link the repository in the footer."""
    config.nav = _expand(config.nav)
    if address := os.environ.get(REPOSITORY):
        config.extra["social"] = [{"icon": "fontawesome/brands/git-alt", "link": address, "name": "Repository"}]
    return config


def on_page_markdown(markdown: str, **page: Any) -> str:
    """Remove the words after a block's language: they are for the tests that run it."""
    return AFTER_LANGUAGE.sub(r"\1", markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the navigation's pages outside docs/, and reports as plain files."""
    repository = Repository(files)
    repository.config = config
    for report in DOCS.glob(REPORTS):
        repository.append(
            PlainFile(_relative_to_docs(report), str(DOCS), config.site_dir, config.use_directory_urls, **SHOWN)
        )
    for path in _paths(config.nav):
        if path.startswith(OUTSIDE):
            repository.append(_outside(path, config))
    return repository


class Repository(Files):
    """The files of docs/, plus linked files outside it, by their paths relative to docs/."""

    config: MkDocsConfig

    def get_file_from_path(self, path: str) -> File | None:
        path = path.removeprefix(f"{OUTSIDE}{DOCS.name}/")
        file = super().get_file_from_path(path)
        if file is None and path.startswith(OUTSIDE) and not path.endswith(".md") and (DOCS / path).is_file():
            file = _outside(path, self.config)
            self.append(file)
        return file


class PlainFile(File):
    """A file that is copied unchanged, whatever its name."""

    def is_documentation_page(self) -> bool:
        return False


def _outside(path: str, config: MkDocsConfig) -> File:
    """A file outside docs/; on the site it has its path in the repository, without leading dots."""
    shown = "/".join(part.lstrip(".") for part in PurePosixPath(path.removeprefix(OUTSIDE)).parts)
    place = File(shown, None, config.site_dir, config.use_directory_urls)
    return File(path, str(DOCS), config.site_dir, config.use_directory_urls, dest_uri=place.dest_uri, **SHOWN)


def _expand(nav: Any) -> Any:
    """Replace each path with a star by the paths of all matching files, in docs/ or in the repository."""
    if isinstance(nav, dict):
        return {title: _expand(entry) for title, entry in nav.items()}
    if isinstance(nav, str):
        return _matching(nav)[0]
    if isinstance(nav, list):
        return [one for entry in nav for one in (_matching(entry) if isinstance(entry, str) else [_expand(entry)])]
    return nav


def _matching(path: str) -> list[str]:
    files = sorted(DOCS.glob(path)) or sorted(ROOT.glob(path))
    if not files:
        return [] if "*" in path else [path]
    return [_relative_to_docs(file) for file in files]


def _relative_to_docs(file: Path) -> str:
    inside = file.is_relative_to(DOCS)
    return file.relative_to(DOCS).as_posix() if inside else OUTSIDE + file.relative_to(ROOT).as_posix()


def _paths(nav: Any) -> list[str]:
    """Every path of a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [path for entry in entries for path in _paths(entry)]
