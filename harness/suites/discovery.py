"""Lets a suite import its own modules by the names of the folders around it. Knows no suite.

A folder `evalsuites` of a user's own has the name of the one that came with tunegate, and goes first. Nothing is put on
the path, where a user's folder called `reports` would hide tunegate's.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def open_packages(file: Path) -> None:
    """Make every package around `file` importable: of the folders above it those that hold an __init__.py."""
    folders: list[Path] = []
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folders.insert(0, folder)
        folder = folder.parent
    for depth, folder in enumerate(folders, 1):
        _open(".".join(part.name for part in folders[:depth]), folder)


def _open(name: str, folder: Path) -> None:
    known = sys.modules.get(name)
    if known is not None:
        if hasattr(known, "__path__") and str(folder) not in known.__path__:
            known.__path__ = [str(folder), *known.__path__]
        return
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
