"""MLflow, Weights & Biases and TensorBoard, in addition to the plain files that are always written.

They receive numbers, settings, tags and the files named here, with secrets masked, but no environment, command line or
code. A tracker that fails is dropped with one line; the run continues.

    MLflow: MLFLOW_TRACKING_URI, else mlflow.db next to the run    TensorBoard: <run folder>/tensorboard
    W&B: its server; with WANDB_MODE=offline, wandb/ next to the run
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import msgspec

from harness.errors import UserError, first_line, how_to_install
from harness.formatting import markdown_table
from harness.runs.redaction import default_redactor

EXPERIMENT = "tunegate"
SETTING_CHARS = 250
"""Longest value that all versions of MLflow's server store in full."""
BATCH = 100
"""Most settings or tags in one request to MLflow."""
TAG_CHARS = 64
"""Longest tag of W&B."""
ANSWER_S = 30
"""Seconds to wait for a server."""
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(ANSWER_S),
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""Environment of MLflow's client, where the user has set none."""
ENDED = {"failed": "FAILED", "interrupted": "KILLED", "running": "RUNNING"}
"""MLflow's word for how a run ended that did not finish, by its status."""
Texts = Mapping[str, str]


class Tracker(Protocol):
    """One run in one tracker, opened with its settings and tags."""

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Store numbers."""

    def add(self, files: Sequence[Path]) -> None:
        """Store files."""

    def close(self, status: str) -> None:
        """End the run; `status` is that of its folder."""


class MLflow:
    """A run of MLflow, found again by its name."""

    def __init__(self, run: Path, settings: Texts, tags: Texts) -> None:
        os.environ.update(DEFAULTS | os.environ)
        import mlflow

        uri, folder = os.environ.get("MLFLOW_TRACKING_URI"), run.parent.resolve()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        self.client = mlflow.MlflowClient(uri or f"sqlite:///{folder}/mlflow.db")
        known = self.client.get_experiment_by_name(name)
        store = None if uri else f"{folder}/mlflow"
        experiment = known.experiment_id if known else self.client.create_experiment(name, store)
        found = self.client.search_runs([experiment], f"attributes.run_name = '{run.name}'")
        stored = found[0] if found else self.client.create_run(experiment, run_name=run.name)
        self.id = stored.info.run_id
        self.client.update_run(self.id, "RUNNING")  # One that is continued has the status that it ended with.
        new = {name: value for name, value in settings.items() if name not in stored.data.params}  # None can change.
        self._send("params", [mlflow.entities.Param(*one) for one in new.items()])
        self._send("tags", [mlflow.entities.RunTag(*one) for one in tags.items()])

    def _send(self, kind: str, items: list[Any]) -> None:
        for start in range(0, len(items), BATCH):
            self.client.log_batch(self.id, **{kind: items[start : start + BATCH]})

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._send("metrics", [Metric(name, value, now, step) for name, value in numbers.items()])

    def add(self, files: Sequence[Path]) -> None:
        for file in files:
            self.client.log_artifact(self.id, str(file))

    def close(self, status: str) -> None:
        self.client.set_terminated(self.id, ENDED.get(status, "FINISHED"))


class Wandb:
    """A run of W&B, whose ID is the run's name."""

    def __init__(self, run: Path, settings: Texts, tags: Texts) -> None:
        import wandb

        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", EXPERIMENT),
            id=run.name,
            name=run.name,
            resume="allow",
            dir=run.parent,
            config=dict(settings),
            tags=[f"{name}={value}"[:TAG_CHARS] for name, value in tags.items() if "/" not in name],
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                init_timeout=ANSWER_S,
                login_timeout=ANSWER_S,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )
        self.run.summary.update(dict(tags))

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        self.run.log(dict(numbers), step=step)

    def add(self, files: Sequence[Path]) -> None:
        import wandb

        artifact = wandb.Artifact(self.run.id, type="run")
        for file in files:
            artifact.add_file(str(file), policy="immutable")  # The run folder keeps it until it is uploaded.
        self.run.log_artifact(artifact)

    def close(self, status: str) -> None:
        failed = status in ("failed", "interrupted")
        self.run.finish(exit_code=int(failed))


