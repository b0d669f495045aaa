"""What the site does with pages beside docs/, stars in the navigation, reports, and faults: on a small project."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.links import Reader

ROOT = Path(__file__).parents[2]
NAV = """nav:
  - index.md
  - Beside: deploy/README.md
  - decisions/*.md
  - examples/*.md
  - later/*.md
"""
FILES = {
    "docs/index.md": "# Home\n\n[d](../deploy/README.md#keys) [y](../.github/gate.yml) [e](examples/README.md)\n",
    "docs/decisions/0001-a.md": "# 0001: A\n",
    "docs/decisions/0002-b.md": "# 0002: B\n",
    "docs/examples/README.md": "# Examples\n\n[r](x/report.html) [m](x/report.md)\n",
    "docs/examples/make.py": "print()\n",
    "docs/examples/x/report.html": "<p>Report</p>\n",
    "docs/examples/x/report.md": "# Report\n",
    "deploy/README.md": "# Deploy\n\n## Keys\n\n[home](../docs/index.md)\n\n```sh exit=1 cuda\ntunegate runs\n```\n",
    ".github/gate.yml": "on: push\n",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mkdocstrings") is None, reason="needs mkdocs: pip install '.[docs]'"),
]


def build(folder: Path, repository: str = "", **changed: str) -> tuple[int, str]:
    """Build a project with the settings of this one, but for its navigation; what mkdocs ends with and says."""
    settings = (ROOT / "mkdocs.yml").read_text("utf-8").partition("nav:\n")[0]
    for path, text in {**FILES, "mkdocs.yml": settings + NAV, **changed}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "docs_site.py", folder / "tools")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "TUNEGATE_REPOSITORY": repository}
    done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def test_links_lead_where_they_lead_in_the_repository(tmp_path: Path) -> None:
    code, said = build(tmp_path)
    assert code == 0, said
    site = tmp_path / "build" / "site"
    home = Reader((site / "index.html").read_text("utf-8")).links
    assert {"deploy/index.html#keys", "github/gate.yml", "decisions/0001-a.html", "decisions/0002-b.html"} <= set(home)
    beside = (site / "deploy" / "index.html").read_text("utf-8")
    assert "../index.html" in Reader(beside).links
    assert "exit=1" not in beside and Reader(beside).tags["pre"] == 1
    assert (site / "github" / "gate.yml").read_text("utf-8") == FILES[".github/gate.yml"]


def test_reports_are_copied_as_they_are_and_scripts_are_not(tmp_path: Path) -> None:
    code, said = build(tmp_path)
    assert code == 0, said
    examples = tmp_path / "build" / "site" / "examples"
    assert sorted(path.relative_to(examples).as_posix() for path in examples.rglob("*.*")) == [
        "index.html",
        "x/report.html",
        "x/report.md",
    ]
    assert (examples / "x" / "report.html").read_text("utf-8") == FILES["docs/examples/x/report.html"]


@pytest.mark.parametrize("address", ["https://git.example.org/tunegate", ""])
def test_the_published_repository_is_linked_where_it_is_named(tmp_path: Path, address: str) -> None:
    code, said = build(tmp_path, repository=address)
    assert code == 0, said
    links = Reader((tmp_path / "build" / "site" / "index.html").read_text("utf-8")).links
    assert ("https://git.example.org/tunegate" in links) == bool(address)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("docs/index.md", "# Home\n\n[d](../deploy/README.md#locks)\n", "does not contain an anchor '#locks'"),
        ("docs/index.md", "# Home\n\n[d](gone.md)\n", "'gone.md'"),
        ("docs/index.md", "# Home\n\n[d](../README.md)\n", "'../README.md'"),
        ("docs/index.md", "# Home\n\n[d](/deploy/README.md)\n", "an absolute link"),
        ("docs/stray.md", "# Stray\n", "stray.md"),
    ],
)
def test_a_dead_link_or_a_page_outside_the_navigation_fails(tmp_path: Path, path: str, text: str, said: str) -> None:
    code, output = build(tmp_path, **{path: text})
    assert code == 1 and said in output, output
