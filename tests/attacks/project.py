"""What an attacker has: a project, its working directory, its run folders, and a model that failed its suite."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from harness.runs.folder import SEAL, RunFolder, load_manifest
from harness.schema import Manifest
from tests.conftest import save_tiny_model
from tests.support.adapters import save_adapter
from tests.support.gated import PASS_ON_BOTH, change, evaluate, later, reseal, write_project, wrong

EASY = PASS_ON_BOTH.replace("clause_recall", "parse_rate").rpartition("[[gate]]")[0]
"""Gates of the same suite that a model that is always wrong passes."""


class Target:
    """A project and an adapter in it. Everything may be changed, but the code of tunegate."""

    def __init__(self, root: Path, adapter: Path, base: Path) -> None:
        self.root, self.adapter, self.base = root, adapter, base
        self.words: tuple[str, ...] = ()
        """Words that the attacker adds to `merge` and `serve`."""

    @classmethod
    def make(cls, root: Path) -> Target:
        """A project in which the adapter failed its suite."""
        base = save_tiny_model(root / "base")
        made = cls(root, save_adapter(base, root / "adapter"), base)
        write_project(root)
        made.evaluate(answers=wrong())
        return made

    def copied_to(self, folder: Path) -> Target:
        """The same in a folder of its own; the weights stay where they are until an attack moves them."""
        shutil.copytree(self.root, folder, ignore=shutil.ignore_patterns("base", "adapter", "__pycache__"))
        return Target(folder, self.adapter, self.base)

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def suites(self) -> Path:
        return self.root / "evalsuites"

    @property
    def suite(self) -> Path:
        return self.suites / "legal" / "mini"

    @property
    def policy(self) -> Path:
        return self.suites / "approval.toml"

    @property
    def run(self) -> Path:
        """The newest run."""
        return max((f for f in self.runs.iterdir() if f.is_dir()), key=lambda f: (load_manifest(f).started, f.name))

    def evaluate(self, minutes: int = 0, **more: Any) -> Path:
        """Evaluate the adapter; with minutes, so long after all other runs."""
        made = evaluate(self.runs, more.pop("weights", self.adapter), **more)
        return later(made, minutes) if minutes else made

    def edit(self, file: str, old: str, new: str, where: Path | None = None) -> None:
        """Replace a text in a file of the suite, or of another folder; it must be there."""
        path = (where or self.suite) / file
        text = path.read_text()
        assert old in text, f"{path} does not hold {old!r}"
        path.write_text(text.replace(old, new))
        shutil.rmtree(self.suite / "__pycache__", ignore_errors=True)

    def lower(self) -> None:
        """Write gates that the failed model passes."""
        (self.suite / "gates.toml").write_text(EASY)

    def manifest(self, edit: Callable[[dict[str, Any]], None], run: Path | None = None) -> None:
        """Edit run.json of a run, and leave its seal as it is."""
        file = (run or self.run) / "run.json"
        content = json.loads(file.read_text())
        edit(content)
        file.write_text(json.dumps(content))

    def reseal(self, **changes: Any) -> None:
        """Change fields of the newest run's manifest and seal the run again, which needs no key."""
        change(self.run, lambda m: msgspec.structs.replace(m, **changes))

    def lines(self, file: str, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit every line of a file of the newest run, and seal the run again."""
        path = self.run / file
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            edit(line)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        reseal(self.run)

    def say_pass(self, again: bool = False) -> None:
        """Turn every stored verdict of the newest run into a pass; `again` seals it."""
        self.edit("verdicts.json", '"outcome": "fail"', '"outcome": "pass"', self.run)
        if again:
            reseal(self.run)

    def second_suite(self) -> Path:
        """Write the suite legal/easy, which nobody requires."""
        made = shutil.copytree(self.suite, self.suites / "legal" / "easy", ignore=shutil.ignore_patterns("__pycache__"))
        (made / "test_mini.py").rename(made / "test_easy.py")
        (made / "gates.toml").write_text(EASY)
        return made

    @contextmanager
    def unsealed(self) -> Iterator[Path]:
        """The newest run, open to changes, and without a seal afterwards."""
        run = self.run
        (run / SEAL).unlink()
        yield run

    def write_manifest(self, run: Path, **changes: Any) -> None:
        manifest: Manifest = msgspec.structs.replace(load_manifest(run), **changes)
        RunFolder(run).write_manifest(manifest)
