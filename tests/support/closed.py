"""Folders that another user keeps closed; to root, under which tests may run, every folder is open."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def close(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    def refusing(method: Callable[..., Any]) -> Callable[..., Any]:
        def act(path: Path, *words: Any, **more: Any) -> Any:
            if path.parent in folders:
                raise PermissionError(13, "Permission denied", str(path))
            return method(path, *words, **more)

        return act

    monkeypatch.setattr(Path, "stat", refusing(Path.stat))
    monkeypatch.setattr(Path, "open", refusing(Path.open))
