"""One evaluation session: which suites run, when answers are generated, and the record and verdict of each item.

The plugin's hooks call it; it calls the evaluation.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from harness.baseline.compare import baseline_path
from harness.baseline.format import load_accepted
from harness.checkpoints.bundled_model import EMBEDDED
from harness.engines.config import EngineConfig
from harness.engines.options import ENGINE_OPTIONS, engine_config
from harness.env import required_by
from harness.errors import Unavailable, UserError, refuse_all
from harness.evaluation.plan import Job, SuiteJob
from harness.gates.config import gate_ids, load_suite_gates
from harness.runs.folder import RunData
from harness.schema import ACCEPTED, CANDIDATE, Case, Record, Verdict
from harness.suites.discovery import gates_without_suite, name_clash
from harness.suites.suite import Suite
from tunegate.pytest_plugin.options import in_pytest

FEW = 5
"""Most selected cases for which the terminal shows each in full."""


def engine_of(options: Any) -> EngineConfig:
    """The engine that pytest's options configure; options that do not fit it are a UserError."""
    given = {name: value for name in ENGINE_OPTIONS if (value := getattr(options, name)) is not None}
    return engine_config(options.engine, **given)


class EvaluationSession:
    """State between collection and the last item."""

    def __init__(self, options: Any, run_path: str | None, runs: Path, folders: Sequence[Path]) -> None:
        self.options = options
        self.folders = folders
        self.runs_folder = runs
        self.run_path = Path(run_path) if run_path else None
        self.problems: list[str] = []
        self.run: RunData | None = None
        self.prepare_s = 0.0
        self.gates_selected: list[tuple[str, str]] = []
        self.shows_cases = False
        self.misses = 0
        self._reasons: dict[str, str] = {}
        self._suites: dict[str, Suite] = {}
        self._seen: dict[str, Suite] = {}
        self._gate_ids: dict[str, list[str]] = {}
        self._jobs: list[SuiteJob] = []
        self._records: dict[tuple[str, str, int], Record] = {}
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    def add(self, suite: Suite, is_long: bool) -> bool:
        """Add a suite; return False where it cannot run, with the reason in `why_not` or `problems`."""
        self._seen[suite.name] = suite
        if (known := self._suites.get(suite.name)) is suite:
            return True
        if known is not None:
            self.problems.append(name_clash(known, suite))
            return False
        try:
            if is_long and not self.options.long:
                raise Unavailable(f"{suite.name} is marked long: run it with --eval-long")
            suite.cases  # noqa: B018 - loading them is the check
            self._refuse_same_names(suite)
            planned = gate_ids(load_suite_gates(suite, self._bars()), suite.slice_values(), suite.name)
            self._gate_ids[suite.name] = [gate.id for gate in planned]
            if self.options.baseline == ACCEPTED:
                load_accepted(baseline_path(suite, self._bars()), suite.name)
        except Unavailable as missing:
            self._reasons[suite.name] = str(missing)
            return False
        except UserError as error:
            self.problems.append(str(error))
            return False
        self._suites[suite.name] = suite
        return True

    def refuse_link(self, suite: Suite, folder: Path) -> None:
        """Refuse a folder that is collected next to the suite that it links to: pytest imports the file once."""
        problem = f"{suite.name} is collected twice, the second time through a link. Leave one of them out"
        if suite.folder.samefile(folder) and problem not in self.problems:
            self.problems.append(problem)

    def _refuse_same_names(self, suite: Suite) -> None:
        """Refuse a case with the same item name as a repeat of another case. Raises UserError."""
        repeats = [pair for pair in self.repeats(suite) if pair[1]]
        ids = dict.fromkeys(case.id for case in suite.cases) if repeats else {}
        same = [
            f"{suite.name}: case {case_id + suffix!r} and answer {repeat} of case {case_id!r} would be one test item: "
            "rename a case"
            for repeat, suffix in repeats
            for case_id in ids
            if case_id + suffix in ids
        ]
        refuse_all(same, f"{suite.name}: test items with the same name")

    def _bars(self) -> Path | None:
        return Path(self.options.bars) if self.options.bars else None

    def runs(self, suite: Suite) -> bool:
        """Tell whether the suite can run; adds it where pytest collects its case tests first."""
        return suite.name in self._suites or (
            suite.name not in self._reasons and not self.problems and self.add(suite, is_long=False)
        )

    def why_not(self, suite: Suite) -> str | None:
        return self._reasons.get(suite.name)

    def not_run(self) -> list[str] | None:
        """Return gates that were not selected, and why suites did not run; None where no suite was collected.

        pytest does not report as deselected what node ids or other plugins leave out.
        """
        if not self._suites and not self._reasons:
            return None
        planned = ((suite, gate_id) for suite, gate_ids in self._gate_ids.items() for gate_id in gate_ids)
        left_out = [" ".join(gate) for gate in planned if gate not in self.gates_selected]
        lost = gates_without_suite(self.folders, self._seen.values())
        return [*left_out, *map(in_pytest, self._reasons.values()), *lost]

    def not_passed(self) -> list[str]:
        """Return the selected gates whose verdict is not pass; skipped ones only where gates are required."""
        passing = ("pass",) if required_by(self.options.require_gates) else ("pass", "skipped")
        judged = [gate for gate in self.gates_selected if gate in self._verdicts]
        return [" ".join(gate) for gate in judged if self._verdicts[gate].outcome not in passing]

    def notes(self) -> list[str]:
        """Return a line for each suite that did not run."""
        return [in_pytest(f"not run: {reason}") for reason in self._reasons.values()]

    def cases(self, suite: Suite) -> Sequence[Case]:
        return suite.cases[: self.options.limit] if self.options.limit else suite.cases

    def repeats(self, suite: Suite) -> Iterable[tuple[int, str]]:
        """Return the repeat numbers and the suffixes of their items."""
        repeats = self.options.repeats or suite.samples
        return [(r, "" if r == 1 else f"-r{r}") for r in range(1, repeats + 1)]

    def gate_ids(self, suite: Suite) -> list[str]:
        """Return the id of every gate of a suite, whatever is selected later."""
        return self._gate_ids[suite.name]

    def select(self, cases: list[tuple[Suite, Case]], gates: list[tuple[Suite, str]]) -> None:
        """Plan the jobs after deselection: a suite with a selected gate runs all its cases (up to --limit)."""
        chosen: dict[str, dict[str, Case]] = {}
        for suite, case in cases:
            chosen.setdefault(suite.name, {})[case.id] = case
        is_part = any(len(selected) < len(self.cases(self._suites[name])) for name, selected in chosen.items())
        self.shows_cases = len(cases) <= FEW and (is_part or not gates)
        self.gates_selected = [(suite.name, gate_id) for suite, gate_id in gates]
        for name in dict.fromkeys(name for name, _ in self.gates_selected):
            chosen[name] = {case.id: case for case in self.cases(self._suites[name])}
        self._jobs = [SuiteJob(suite=self._suites[n], cases=list(selected.values())) for n, selected in chosen.items()]

    def job(self) -> Job:
        options = self.options
        return Job(
            suites=self._jobs,
            candidate=options.checkpoint or EMBEDDED,
            baseline=options.baseline,
            engine=engine_of(options),
            repeats=options.repeats,
            bars=self._bars(),
        )

    def forecast(self) -> list[str]:
        """Say in one or two lines what will run and how long it may take."""
        if not self._jobs:
            return []
        from harness.evaluation.plan import forecast

        return forecast(self.job())

    def prepare(self, terminal: TextIO | None = None) -> None:
        """Make or read the run. With several workers, the first makes it and the others wait and read.

        `terminal` shows the progress; without it there is no output.
        """
        if not self._jobs:
            return
        from harness.evaluation.run import run_once
        from harness.progress.progress import Progress

        progress = Progress(quiet=terminal is None, terminal=terminal)
        begun = time.perf_counter()
        self.run = run_once(self.job(), self.runs_folder, self.run_path, progress)
        self.run_path = self.run.path
        for record, suite in zip(self.run.records, self.run.suite_of, strict=True):
            if record.variant == CANDIDATE:
                self._records[suite, record.case.id, record.repeat] = record
        self._verdicts = {(v.suite, v.gate): v for v in self.run.verdicts}
        self.prepare_s = time.perf_counter() - begun

    def record(self, suite: Suite, case: Case, repeat: int) -> Record:
        """Return the candidate's record. Raises Unavailable where the case exceeds the model's context."""
        record = self._records.get((suite.name, case.id, repeat))
        if record is None:
            raise Unavailable(f"{case.id} is longer than the model's context and was left out")
        return record

    def case_text(self, suite: Suite, case: Case, repeat: int, is_miss: bool) -> str | None:
        """Return one case in full where few are selected, or a miss with long texts cut, if it is one to show."""
        if self.run is None or (suite.name, case.id, repeat) not in self._records:
            return None
        from reports.render.terminal_cases import CUT, MISS_CUT, MISSES, case_text

        self.misses += is_miss
        if not self.shows_cases and not (is_miss and (self.misses <= MISSES or "m" in self.options.reportchars)):
            return None

        named_records = zip(self.run.records, self.run.suite_of, strict=True)
        records = [r for r, name in named_records if (name, r.case.id, r.repeat) == (suite.name, case.id, repeat)]
        info = next(info for info in self.run.manifest.suites if info.name == suite.name)
        cut = CUT if self.shows_cases else MISS_CUT
        return case_text(info, records, None if self.options.verbose > 0 else cut)

    def verdict(self, suite: Suite, gate_id: str) -> Verdict:
        return self._verdicts[suite.name, gate_id]

    def properties(self, verdict: Verdict) -> dict[str, str]:
        """Return the JUnit properties of a verdict: what was seen, value, bounds, n and threshold."""
        properties = {"outcome": verdict.outcome, "bar": verdict.bar, "seen": verdict.seen, "run": str(self.run_path)}
        seen = verdict.observed
        if seen is not None and seen.value is not None:
            properties |= {"value": f"{seen.value:.6g}", "n": str(seen.n), "clusters": str(seen.clusters)}
            if seen.low is not None and seen.high is not None:
                properties |= {"low": f"{seen.low:.6g}", "high": f"{seen.high:.6g}"}
        return properties
