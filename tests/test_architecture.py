"""Import directions and light imports: what architecture.md promises, read from the code itself."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("harness", "training", "reports", "evalsuites")
PRODUCT = (*FOLDERS, "tunegate")
HEAVY = {"torch", "transformers", "vllm", "peft", "bitsandbytes", "datasets", "evaluate", "ray", "matplotlib"}
# Modules that are only ever loaded late, by the module that needs them.
LATE = ("harness/engines/", "harness/checkpoints/merge.py", "harness/scoring/evaluate_metrics/", "training/")


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    """Absolute names of imported modules; `if TYPE_CHECKING` blocks do not count."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_room_imports_only_itself_and_the_harness(folder: str) -> None:
    """import-linter holds the layers in `make check`; this also covers evalsuites, which is a namespace package."""
    allowed = {folder, "harness"} if folder != "harness" else {"harness"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(folder)
        for name in imports(path)
        if name.split(".")[0] in PRODUCT and name.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_heavy_packages_are_imported_late() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name} at the top"
        for folder in PRODUCT
        for path in python_files(folder)
        if not str(path.relative_to(ROOT)).startswith(LATE)
        for name in imports(path, top_level_only=True)
        if name.split(".")[0] in HEAVY
    ]
    assert wrong == []


def test_importing_the_harness_and_the_plugin_loads_nothing_heavy() -> None:
    names = "sys, harness, tunegate.pytest_plugin.evaluation_hooks, tunegate.cli.main"
    code = f"import {names}; print(*sorted(m.split('.')[0] for m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(loaded.stdout.split()) & (HEAVY | {"scipy", "statsmodels"}) == set()


@pytest.mark.slow
def test_the_first_commands_of_the_readme_need_no_heavy_package(tmp_path: Path) -> None:
    """`tunegate init` and a comparison with the fake engine write a report; charts are left out without matplotlib."""
    block = (ROOT / "README.md").read_text("utf-8").split("```sh exit=1\n", 1)[1].split("```", 1)[0]
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("tunegate ")]
    code = (
        f"import sys; sys.modules |= dict.fromkeys({sorted(HEAVY)!r}); "
        "from tunegate.cli.main import main; sys.argv = sys.argv[1:]; main()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TUNEGATE_CACHE": str(tmp_path / "cache")}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for words in commands
    ]
    assert [words[1] for words in commands] == ["init", "compare"]
    assert [run.returncode for run in runs] == [0, 1], runs[-1].stderr
    assert "INCONCLUSIVE" in runs[-1].stdout and len(list(tmp_path.glob("runs/*/report/report.html"))) == 1


def test_every_file_opens_with_what_it_does() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder in PRODUCT
        for path in python_files(folder)
        if path.read_text("utf-8").strip() and ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None
    ]
    assert silent == []


@pytest.mark.slow
def test_collecting_every_suite_loads_nothing_heavy() -> None:
    """Numpy may be loaded: public/plain_english chooses its cases with the fact scorer. The first run builds cases."""
    first = [sys.executable, "-m", "pytest", "evalsuites", "--collect-only", "-q", "-p", "no:cacheprovider"]
    subprocess.run(first, capture_output=True, check=True, cwd=ROOT)
    code = (
        "import sys, pytest; code = pytest.main(['evalsuites', '--collect-only', '-q', '-p', 'no:cacheprovider']); "
        "print('LOADED', *{m.split('.')[0] for m in sys.modules}); sys.exit(int(code))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "tests collected" in done.stdout
    loaded = set(done.stdout.split("LOADED", 1)[1].split())
    assert loaded & (HEAVY | {"scipy", "statsmodels"}) == set()


def test_the_product_names_a_module_of_every_dependency_of_the_core():
    """A package that only tests use belongs to the extra `dev`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {re.split(r"[^\w.-]", text)[0].lower() for text in project["dependencies"]}
    sources = "\n".join(path.read_text("utf-8") for folder in PRODUCT for path in python_files(folder))
    names = {name for pair in re.findall(r'\b(?:import|from) (\w+)|"(\w+)"', sources) for name in pair}
    owners = {owner for name, found in packages_distributions().items() if name in names for owner in found}
    named = {owner.lower().replace("_", "-") for owner in owners}
    assert wanted - named == set()
