"""pytest items: one case test on one record, one gate on one slice, and a stand-in for a suite that cannot run.

They only read what the session made; it is met here first, because every item asks it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from harness.errors import EXIT_INTERNAL, Unavailable, UserError

if TYPE_CHECKING:
    from tunegate.pytest_plugin.session import EvaluationSession

KEY: pytest.StashKey[EvaluationSession] = pytest.StashKey()
ENDED: pytest.StashKey[tuple[str, int]] = pytest.StashKey()
"""What ended the session before its time, in one line, and the exit code of that."""
LONGEST_KEYWORD = 40
"""Characters of a tag that -k matches. A longer tag is a text, such as a reference answer, and holds most words."""
Made = TypeVar("Made")


def ending(session: pytest.Session, line: str, code: int) -> Exception:
    """What to raise to end the session; from a worker of xdist the controller learns of it, and stops the others."""
    session.config.stash[ENDED] = line, code
    if hasattr(session.config, "workerinput"):
        session.shouldstop = line
    return pytest.exit.Exception(line, returncode=code)


def ending_at_defects(session: pytest.Session, part: Callable[..., Made]) -> Callable[..., Made]:
    """The same function, but an exception that nobody expects ends the session, with the code of an internal error."""

    @wraps(part)
    def guarded(*words: Any, **named: Any) -> Made:
        try:
            return part(*words, **named)
        except (UserError, pytest.UsageError, pytest.exit.Exception):
            raise
        except Exception as error:
            from tunegate.defects import told

            raise ending(session, told(error), EXIT_INTERNAL) from None

    return guarded


def session_of(config: pytest.Config) -> EvaluationSession:
    """The one Session of this process, made when the first suite is met."""
    if KEY not in config.stash:
        from tunegate.pytest_plugin.session import EvaluationSession

        run_path = getattr(config, "workerinput", {}).get("tunegate_run")
        runs = Path(run_path).parent if run_path else runs_of(config)
        config.stash[KEY] = EvaluationSession(config.option, run_path=run_path, runs=runs)
    return config.stash[KEY]


def runs_of(config: pytest.Config) -> Path:
    """Folder of the run folders. pytest's own root moves with the paths on the command line, a checkpoint's too."""
    from harness.runs import project

    try:
        return project.runs_of(config.getoption("runs"), config.invocation_params.dir)
    except UserError as error:
        raise pytest.UsageError(str(error)) from None


def marks_of(source: object) -> list[pytest.Mark]:
    """Marks that a decorator or `pytestmark` left on a function or module."""
    found: Any = getattr(source, "pytestmark", [])
    marks: list[Any] = found if isinstance(found, list) else [found]
    return [getattr(mark, "mark", mark) for mark in marks]


class _SuiteItem(pytest.Item):
    """An item with brackets in its name.

    The node id is given as text, so that pytest parses it as it parses ids from the command line and its cache:
    otherwise --lf and --stepwise do not recognise the item.
    """

    def __init__(self, *, name: str, parent: pytest.Collector, **rest: Any) -> None:
        super().__init__(name, parent, nodeid=f"{parent.nodeid}::{name}", **rest)


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
            record = ending_at_defects(self.session, session_of(self.config).record)(
                self.test.suite, self.case, self.repeat
            )
        except Unavailable as left_out:
            pytest.skip(str(left_out))
        self.test.function(record)

    @property
    def title(self) -> str:
        repeat = f", answer {self.repeat}" if self.repeat > 1 else ""
        return f"{self.test.suite.name} {self.case.id}{repeat}, {self.test.__name__}"

    def text(self) -> str | None:
        """Prompt, expected answer, answers and scores, where few cases are selected."""
        return session_of(self.config).case_text(self.test.suite, self.case, self.repeat)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, self.test.function.__code__.co_firstlineno - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not self.test.must and isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)  # a miss: thousands of them need no traceback
        excinfo.traceback = excinfo.traceback.cut(path=self.path)
        return super().repr_failure(excinfo, style="short")


class GateItem(_SuiteItem):
    """One gate on one slice; reads the run's records, never other items' outcomes."""

    def __init__(self, *, suite: Any, gate_id: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.suite, self.gate_id = suite, gate_id
        self.user_properties += [("suite", suite.name), ("gate", gate_id)]

    def runtest(self) -> None:
        found = session_of(self.config)
        verdict = ending_at_defects(self.session, found.verdict)(self.suite, self.gate_id)
        self.user_properties += ending_at_defects(self.session, found.properties)(verdict).items()
        if verdict.outcome == "skipped":
            pytest.skip(verdict.reason)
        if verdict.outcome != "pass":
            raise GateNotPassed(f"{verdict.outcome.upper()}: {verdict.reason}")

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.suite.gates_path, 0, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, GateNotPassed) else super().repr_failure(excinfo)


class GateNotPassed(Exception):
    """A gate that failed, is inconclusive, or could not be measured."""


class SkipItem(_SuiteItem):
    """Stands for a suite that cannot run here, and says why."""

    def __init__(self, *, why: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.why = why

    def runtest(self) -> None:
        pytest.skip(self.why)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, 0, self.name
