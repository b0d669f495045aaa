"""The locks fit the project, name no place, and the tools around them say what is and is not known."""

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tools import audit, install, lock, notices

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pinned(device: str) -> dict[str, str]:
    return notices.pinned(ROOT / "requirements" / f"{device}.lock")


def wanted(device: str) -> list[Requirement]:
    extras = (*lock.COMMON, lock.DEVICES[device])
    named = [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    found = [Requirement(text) for text in (*PROJECT["dependencies"], *named)]
    here = {"python_version": lock.PYTHON, "sys_platform": "linux", "platform_machine": "x86_64"}
    return [one for one in found if one.marker is None or one.marker.evaluate(here)]


@pytest.mark.parametrize("device", lock.DEVICES)
def test_a_lock_holds_what_the_project_asks_for(device: str) -> None:
    held = pinned(device)
    unmet = [
        str(one)
        for one in wanted(device)
        if not one.specifier.contains(held.get(notices.normal(one.name), "0.0.0a0"), True)
    ]
    assert unmet == [], "pyproject.toml asks for what the locks do not hold: run `make lock`"


@pytest.mark.parametrize("device", lock.DEVICES)
def test_a_lock_keeps_to_what_was_tested(device: str) -> None:
    tested = notices.pinned(ROOT / "requirements" / "tested.txt")
    held = {name: version.partition("+")[0] for name, version in pinned(device).items()}
    assert {name: held[name] for name in tested if name in held} == {n: v for n, v in tested.items() if n in held}
    assert not set(lock.LEFT_OUT) & set(held)


@pytest.mark.parametrize("device", lock.DEVICES)
def test_a_lock_names_no_index_and_no_path_and_every_file_by_its_hash(device: str) -> None:
    text = (ROOT / "requirements" / f"{device}.lock").read_text("utf-8")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert not re.search(r"://|@ |file:|--(?:extra-)?index|--find-links|^\s*/|/\w+/", body, re.M)
    blocks = re.split(r"\n(?=\S)", body)
    bare = [block for block in blocks if "--hash=sha256:" not in block and not re.fullmatch(r"\S+==\S+\+cpu", block)]
    assert bare == [] and ("+cpu" in body) == (device == "cpu")


def test_hashes_of_builds_with_a_label_are_left_out() -> None:
    one, other = " \\\n    --hash=sha256:aa", " \\\n    --hash=sha256:bb"
    text = f"a==1{one}\ntorch==2+cpu{one}{other}\nz==3{other}\n"
    assert lock.without_local_hashes(text) == f"a==1{one}\ntorch==2+cpu\nz==3{other}\n"


def test_every_package_of_the_lock_is_in_the_notices_with_its_version_and_a_licence() -> None:
    text = notices.NOTICES.read_text("utf-8")
    rows = dict(re.findall(r"^\| ([\w-]+) \| (\d\S*) \| .", text, re.M))
    assert rows == pinned("cpu"), "the notices are not those of the lock: run `make notices`"
    assert text.startswith(notices.HEAD)


KNOWN = {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}
CLEAN: dict[str, Any] = {"name": "b", "version": "1", "vulns": []}
SKIPPED = {"name": "c", "version": "1", "skip_reason": "not found"}


def test_a_service_that_does_not_know_the_canary_is_not_believed() -> None:
    for canary in (None, [], [SKIPPED], [CLEAN]):
        assert audit.judge(canary, [CLEAN])[0] == audit.NOT_ASKED
    assert audit.judge([KNOWN], None)[0] == audit.NOT_ASKED
    assert "could not be asked" in audit.judge(None, None)[1][0]


def test_what_is_known_fails_and_what_was_not_asked_is_named() -> None:
    assert audit.judge([KNOWN], [CLEAN]) == (audit.NOTHING, ["audit: 1 packages, no known vulnerability"])
    code, lines = audit.judge([KNOWN], [KNOWN, CLEAN, SKIPPED])
    assert code == audit.KNOWN and lines[0] == "audit: a 1: X-1, fixed in 2"
    assert lines[1] == "audit: 2 packages, 1 known vulnerabilities; the service does not know c"


def test_packages_are_asked_for_once_and_without_labels() -> None:
    assert audit.packages(["a==1 \\\n    --hash=x\ntorch==2.0+cpu\n", "a==1\nb==2 ; x\n"]) == [
        ("a", "1"), ("b", "2"), ("torch", "2.0"),
    ]  # fmt: skip


@pytest.mark.network
def test_the_command_says_whether_it_could_ask() -> None:
    done = subprocess.run(
        [sys.executable, "tools/audit.py", "--where-possible"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1].startswith("audit: ") and done.returncode in (0, 1)
    assert done.returncode == 1 or re.search("could not be asked|no known vulnerability", done.stdout)


def test_an_installation_leaves_out_what_is_named_and_the_project_itself() -> None:
    found = [
        ("Torch", "2.13.0+cpu", {}),
        ("triton", "3.9.0", {}),
        ("tunegate", "0.1.0", {"dir_info": {"editable": True}}),
    ]
    report = {"install": [{"metadata": {"name": n, "version": v}, "download_info": info} for n, v, info in found]}
    assert install.kept(report, {"triton"}) == ["Torch==2.13.0+cpu"]


def test_an_installation_stores_the_bytecode_of_what_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "used.py").write_text("")
    monkeypatch.setattr(install, "IMPORTED", ("nowhere_to_be_found", "used"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    install.compile_imported()
    assert [path.name.split(".")[0] for path in tmp_path.rglob("*.pyc")] == ["used"]


def test_every_module_that_an_installation_compiles_exists() -> None:
    for name in install.IMPORTED:
        package, *rest = name.split(".")
        found = find_spec(package)  # Of a module inside, it would import the package.
        assert found is not None and found.submodule_search_locations, name
        path = Path(found.submodule_search_locations[0], *rest)
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_the_page_on_installation_has_every_extra_but_those_of_developers() -> None:
    page = (ROOT / "docs/installing.md").read_text("utf-8")
    absent = {extra for extra in PROJECT["optional-dependencies"] if f"`{extra}`" not in page}
    assert absent == {"docs", "dev", "bench"}


def test_the_demo_installs_less_than_the_tests_and_they_add_the_rest(tmp_path: Path) -> None:
    commands = {}
    for target in ("demo", "test"):
        words = ["make", "--dry-run", target, f"VENV={tmp_path / 'venv'}", "DEVICE=cpu"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        (line,) = [line.split() for line in done.stdout.splitlines() if "tools/install.py" in line]
        commands[target] = set(line[2].split(",")), set(line[4].strip("'").split(","))
    extras, unused = commands["demo"]
    assert not extras & {"ray", "docs", "dev", "review", "pdf"} and "triton" in unused
    assert extras < commands["test"][0] and commands["test"][1] < unused
    known = set(PROJECT["optional-dependencies"])
    assert commands["test"][0] <= known
