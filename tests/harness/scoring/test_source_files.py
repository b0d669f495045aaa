"""Which files count as the source of a scorer."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.scaffold.paths import ROOT_PACKAGE
from harness.scoring.source_files import INSTALLED, source_digest, source_files
from tests.support.mini import write_suite

SUITE = {
    "legal/mini/right.py": """
import json, numpy
from harness import Suite
from harness.scoring import scorer
from evalsuites.legal import passed_on
from evalsuites.legal.mini import terms
def right(case, completion):
    import evalsuites.shared.words
    from .near import near
    import sibling
""",
    "legal/__init__.py": "from evalsuites.legal.inner import passed_on\nfrom evalsuites.legal.later import *\n",
    "legal/inner.py": "passed_on = 1\n",
    "legal/later.py": "passed_on = 2\n",
    "legal/mini/terms.py": "from evalsuites.legal.mini.right import right\n",
    "legal/mini/near.py": "near = 1\n",
    "legal/mini/sibling/__init__.py": "LIMIT = 1\n",
    "shared/words.py": "this is not Python\n",
}


def write(root: Path) -> Path:
    """A scorer in several files of a project; returns the folder of its suites."""
    suites = write_suite(root).parents[1]
    for name, text in SUITE.items():
        (suites / name).parent.mkdir(parents=True, exist_ok=True)
        (suites / name).write_text(text)
    return suites


def installed(*modules: str) -> set[Path]:
    return {INSTALLED / "harness" / "scoring" / f"{name}.py" for name in modules}


def test_own_files_are_followed_wherever_they_are_imported_and_others_are_not(tmp_path: Path) -> None:
    suites = write(tmp_path)
    found = set(source_files(suites / "legal/mini/right.py"))
    assert found == {suites / name for name in SUITE} | installed("base", "source_files")


@pytest.mark.parametrize(
    ("scorer", "used"),
    [
        ("grounding/figures", ["grounding/operands", "grounding/worked_out", "grounding/steps", "text/numbers"]),
        ("policy/handbook", ["summaries", "text/guideline_ids"]),
    ],
)
def test_scorers_are_followed_into_their_functions(scorer: str, used: list[str]) -> None:
    found = set(source_files(INSTALLED / "harness" / "scoring" / f"{scorer}.py"))
    assert found >= installed(*used, "base") and not found & installed("legal/clauses", "grounding/facts")
    assert all(path.is_relative_to(INSTALLED / "harness" / "scoring") for path in found)


def test_the_digest_follows_each_file_and_not_the_folder_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest_in(root: Path) -> str:
        module = ModuleType("right")
        module.__file__ = str(write(root) / "legal/mini/right.py")
        monkeypatch.setitem(sys.modules, "right", module)
        return source_digest("right")

    first = digest_in(tmp_path / "one")
    assert digest_in(tmp_path / "two") == first
    monkeypatch.setattr("harness.scoring.source_files.INSTALLED", tmp_path / "one")
    assert digest_in(tmp_path / "one") == digest_in(tmp_path / "two")
    monkeypatch.undo()
    near, inner, package = "legal/mini/near.py", "legal/inner.py", "legal/__init__.py"
    replaced = SUITE[package] + "def passed_on(): ...\n"
    for changed in ({near: "near = 2\n"}, {near: SUITE[inner], inner: SUITE[near]}, {package: replaced}):
        monkeypatch.setattr(sys.modules[__name__], "SUITE", SUITE | changed)
        assert digest_in(tmp_path / "three") != first


def test_packages_around_a_file_count_once_they_have_code(tmp_path: Path) -> None:
    """Python runs their code first, and it can replace what the file has."""
    suites = write(tmp_path)
    package, file = suites / "__init__.py", suites / "legal/mini/near.py"
    package.write_text(ROOT_PACKAGE)
    assert package not in source_files(file)
    package.write_text('setattr(__import__("near"), "near", 0)\n')
    assert not (file.parent / "__init__.py").exists() and package in source_files(file)
