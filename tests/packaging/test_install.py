"""The wheel is whole, typed and usable in an environment where nothing else is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uv")

from harness.errors import EXIT_NOTHING_JUDGED
from harness.scaffold import paths
from tools import check_install

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Wheel and sdist, built with the setuptools that is here: no package index is asked."""
    yield check_install.build(tmp_path_factory.mktemp("dist"), "--no-build-isolation", "--offline")


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(built: tuple[Path, Path]) -> None:
    import zipfile

    wheel, _ = built
    assert check_install.missing_from(wheel) == []
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(check_install.PACKAGES)
    assert {f"{name}/py.typed" for name in check_install.PACKAGES} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]


def test_the_licence_and_the_notices_travel_with_wheel_and_sdist(built: tuple[Path, Path]) -> None:
    import tarfile
    import zipfile

    wheel, sdist = built
    held = zipfile.ZipFile(wheel).namelist()
    for name in ("LICENSE", "THIRD_PARTY_NOTICES.md"):
        assert any(one.endswith(f"licenses/{name}") for one in held)
    with tarfile.open(sdist) as opened:
        inside = {Path(*Path(one).parts[1:]).as_posix() for one in opened.getnames()}
    assert {"LICENSE", "THIRD_PARTY_NOTICES.md", "README.md", "pyproject.toml"} <= inside


def test_a_file_that_the_wheel_lacks_is_found(built: tuple[Path, Path], tmp_path: Path) -> None:
    import zipfile

    cut = tmp_path / built[0].name
    with zipfile.ZipFile(built[0]) as whole, zipfile.ZipFile(cut, "w") as other:
        for name in whole.namelist():
            if not name.endswith("report.html.jinja"):
                other.writestr(name, whole.read(name))
    assert "reports/render/templates/report.html.jinja" in check_install.missing_from(cut)


SUITE = """import evalsuites.general.basics
from evalsuites.letters.first.words import RIGHT
from harness import Suite
from harness.scoring import short_answer

suite = Suite(scorers=[short_answer.accepted], max_tokens=4)


@suite.case
def test_right(record):
    assert record.completion.text in RIGHT
"""
GATES = """[objective]
text = "Right."

[[gate]]
metric = "accuracy"
rule = "at_least"
value = 0.5
"""
DISCOVER = """import sys
from harness.suites.discovery import find_suites
import evalsuites.letters.first.words, evalsuites.general.basics
print(evalsuites.letters.first.words.__file__, evalsuites.general.basics.__file__)
print(*(suite.name for suite in find_suites(["evalsuites", sys.argv[1] + "/evalsuites/general"])))
"""


@pytest.fixture
def installed(built: tuple[Path, Path], tmp_path: Path) -> Path:
    """The unpacked wheel, to be put on the path before anything else."""
    shutil.unpack_archive(built[0], tmp_path / "site", "zip")
    return tmp_path / "site"


def own_suite(project: Path, init: str | None) -> Path:
    """A suite evalsuites/letters/first in `project`; evalsuites itself is a package where `init` is given."""
    folder = project / "evalsuites/letters/first"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    if init is not None:
        (project / "evalsuites/__init__.py").write_text(init)
    (folder / "words.py").write_text('RIGHT = ["a", "b"]\n')
    (folder / "test_first.py").write_text(SUITE)
    (folder / "cases.jsonl").write_text('{"id": "one", "input": {"document": "A"}, "expected": ["a"], "cluster": "k"}')
    (folder / "prompt.jinja").write_text("Which letter? {{ document }}")
    (folder / "gates.toml").write_text(GATES)
    (project / "answers.json").write_text('{"tuned": {"one": "a"}}')
    return folder


def run_with(installed: Path, project: Path, *words: str) -> str:
    """The output of a program of this environment in `project`, with `installed` on the path."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    program, *rest = words
    done = subprocess.run(
        [Path(sys.executable).parent / program, *rest], cwd=project, env=environment, capture_output=True, text=True
    )
    assert done.returncode in (0, EXIT_NOTHING_JUDGED), done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("init", [None, '"""Plain, as before evalsuites was a namespace."""\n', paths.ROOT_PACKAGE])
def test_own_suites_work_next_to_the_installed_ones(installed: Path, tmp_path: Path, init: str | None) -> None:
    project = tmp_path / "project"
    folder = own_suite(project, init)
    if init is None or "extend_path" in init:
        files, suites = run_with(installed, project, "python", "-c", DISCOVER, str(installed)).splitlines()
        assert files.split() == [str(folder / "words.py"), str(installed / "evalsuites/general/basics/__init__.py")]
        assert suites.split() == ["letters/first", "general/basics", "general/claims", "general/facts"]
    words = ["evalsuites", "-k", "right", "--engine", "fake", "--script", "answers.json"]
    tested = run_with(installed, project, "pytest", *words)
    assert "1 passed" in tested


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.skipif(
    not os.environ.get("TUNEGATE_INSTALL"), reason="installs for minutes; TUNEGATE_INSTALL=1 asks for it"
)
def test_every_extra_installs_and_works_in_an_empty_environment() -> None:
    done = subprocess.run([sys.executable, "tools/check_install.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installed from the wheel and used" in done.stdout and "installed from the sdist and used" in done.stdout
