"""The wheel is whole, typed and usable in an environment where nothing else is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uv")

from tools import check_install

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Wheel and sdist, built with the setuptools that is here: no package index is asked."""
    yield check_install.build(tmp_path_factory.mktemp("dist"), "--no-build-isolation", "--offline")


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


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.skipif(
    not os.environ.get("TUNEGATE_INSTALL"), reason="installs for minutes; TUNEGATE_INSTALL=1 asks for it"
)
def test_every_extra_installs_and_works_in_an_empty_environment() -> None:
    done = subprocess.run([sys.executable, "tools/check_install.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installed from the wheel and used" in done.stdout and "installed from the sdist and used" in done.stdout
