"""Finds the script of an `evaluate` metric and names what will not load. Knows no score, and does not load `evaluate`.

`evaluate` 0.4.6 reads a script's import lines word by word, copies the script into its cache without its neighbours,
and takes the first class derived from its own that stands in the script's names. What these rules do to a script is
said here, before anything is asked of a model; they are read from the script's text, which is never run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from harness.digest import digest
from harness.errors import UserError, refuse_all

HUB = "hub:"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
REVISION = re.compile(r"[0-9a-f]{40}")
BASES = ("Metric", "Measurement", "Comparison", "EvaluationModule")


class Script(NamedTuple):
    """A metric's script on this machine."""

    path: Path
    """Absolute path of the .py file."""
    digest: str
    """Digest of its text."""
    revision: str | None
    """Commit of the hub that it comes from, or None for a local one."""


def find(source: str, revision: str | None, beside: Path) -> Script:
    """The script that `source` names: a path, relative to the folder `beside`, or `hub:owner/name` at a commit.

    Refuses any name that might mean either, and a script that `evaluate` would not load.
    """
    if source.startswith(HUB):
        path = _from_hub(source, revision)
    elif Path(source).is_absolute() or source.startswith(("./", "../")):
        if revision is not None:
            raise UserError(f"bridge.metric: {source!r} is a local path, which has no revision; leave revision out")
        path = _local(source, beside)
    else:
        raise UserError(
            f"bridge.metric: {source!r} could be a path or a name on a hub. Start a path with ./ or /, and write a "
            "name as hub:owner/name with its revision"
        )
    text = path.read_text("utf-8")
    refuse_all([f"{path.name}: {problem}" for problem in problems(text, path)], f"{path}: evaluate cannot load it")
    return Script(path, digest(text), revision)


def _local(source: str, beside: Path) -> Path:
    path = (beside / source).resolve()
    script = path if path.suffix == ".py" else path / f"{path.name}.py"
    if not script.is_file():
        raise UserError(f"bridge.metric: {source}: no script {script} is there. Name it, or a folder of its name")
    return script


def _from_hub(source: str, revision: str | None) -> Path:
    """The script at a pinned commit, from the cache where it is there. Never the newest, nor a local folder's."""
    name = source.removeprefix(HUB)
    if not HUB_NAME.fullmatch(name):
        raise UserError(f"bridge.metric: {source!r}: expected {HUB}owner/name, such as {HUB}evaluate-metric/rouge")
    if revision is None or not REVISION.fullmatch(revision):
        raise UserError(
            f"bridge.metric: {source}: revision is {revision!r}, expected the 40 hex digits of a commit. A script of a "
            "hub is code that runs here: pin what you have read"
        )
    from huggingface_hub import hf_hub_download

    file = f"{name.split('/')[1]}.py"
    try:
        return Path(hf_hub_download(name, file, repo_type="space", revision=revision))
    except Exception as error:
        raise UserError(
            f"bridge.metric: {source}: {file} at {revision} is not in the cache and could not be fetched "
            f"({type(error).__name__}). Fetch it: hf download {name} {file} --repo-type space --revision {revision}"
        ) from None


def problems(text: str, path: Path) -> list[str]:
    """Everything in a script that `evaluate` would trip over, in the order of its lines."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return [f"line {getattr(error, 'lineno', None) or 1}: not Python ({error.args[0]})"]
    found = [(node.lineno, said) for node in tree.body for said in _import_problems(node, tree, path.parent)]
    own = _metric_classes(tree)
    if len(own) > 1:
        said = f"several metric classes ({', '.join(c.name for c in own)}); evaluate takes the first, so keep one"
        found.append((own[1].lineno, said))
    if not own and not found:
        found.append(
            (1, "no class derives from evaluate.Metric. Write 'import evaluate', then class X(evaluate.Metric)")
        )
    return [f"line {line}: {said}" for line, said in sorted({*found})]


def _import_problems(node: ast.stmt, tree: ast.Module, folder: Path) -> Iterator[str]:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.Import) and len(names) > 1:
        yield f"'import {', '.join(names)}' is read as one odd name by evaluate. Write one import a line"
    elif sum(other.lineno == node.lineno for other in tree.body) > 1:
        yield "several statements on one line are read as one odd name by evaluate. Write one import a line"
    if isinstance(node, ast.ImportFrom):
        if node.level:
            yield f"the import of {node.module or names[0]!r} is relative. {_neighbour(node.module or names[0])}"
            return
        if (node.module or "").split(".")[0] == "evaluate" and {*names} & {*BASES, "*"}:
            yield (
                f"'from {node.module} import {', '.join(names)}' makes evaluate use its own class. Write 'import "
                "evaluate', then derive from evaluate.Metric"
            )
        names = [node.module or ""]
    for name in dict.fromkeys(name.split(".")[0] for name in names):
        if (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file():
            yield f"{name!r} is a neighbour of the script. {_neighbour(name)}"
        elif find_spec(name) is None:
            yield f"{name!r} is imported and not installed. Install the package it comes from"


def _neighbour(name: str) -> str:
    return f"A script is copied and versioned alone: put what it needs of {name!r} into it, or install it as a package"


def _metric_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Classes that derive from one of evaluate's, or from another such class of the script."""
    found: list[ast.ClassDef] = []
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
            known = {f"{module}.{base}" for module in modules for base in BASES} | {c.name for c in found}
            if bases & known:
                found.append(node)
    return found