class TensorBoard:
    """Event files in the run folder; settings, tags and Markdown files are shown as text."""

    def __init__(self, run: Path, settings: Texts, tags: Texts) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.writer = EventFileWriter(str(run / "tensorboard"))
        for name, texts in (("settings", settings), ("tags", tags)):
            if texts:
                self._text(name, "\n".join(markdown_table(["name", "value"], texts.items())))

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write(Summary(value=[Summary.Value(tag=n, simple_value=v) for n, v in numbers.items()]), step)

    def add(self, files: Sequence[Path]) -> None:
        for file in (file for file in files if file.suffix == ".md"):
            self._text(file.stem, file.read_text("utf-8"))

    def _text(self, name: str, text: str) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._write(text_pb(name, text), 0)

    def _write(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def close(self, status: str) -> None:
        self.writer.close()


TRACKERS: dict[str, Callable[[Path, Texts, Texts], Tracker]] = {
    "mlflow": MLflow,
    "wandb": Wandb,
    "tensorboard": TensorBoard,
}


def checked(names: Sequence[str], key: str) -> list[str]:
    """Return the names of trackers, each once. Raises UserError for an unknown one and a missing package."""
    for name in names:
        if name not in TRACKERS:
            raise UserError(f"{key}: {name!r} is no tracker. Expected some of {', '.join(TRACKERS)}")
    for problem in missing(names, key):
        raise UserError(problem)
    return list(dict.fromkeys(names))


def missing(names: Sequence[str], key: str) -> list[str]:
    """Return one problem for each tracker whose package is not installed."""
    return [
        f"{key} names {name}, which is not installed. {how_to_install('track')}"
        for name in names
        if find_spec(name) is None
    ]


class Trackers:
    """The open trackers of one run."""

    def __init__(
        self,
        names: Sequence[str],
        run: Path,
        settings: Mapping[str, Any],
        say: Callable[[str], None],
        tags: Texts | None = None,
    ) -> None:
        """Open the trackers; a run that is there already is continued."""
        self.run, self.say = run, say
        self.open: dict[str, Tracker] = {}
        self.failed: list[str] = []
        texts = {key: str(value)[:SETTING_CHARS] for key, value in settings.items()}
        for name in names:
            self._try(name, partial(self._open, name, _masked(texts), _masked(tags or {})))

    def _open(self, name: str, settings: Texts, tags: Texts) -> None:
        self.open[name] = TRACKERS[name](self.run, settings, tags)

    def log_row(self, row: Mapping[str, Any]) -> None:
        """Send the numbers of a line of a training log, as `train/...` or `validation/...` at the line's step."""
        table = "train" if "loss" in row else "validation"
        numbers = {
            f"{table}/{key.removeprefix('validation_')}": value
            for key, value in row.items()
            if key != "step" and isinstance(value, int | float) and not isinstance(value, bool)
        }
        self.log(numbers, row["step"])

    def log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        """Send numbers."""
        self._each(lambda tracker: tracker.log(numbers, step))

    def add(self, files: Sequence[Path]) -> None:
        """Send files."""
        self._each(lambda tracker: tracker.add(files))

    def close(self, status: str) -> None:
        """End the run of every tracker; `status` is that of its folder."""
        self._each(lambda tracker: tracker.close(status))
        self.open.clear()

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self.open.items()):
            self._try(name, partial(act, tracker))

    def _try(self, name: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:  # An unreachable server raises anything; its text may contain address and password.
            self.open.pop(name, None)
            self.failed.append(name)
            self.say(
                f"{name} failed and is dropped ({_masked(first_line(error))}); the run folder is unaffected. "
                f"To send the finished run: tunegate track {self.run} --to {name}"
            )


def _masked(value: Any) -> Any:
    (masked,) = default_redactor().mask([msgspec.json.encode(value)])
    return msgspec.json.decode(masked)
