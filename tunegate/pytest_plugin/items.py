"""pytest items: one case test on one record, one gate on one slice, and a skip for a suite that cannot run.

The items only read the results of the evaluation session, which `session_of` creates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from harness.errors import EXIT_INTERNAL, Unavailable, UserError
from harness.files import absolute
from harness.runs.project import suites_of
from harness.suites.discovery import SUITES, marks_of
from tunegate.pytest_plugin.options import in_pytest, options_of

if TYPE_CHECKING:
    from tunegate.pytest_plugin.session import EvaluationSession

KEY: pytest.StashKey[EvaluationSession] = pytest.StashKey()
EXIT_REASON: pytest.StashKey[tuple[str, int]] = pytest.StashKey()
"""Why the session ended early, in one line, and the exit code."""
LONGEST_KEYWORD = 40
"""Longest tag that -k matches. A longer one is a text, such as a reference answer, and would match most words."""
Result = TypeVar("Result")


@contextmanager
def usage_errors(option: str = "") -> Iterator[None]:
    """Turn a UserError into pytest's usage error, with the option that it is about."""
    try:
        yield
    except UserError as error:
        raise pytest.UsageError(in_pytest(f"{option}{error}")) from None


def session_exit(session: pytest.Session, line: str, code: int) -> Exception:
    """Return the exception that ends the session; an xdist worker also tells the controller, which stops the others."""
    session.config.stash[EXIT_REASON] = line, code
    if hasattr(session.config, "workerinput"):
        session.shouldstop = line
    return pytest.exit.Exception(line, returncode=code)


def exit_on_defect(session: pytest.Session, part: Callable[..., Result]) -> Callable[..., Result]:
    """Wrap a function so that an unexpected exception ends the session with the code of an internal error."""

    @wraps(part)
    def guarded(*words: Any, **named: Any) -> Result:
        try:
            return part(*words, **named)
        except (UserError, pytest.UsageError, pytest.exit.Exception):
            raise
        except Exception as error:
            from tunegate.defects import describe_defect

            raise session_exit(session, describe_defect(error), EXIT_INTERNAL) from None

    return guarded


def session_of(config: pytest.Config) -> EvaluationSession:
    """Return the evaluation session of this process, created for the first suite."""
    if KEY not in config.stash:
        from harness.runs.folder import new_run_id
        from tunegate.pytest_plugin.session import EvaluationSession

        options, runs = options_of(config), runs_of(config)
        options.verbose = config.option.verbose
        options.reportchars = config.option.reportchars
        given = getattr(config, "workerinput", {}).get("tunegate_run")
        run_path = str(runs / new_run_id("eval", *given[:2])) if given else None
        config.stash[KEY] = EvaluationSession(options, run_path=run_path, runs=runs, folders=_suite_folders(config))
    return config.stash[KEY]


def _suite_folders(config: pytest.Config) -> list[Path]:
    """List the folders of suites that pytest was asked to collect whole, not files or items in them."""
    given = [absolute(config.invocation_params.dir / word) for word in config.args]
    return [
        folder / SUITES if (folder / SUITES).is_dir() else folder
        for folder in given
        if any((suites := suites_of(each)) and _share_a_path(each, suites) for each in (folder, folder.resolve()))
    ]


def _share_a_path(folder: Path, suites: Path) -> bool:
    """Whether one of two folders contains the other."""
    return folder.is_relative_to(suites) or suites.is_relative_to(folder)


def runs_of(config: pytest.Config) -> Path:
    """Return the folder of runs. It does not follow pytest's rootdir, which depends on paths on the command line."""
    from harness.runs import project

    here = getattr(config, "workerinput", {}).get("tunegate_run", [config.invocation_params.dir])[-1]
    with usage_errors():
        return project.runs_of(config.option.eval_runs, Path(here))


class _SuiteItem(pytest.Item):
    """An item with brackets in its name.

    The node id is given as text, so that pytest parses it as it parses ids from the command line and its cache:
    otherwise --lf and --stepwise do not recognise the item. It reads a result that is fixed, so it is never run again.
    """

    def __init__(self, *, name: str, parent: pytest.Collector, **rest: Any) -> None:
        super().__init__(name, parent, nodeid=f"{parent.nodeid}::{name}", **rest)
        if self.config.pluginmanager.hasplugin("rerunfailures"):
            self.add_marker(pytest.mark.flaky(reruns=0))


class CaseItem(_SuiteItem):
    """One case test on one record."""

    def __init__(self, *, test: Any, case: Any, repeat: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.test, self.case, self.repeat = test, case, repeat
        for source in (test.function, test):
            for mark in marks_of(source):
                self.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))
        self.extra_keyword_matches.update(tag for tag in case.tags.values() if len(tag) <= LONGEST_KEYWORD)

    def runtest(self) -> None:
        try:
            record = exit_on_defect(self.session, session_of(self.config).record)(
                self.test.suite, self.case, self.repeat
            )
        except Unavailable as left_out:
            pytest.skip(str(left_out))
        if record.error is not None:
            raise NoAnswer(f"no answer: {record.error}")
        returned = self.test.function(record)
        if returned is not None:
            pytest.fail(
                f"{self.test.__name__} returned a {type(returned).__name__}, expected None: only its assertions count. "
                "Write `assert` in place of `return`, and neither `async` nor `yield`",
                pytrace=False,
            )

    @property
    def title(self) -> str:
        repeat = f", answer {self.repeat}" if self.repeat > 1 else ""
        return f"{self.test.suite.name} {self.case.id}{repeat}, {self.test.__name__}"

    def text(self, is_miss: bool) -> str | None:
        """Return prompt, expected answer, answers and scores, where the terminal shows the case."""
        return session_of(self.config).case_text(self.test.suite, self.case, self.repeat, is_miss)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, self.test.function.__code__.co_firstlineno - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        is_miss = not self.test.must and isinstance(excinfo.value, AssertionError)
        if is_miss or isinstance(excinfo.value, NoAnswer):
            return str(excinfo.value)  # A miss needs no traceback: there may be thousands.
        excinfo.traceback = excinfo.traceback.cut(path=self.path)
        return super().repr_failure(excinfo, style="short")


class NoAnswer(AssertionError):
    """The engine gave no answer, so that its empty text says nothing."""


class GateItem(_SuiteItem):
    """One gate on one slice; it reads the run's verdicts, never other items' outcomes."""

    def __init__(self, *, suite: Any, gate_id: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.suite, self.gate_id = suite, gate_id
        self.user_properties += [("suite", suite.name), ("gate", gate_id)]

    def runtest(self) -> None:
        session = session_of(self.config)
        verdict = exit_on_defect(self.session, session.verdict)(self.suite, self.gate_id)
        self.user_properties += exit_on_defect(self.session, session.properties)(verdict).items()
        if verdict.outcome == "skipped":
            pytest.skip(in_pytest(verdict.reason))
        if verdict.outcome != "pass":
            raise GateNotPassed(f"{verdict.outcome.upper()}: {in_pytest(verdict.reason)}")

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.suite.gates_path, 0, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, GateNotPassed) else super().repr_failure(excinfo)


class GateNotPassed(Exception):
    """A gate failed, is inconclusive, or could not be measured."""


class SkipItem(_SuiteItem):
    """Skips a suite that cannot run, with the reason."""

    def __init__(self, *, why: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.why = why

    def runtest(self) -> None:
        pytest.skip(in_pytest(self.why))

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, 0, self.name
