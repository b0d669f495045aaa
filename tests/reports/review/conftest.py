"""A sealed run to review, and the real server in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.runs.folder import RunFolder
from harness.schema import Record
from reports.review.items import load_material
from reports.review.planning import ReviewOptions, planned
from reports.review.storage import ReviewDatabase
from tests.support.browser import NewContext
from tests.support.command import TUNEGATE, Process
from tests.support.processes import LIMIT_S, free_port
from tests.support.sample import SUITE, make_manifest, make_metrics, make_records, make_suite, make_verdicts

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

WriteRun = Callable[..., Path]
Planned = Callable[..., tuple[ReviewDatabase, Any]]


def write_sealed(path: Path, records: Sequence[Record] = (), **of_suite: str) -> Path:
    folder = RunFolder(path)
    folder.path.mkdir(parents=True)
    folder.write_manifest(make_manifest(suites=[make_suite(**of_suite)]))
    folder.append_records(SUITE, records or make_records())
    folder.write_metrics(make_metrics())
    folder.write_verdicts(make_verdicts())
    folder.seal()
    return path


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write a sealed run: `write_run(records, prompt=...)`; without records those of the sample."""
    return lambda records=(), **of_suite: write_sealed(
        tmp_path / f"run-{len(list(tmp_path.iterdir()))}", records, **of_suite
    )


@pytest.fixture
def plan_review(write_run: WriteRun) -> Planned:
    """Plan a review: `plan_review(reviewers=[...], mode=...)`; returns its state and the run's material."""

    def make(run: Path | None = None, **wanted: Any) -> tuple[ReviewDatabase, Any]:
        material = load_material(run or write_run())
        return planned(material, ReviewOptions(**{"reviewers": ["r1"], "seed": 5, **wanted}))[0], material

    return make


class Live:
    """`tunegate review` in a process: started, killed, started again, as an organiser would."""

    def __init__(self, run: Path, *words: str, command: str = "start") -> None:
        self.run = run
        self.command = command
        self.links: dict[str, str] = {}
        self.port = free_port()
        self._before = ""
        self._launch(*words)

    def start(self, *more: str) -> None:
        """Start it again, on the same port."""
        self._before = self.said
        self._launch(*more)

    def _launch(self, *words: str) -> None:
        command = [*TUNEGATE, "review", self.command, str(self.run), "--port", str(self.port), *words]
        self.process = Process(*command, cwd=Path.cwd(), env=os.environ | {"COLUMNS": "300"})
        while "\nLinks are shown only once" not in (said := "".join(self.process.output())):
            assert self.process.poll() is None, said
            time.sleep(0.02)
        self.links |= re.findall(rf"^(.*?):.*\n\s+({self.origin}/enter#\S+)", said, re.M)
        self.wait()

    @property
    def said(self) -> str:
        """All that was printed, by every start."""
        return self._before + "".join(self.process.output())

    def wait(self) -> None:
        end = time.monotonic() + LIMIT_S
        while True:
            try:
                urllib.request.urlopen(f"{self.origin}/enter", timeout=LIMIT_S).close()
                return
            except urllib.error.URLError as error:
                assert time.monotonic() < end, f"the server does not answer: {error}"
                time.sleep(0.1)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self, how: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=LIMIT_S)


@pytest.fixture
def live() -> Iterator[Callable[..., Live]]:
    """Start review servers: `live(run, "--reviewer", "r1", ...)`; all are stopped at the end."""
    started: list[Live] = []

    def start(run: Path, *words: str, command: str = "start") -> Live:
        started.append(Live(run, *words, command=command))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


@pytest.fixture
def reviewers_browser(new_context: NewContext) -> Iterator[NewContext]:
    """Contexts of a browser in which no script of ours may fail and nothing may break the content policy."""
    problems: list[str] = []

    def make(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.on("weberror", lambda found: problems.append(str(found.error)))
        context.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
        return context

    yield make
    assert problems == []
