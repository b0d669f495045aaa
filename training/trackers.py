"""TensorBoard and MLflow, in addition to the plain files that are always written.

They receive the settings and the numbers of the log, but no environment, rows or command line. A tracker that fails is
dropped with one line, and training continues.

    TensorBoard: <run folder>/tensorboard        MLflow: MLFLOW_TRACKING_URI, else <output.dir>/mlflow.db
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import how_to_install

EXPERIMENT = "tunegate"
SETTING_CHARS = 250
"""Longest value that all versions of MLflow's server store in full."""
URI_ENV = "MLFLOW_TRACKING_URI"


def missing(names: Sequence[str]) -> list[str]:
    """Return one problem for each tracker whose package is not installed."""
    return [
        f"'records.trackers' names {name}, which is not installed. {how_to_install('track')}"
        for name in names
        if find_spec(name) is None
    ]


class Trackers:
    """The open trackers of one run."""

    def __init__(
        self, names: Sequence[str], run: Path, settings: Mapping[str, Any], step: int, say: Callable[[str], None]
    ):
        """Open the trackers. With a `step` above 0, MLflow's run of the same name is resumed."""
        self.say = say
        self.open: dict[str, Any] = {}
        flat = {key: _plain(value) for key, value in settings.items()}
        for name in names:
            self._try(name, partial(self._open, name, run, step, flat))

    def log(self, row: Mapping[str, Any]) -> None:
        """Send the numbers of a log line, as `train/...` or `validation/...` at the line's step."""
        table = "train" if "loss" in row else "validation"
        numbers = {
            f"{table}/{key.removeprefix('validation_')}": value
            for key, value in row.items()
            if key != "step" and isinstance(value, int | float) and not isinstance(value, bool)
        }
        for name in list(self.open):
            self._try(name, partial(self.open[name].log, numbers, step=row["step"]))

    def _open(self, name: str, run: Path, step: int, settings: Mapping[str, Any]) -> None:
        self.open[name] = _start(name, run, step)
        self.open[name].store_init_configuration(settings)

    def close(self) -> None:
        """End every tracker."""
        for name in list(self.open):
            self._try(name, self.open[name].finish)
        self.open.clear()

    def _try(self, name: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:  # An unreachable server raises anything; its text may contain address and password.
            self.open.pop(name, None)
            self.say(f"training: {name} failed and is dropped ({type(error).__name__}); the plain files are unaffected")


def _start(name: str, run: Path, step: int) -> Any:
    from accelerate.tracking import MLflowTracker, TensorBoardTracker

    tracker: Any
    if name == "tensorboard":
        tracker = TensorBoardTracker("tensorboard", logging_dir=str(run))
    else:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        if not os.environ.get(URI_ENV):
            mlflow.set_tracking_uri(f"sqlite:///{run.parent.resolve()}/mlflow.db")
        run_id = _mlflow_run(run.name) if step else None
        folder = f"{run.parent.resolve()}/mlflow"
        tracker = MLflowTracker(EXPERIMENT, run_id=run_id, run_name=run.name, logging_dir=folder)
    tracker.start()
    return tracker


def _mlflow_run(name: str) -> str | None:
    """Return the ID of MLflow's run to resume, if any."""
    import mlflow

    runs = mlflow.search_runs(
        experiment_names=[EXPERIMENT], filter_string=f"attributes.run_name = '{name}'", output_format="list"
    )
    return str(runs[0].info.run_id) if runs else None


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | bool) else str(value)[:SETTING_CHARS]
