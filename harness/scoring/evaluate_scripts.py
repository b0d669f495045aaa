"""Find metric scripts of the `evaluate` library (0.4.6), and check that the library would load them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from harness.errors import UserError, extra_needed_by, refuse_all
from harness.files import digest

HUB = "hub:"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
REVISION = re.compile(r"[0-9a-f]{40}")
BASES = ("Metric", "Measurement", "Comparison", "EvaluationModule")
LIBRARY = ("evaluate", "datasets")
"""Imports that may be missing: the suite is then left out with the extra that provides them."""


class Script(NamedTuple):
    """A metric's script on this machine."""

    path: Path
    """Absolute path of the .py file."""
    digest: str
    """Digest of its text."""
    revision: str | None
    """Commit on the Hub, or None for a local script."""


def find(source: str, revision: str | None, base: Path) -> Script:
    """Find the script that `source` names: a path relative to the folder `base`, or `hub:owner/name` at a commit.

    Raises UserError for a name that could mean either, and for a script that `evaluate` would not load.
    """
    if source.startswith(HUB):
        path = _from_hub(source, revision)
    elif Path(source).is_absolute() or source.startswith(("./", "../")):
        if revision is not None:
            raise UserError(
                f"evaluate_bridge.metric: {source!r} is a local path, which has no revision; leave revision out"
            )
        path = _local(source, base)
    else:
        raise UserError(
            f"evaluate_bridge.metric: {source!r} could be a path or a name on the Hub. Start a path with ./ or /, and "
            "write a name as hub:owner/name with its revision"
        )
    text = path.read_text("utf-8")
    refuse_all([f"{path.name}: {problem}" for problem in problems(text, path)], f"{path}: evaluate cannot load it")
    return Script(path, digest(text), revision)


def _local(source: str, base: Path) -> Path:
    path = (base / source).resolve()
    script = path if path.suffix == ".py" else path / f"{path.name}.py"
    if not script.is_file():
        raise UserError(
            f"evaluate_bridge.metric: {source}: {script} does not exist. Name a script, or a folder with a script of "
            "the folder's name"
        )
    return script


def _from_hub(source: str, revision: str | None) -> Path:
    """The script at a pinned commit, from the cache if it is there. Never the newest one, nor a local folder's."""
    name = source.removeprefix(HUB)
    if not HUB_NAME.fullmatch(name):
        raise UserError(
            f"evaluate_bridge.metric: {source!r}: expected {HUB}owner/name, such as {HUB}evaluate-metric/rouge"
        )
    if revision is None or not REVISION.fullmatch(revision):
        raise UserError(
            f"evaluate_bridge.metric: {source}: revision is {revision!r}, expected the 40 hex digits of a commit. A "
            "script from the Hub is code that runs here: pin the commit that you have read"
        )
    with extra_needed_by(f"the metric {source}", "metrics", "huggingface_hub"):
        from huggingface_hub import hf_hub_download
    file = f"{name.split('/')[1]}.py"
    try:
        return Path(hf_hub_download(name, file, repo_type="space", revision=revision))
    except Exception as error:
        raise UserError(
            f"evaluate_bridge.metric: {source}: {file} at {revision} is not in the cache and could not be fetched "
            f"({type(error).__name__}). Fetch it: hf download {name} {file} --repo-type space --revision {revision}"
        ) from None


def problems(text: str, path: Path) -> list[str]:
    """List everything in a script that stops `evaluate` from loading it, in the order of its lines."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return [f"line {getattr(error, 'lineno', None) or 1}: not Python ({error.args[0]})"]
    by_line = [(node.lineno, problem) for node in tree.body for problem in _import_problems(node, tree, path.parent)]
    classes = _metric_classes(tree)
    if len(classes) > 1:
        names = ", ".join(one.name for one in classes)
        by_line.append((classes[1].lineno, f"several metric classes ({names}); evaluate takes the first, so keep one"))
    if not classes and not by_line:
        by_line.append(
            (1, "no class derives from evaluate.Metric. Write 'import evaluate', then class X(evaluate.Metric)")
        )
    return [f"line {line}: {problem}" for line, problem in sorted({*by_line})]


def _import_problems(node: ast.stmt, tree: ast.Module, folder: Path) -> Iterator[str]:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.Import) and len(names) > 1:
        yield f"evaluate reads 'import {', '.join(names)}' as one name. Write one import per line"
    elif sum(other.lineno == node.lineno for other in tree.body) > 1:
        yield "evaluate reads several statements on one line as one name. Write one import per line"
    if isinstance(node, ast.ImportFrom):
        if node.level:
            yield f"the import of {node.module or names[0]!r} is relative. {_standalone(node.module or names[0])}"
            return
        if (node.module or "").split(".")[0] == "evaluate" and {*names} & {*BASES, "*"}:
            yield (
                f"'from {node.module} import {', '.join(names)}' makes evaluate use its own class. Write 'import "
                "evaluate', then derive from evaluate.Metric"
            )
        names = [node.module or ""]
    for name in dict.fromkeys(name.split(".")[0] for name in names):
        if (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file():
            yield f"{name!r} is a module in the script's folder. {_standalone(name)}"
        elif name not in LIBRARY and find_spec(name) is None:
            yield f"{name!r} is imported but not installed. Install the package that provides it"


def _standalone(name: str) -> str:
    return (
        f"A script is copied and versioned without its folder: move what it needs of {name!r} into it, or install "
        "that as a package"
    )


def _metric_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Classes that derive from a base class of evaluate, or from another such class of the script."""
    classes: list[ast.ClassDef] = []
    modules = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "evaluate"
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            known = {f"{module}.{base}" for module in modules for base in BASES} | {one.name for one in classes}
            if bases & known:
                classes.append(node)
    return classes
