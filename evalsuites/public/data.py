"""Finds a set of public data that a user has fetched. Knows no set."""

import os
from collections.abc import Iterable
from pathlib import Path

from harness.env import DATA
from harness.errors import Unavailable


def data_folder(name: str, needed: Iterable[str], where: str) -> Path:
    """The folder `name` of the public data with these files in it, or Unavailable saying `where` they come from."""
    root = os.environ.get(DATA)
    folder = Path(root) / name if root else None
    if folder is None or not all((folder / file).exists() for file in needed):
        raise Unavailable(where)
    return folder
