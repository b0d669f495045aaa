"""The plugin in projects without a suite, and next to the plugins that many projects have."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runs.folder import load_run
from tests.support.command import PYTEST, run
from tests.support.mini import GATES, right, rows, write_script, write_suite

PLUGINS = (
    "pytest-django==4.14.0", "django==5.2.19", "asgiref==3.13.0", "sqlparse==0.6.1",
    "pytest-asyncio==1.5.0", "pytest-randomly==5.1.0", "pytest-rerunfailures==16.7",
)  # fmt: skip
LOADED = (
    "import sys\n\ndef pytest_unconfigure():\n"
    "    print('loaded:', *sorted(m for m in sys.modules if m.split('.')[0] in {names!r}))\n"
)
OURS = ("tunegate", "harness", "training", "reports", "evalsuites", "msgspec", "numpy", "torch", "rich", "typer")


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the other plugins, which are not in the environment because they would load in every test."""
    folder = tmp_path_factory.mktemp("plugins")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PLUGINS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the plugins cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Django project with ordinary tests, asynchronous ones, and a suite that misses a case and fails one gate."""
    write_suite(tmp_path, gates=GATES + '\n[[gate]]\nmetric = "clause_exact_set"\nrule = "at_least"\nvalue = 0.999\n')
    write_script(tmp_path, tuned=right(rows()) | {"c1": "none"})
    (tmp_path / "settings.py").write_text("SECRET_KEY = 'x'\nINSTALLED_APPS = []\nDATABASES = {}\n")
    (tmp_path / "test_theirs.py").write_text(
        "import random\n\nimport pytest\n\n\n"
        "def test_settings(settings):\n    assert settings.SECRET_KEY == 'x'\n\n\n"
        "@pytest.mark.asyncio\nasync def test_async():\n    pass\n\n\n"
        "def test_seeded():\n    assert random.random() != 2\n"
    )
    return tmp_path


def session(root: Path, plugins: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A session with every other plugin; without names of those, they load as they do in a user's project."""
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root), str(plugins)]),
        "TUNEGATE_CACHE": str(root / "cache"),
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTEST_ADDOPTS": "",
    }
    given = ("-p", "no:cacheprovider", "--eval-engine", "fake", "--eval-script", "script.json")
    return run(*PYTEST, "evalsuites", "test_theirs.py", *given, *words, cwd=root, env=env)


def counts(output: str) -> dict[str, int]:
    """Counts of pytest's last line."""
    last = output.strip().splitlines()[-1]
    return {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|miss|skipped|errors?|rerun)", last)}


def verdicts(root: Path) -> list[tuple[str, str]]:
    """Verdicts of the newest run."""
    run_path = max(path for path in (root / "runs").iterdir() if path.is_dir())
    return sorted((verdict.gate, verdict.outcome) for verdict in load_run(run_path).verdicts)


@pytest.mark.slow
@pytest.mark.network
def test_order_reruns_and_workers_change_no_result_gate_or_count(root: Path, plugins: Path) -> None:
    plain = session(root, plugins, "-p", "no:randomly")
    expected, judged = counts(plain.stdout), verdicts(root)
    assert plain.returncode == 1 and expected["failed"] >= 1 and expected["miss"] >= 1, plain.stdout + plain.stderr
    assert {"pass", "fail"} <= {outcome for _, outcome in judged}
    for words in (("--reruns", "2"), ("-n", "2", "--reruns", "1")):
        done = session(root, plugins, *words)  # In a random order.
        assert done.returncode == 1 and counts(done.stdout) == expected, (words, done.stdout + done.stderr)
        assert "--randomly-seed=" in done.stdout and verdicts(root) == judged, words
    runs = [path for path in (root / "runs").iterdir() if path.is_dir()]
    assert len(runs) == 3  # One a session, also with workers and reruns.


@pytest.mark.slow
@pytest.mark.network
def test_gates_are_last_in_a_random_order(root: Path, plugins: Path) -> None:
    done = session(root, plugins, "--collect-only", "-q", "--randomly-seed", "3")
    names = [line for line in done.stdout.splitlines() if "::" in line]
    gates = [line for line in names if "::gate[" in line]
    cases = [line for line in names if "test_finds_every_clause[" in line]
    assert gates and names[-len(gates) :] == gates
    assert cases != sorted(cases, key=lambda line: int(re.findall(r"\[c(\d+)", line)[0]))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "workers"])
def test_nothing_is_imported_where_no_suite_is(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(LOADED.format(names=OURS))
    (tmp_path / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    done = run(*PYTEST, "-s", "-p", "no:cacheprovider", *workers, cwd=tmp_path, env=os.environ | {"PYTEST_ADDOPTS": ""})
    assert done.returncode == 0, done.stdout + done.stderr
    (loaded,) = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("loaded:")]
    assert loaded == ["tunegate", *(f"tunegate.pytest_plugin{part}" for part in ("", ".hooks", ".options"))]
