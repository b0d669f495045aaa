"""pytest hooks of an evaluation, registered once a suite is found or one of the options is given."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from harness.engines.base import traits_of
from harness.env import required_by, silence_bars
from harness.errors import (
    EXIT_GATE_FAILED,
    EXIT_INTERNAL,
    EXIT_NOTHING_COLLECTED,
    EXIT_NOTHING_JUDGED,
    EXIT_OK,
    EXIT_USAGE,
    UserError,
)
from harness.schema import ACCEPTED
from harness.suites.discovery import marks_of, misplaced
from harness.suites.suite import CaseTest, Suite
from tunegate.delivery import Delivery, deliver, delivery, report_link
from tunegate.pytest_plugin.items import (
    EXIT_REASON,
    KEY,
    CaseItem,
    GateItem,
    SkipItem,
    exit_on_defect,
    runs_of,
    session_exit,
    session_of,
    usage_errors,
)
from tunegate.pytest_plugin.options import in_pytest, options_of, taken_lines
from tunegate.pytest_plugin.summary import SUMMARY, SessionSummary, case_texts, run_lines, show_engine_time, summarise

if TYPE_CHECKING:
    from tunegate.pytest_plugin.session import EvaluationSession


CHECKPOINTS = ("checkpoint", "baseline")
"""Options that name a checkpoint."""
DELIVERY: pytest.StashKey[Delivery] = pytest.StashKey()
"""Where the results of the session go."""


def pytest_configure(config: pytest.Config) -> None:
    """Refuse invalid options before anything is collected."""
    silence_bars()
    if hasattr(config, "workerinput"):
        return
    runs_of(config)
    for name in CHECKPOINTS:
        _find_latest(config, name)
    options = options_of(config)
    for name in ("limit", "repeats"):
        count = getattr(options, name)
        if count is not None and count < 1:
            raise pytest.UsageError(f"--eval-{name} {count}: expected 1 or more")
    for name in CHECKPOINTS:
        if (text := getattr(options, name)) is not None and not text.strip():
            raise pytest.UsageError(f"--{name} {text!r}: expected a checkpoint. Name one, or leave the option out")
    _check_engine(options)
    with usage_errors():
        config.stash[DELIVERY] = delivery(options.track, options.notify)
    if not config.option.collectonly:
        for name in CHECKPOINTS:
            _check_checkpoint(options, name)


def _find_latest(config: pytest.Config, name: str) -> None:
    """Replace `latest`, given for a checkpoint, by the newest training run, and say which."""
    from harness.runs.project import LATEST, find_run, names_latest

    if not names_latest(getattr(config.option, f"eval_{name}") or ""):
        return
    with usage_errors(f"--{name}: "):
        found = find_run(LATEST, runs_of(config), "train")
    setattr(config.option, f"eval_{name}", str(found))
    config.get_terminal_writer().line(f"--{name} {LATEST}: training run {found}")


def _check_engine(options: Any) -> None:
    if options.engine is None and not options.url and options.engines is None and options.tensor_parallel_size is None:
        return
    from tunegate.pytest_plugin.session import engine_of

    with usage_errors():
        engine_of(options)


def _check_checkpoint(options: Any, name: str) -> None:
    """Refuse a checkpoint that does not exist."""
    text = getattr(options, name)
    if not text or (name, text) == ("baseline", ACCEPTED):
        return
    from harness.checkpoints.resolve import resolve

    traits = traits_of(options.engine)
    if traits.is_scripted or traits.needs_url:
        return
    with usage_errors(f"--{name}: "):
        resolve(text)


def make_items(collector: pytest.Module, obj: Suite | CaseTest) -> list[pytest.Item]:
    """Turn a suite into its gates and a case test into its cases."""
    make = _suite_items if isinstance(obj, Suite) else _case_items
    return exit_on_defect(collector.session, make)(collector, session_of(collector.config), obj)


def _suite_items(collector: pytest.Module, session: EvaluationSession, suite: Any) -> list[pytest.Item]:
    if suite.folder != collector.path.parent:
        session.refuse_link(suite, collector.path.parent)
        session.problems += filter(None, [misplaced(suite, collector.path)])
        return []
    if not session.add(suite, is_long=any(m.name == "long" for m in marks_of(collector.obj))):
        why = session.why_not(suite)
        return [SkipItem.from_parent(collector, name="suite", why=why)] if why else []
    _check(session, suite.tests)
    return [
        GateItem.from_parent(collector, name=f"gate[{gate_id}]", suite=suite, gate_id=gate_id)
        for gate_id in session.gate_ids(suite)
    ]


def _case_items(collector: pytest.Module, session: EvaluationSession, test: Any) -> list[pytest.Item]:
    if test.suite.folder != collector.path.parent or not session.runs(test.suite):
        return []
    items: list[pytest.Item] = [
        CaseItem.from_parent(collector, name=f"{test.__name__}[{case.id}{suffix}]", test=test, case=case, repeat=repeat)
        for case in session.cases(test.suite)
        if test.applies(case)
        for repeat, suffix in session.repeats(test.suite)
    ]
    if not items:  # Its suite may have no name in this module.
        _check(session, [test])
    return items


def _check(session: EvaluationSession, tests: Iterable[CaseTest]) -> None:
    found = [problem for test in tests for problem in test.problems()]
    session.problems += [problem for problem in found if problem not in session.problems]


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Move gates to the end, before --stepwise deselects by position and drops gates that never ran.

    Registered last, it runs before the hooks of pytest and after those with `tryfirst`, which may shuffle.
    """
    if KEY in config.stash:
        items.sort(key=lambda item: isinstance(item, GateItem))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> Any:
    """Refuse what is wrong with a suite, also where pytest could only say that it found no such item.

    The rest comes below the line with the number of items, which pytest rewrites until then.
    """
    config = session.config
    if KEY in config.stash and EXIT_REASON not in config.stash:
        _refuse_problems(session)
    result = yield
    if KEY in config.stash and not _stops_at_collection(session):
        _plan(session)
    return result


def _refuse_problems(session: pytest.Session) -> None:
    config = session.config
    problems = config.stash[KEY].problems.copy()
    if config.getoption("lf", False) and (required := in_pytest(required_by(config.option.eval_require_gates))):
        problems.append(
            f"--lf runs only what failed last and cannot be combined with {required}. Leave one of them out"
        )
    text = in_pytest("\n".join(problems))
    if text and hasattr(config, "workerinput"):
        raise session_exit(session, text, EXIT_USAGE)
    if text:
        raise pytest.UsageError(text)


def _plan(session: pytest.Session) -> None:
    """Plan the jobs for the selected items, and say what will run."""
    config = session.config
    state = config.stash[KEY]
    exit_on_defect(session, state.select)(
        [(i.test.suite, i.case) for i in session.items if isinstance(i, CaseItem)],
        [(i.suite, i.gate_id) for i in session.items if isinstance(i, GateItem)],
    )
    gc.freeze()  # Thousands of items live to the end; scanning them repeatedly takes a tenth of the time.
    if not config.option.collectonly and not hasattr(config, "workerinput"):
        for line in [*taken_lines(config), *exit_on_defect(session, state.forecast)()]:
            session.config.get_terminal_writer().line(line)


def _stops_at_collection(session: pytest.Session) -> bool:
    """Tell whether an error during collection ends the session before anything runs."""
    return bool(session.testsfailed) and not session.config.option.continue_on_collection_errors


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Any:
    """Generate, score and judge before the first item runs; the items only read the results."""
    config = session.config
    controller = config.pluginmanager.hasplugin("dsession")
    if KEY in config.stash and _stops_at_collection(session):
        if hasattr(
            config, "workerinput"
        ):  # Without xdist pytest stops by itself; a worker would run the collected items.
            session.shouldfail = "stopping after an error during collection"
            raise session.Failed(session.shouldfail)
    elif KEY in config.stash and not config.option.collectonly and not controller:
        capture = config.pluginmanager.getplugin("capturemanager")
        try:
            with capture.global_and_fixture_disabled():
                exit_on_defect(session, config.stash[KEY].prepare)(_terminal(config))
        except UserError as error:
            if hasattr(config, "workerinput") or error.exit_code == EXIT_INTERNAL:
                raise session_exit(session, in_pytest(error), error.exit_code) from None
            raise pytest.UsageError(in_pytest(error)) from None
    return (yield)


def _terminal(config: pytest.Config) -> TextIO | None:
    """Return the stream for progress: pytest's own, or None in a worker or with -q -q."""
    if hasattr(config, "workerinput") or config.get_verbosity() <= -2:
        return None
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        return sys.stderr
    reporter.ensure_newline()
    terminal: TextIO = reporter._tw._file
    return terminal


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Turn a failed assertion of a plain case into a miss: shown and recorded in JUnit; the gate decides."""
    report = yield
    if isinstance(item, GateItem) and hasattr(report, "wasxfail"):
        report.outcome = "passed" if call.excinfo is None else "failed"  # A gate cannot be excused by xfail.
        report.longrepr = None if call.excinfo is None else item.repr_failure(call.excinfo)
        del report.wasxfail
    missed = (
        isinstance(item, CaseItem)
        and call.when == "call"
        and report.outcome == "failed"
        and not item.test.must
        and not hasattr(report, "wasxfail")
        and call.excinfo is not None
        and call.excinfo.errisinstance(AssertionError)
    )
    if isinstance(item, CaseItem) and call.when == "call" and (text := exit_on_defect(item.session, item.text)(missed)):
        is_xfailed = report.outcome == "skipped" and hasattr(report, "wasxfail")
        report.case_text = f"{item.title}: {'miss' if missed else 'xfailed' if is_xfailed else report.outcome}\n{text}"
    if missed and call.excinfo is not None:
        report.outcome = "passed"
        report.miss = True
        miss = ("miss", str(call.excinfo.value).splitlines()[0][:200])
        item.user_properties.append(miss)  # JUnit reads the item's properties.
        report.user_properties = [*report.user_properties, miss]
        report.longrepr = None
        call.excinfo = None  # --pdb would stop at it.
    return report


def take_over(config: pytest.Config, output: dict[str, Any]) -> None:
    """Take over the summary of an xdist worker: all are equal except for the seconds, and the slowest made the run."""
    if output.get("tunegate_ended"):
        config.stash[EXIT_REASON] = tuple(output["tunegate_ended"])
    summary: SessionSummary | None = output.get("tunegate")
    if summary and summary["prepare_s"] >= config.stash.get(SUMMARY, summary)["prepare_s"]:
        config.stash[SUMMARY] = summary


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if KEY in config.stash and (summary := summarise(config.stash[KEY])):
        config.stash[SUMMARY] = summary
    summary = config.stash.get(SUMMARY, None)
    if hasattr(config, "workeroutput"):
        config.workeroutput["tunegate"] = summary
        config.workeroutput["tunegate_ended"] = config.stash.get(EXIT_REASON, None)
        return
    if summary:
        show_engine_time(config, summary["prepare_s"])
    if EXIT_REASON in config.stash:
        session.exitstatus = config.stash[EXIT_REASON][1]
        return
    options = options_of(config)
    required = in_pytest(required_by(options.require_gates))
    exitstatus = session.exitstatus  # A conftest.py may have changed it.
    is_evaluation = summary or options.require_gates or options.checkpoint or options.baseline or options.bars
    if config.option.collectonly or not is_evaluation or (not summary and not required):
        return  # --collect-only judges nothing and ends with 0, as pytest has it; CI then finds no run and fails.
    from harness.gates.config import suites_left_out

    gates = _gate_reports(config)
    not_run = [
        *gates["not_run"],
        *(summary["not_run"] if summary else []),
        *suites_left_out(Path(options.bars) if options.bars else None, gates["suites"]),
    ]
    if required and (not_run or not gates["ran"]):
        named = "; ".join(dict.fromkeys(not_run))  # Each xdist worker reports what it skipped.
        config.stash[REQUIRED] = f"{required}: gates that did not run: {named or 'none was collected'}"
        if exitstatus in (EXIT_OK, EXIT_NOTHING_COLLECTED):
            session.exitstatus = EXIT_GATE_FAILED
    elif summary and summary["not_passed"] and exitstatus == EXIT_OK:  # A conftest.py hid it.
        by = f"{required}: " if required else ""
        config.stash[REQUIRED] = f"{by}gates that did not pass: {'; '.join(summary['not_passed'])}"
        session.exitstatus = EXIT_GATE_FAILED
    elif exitstatus == 0 and not gates["ran"]:
        session.exitstatus = EXIT_NOTHING_JUDGED


REQUIRED: pytest.StashKey[str] = pytest.StashKey()
"""Why gates make the session fail where the reports of pytest do not."""


def _gate_reports(config: pytest.Config) -> dict[str, Any]:
    """Collect the gate items that ran and those that were skipped, from the reports of all workers."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    stats = terminal.stats if terminal else {}
    gates: dict[str, Any] = {"ran": [], "not_run": [], "suites": set(), "run": None}
    for category, reports in stats.items():
        for report in reports:
            if category == "skipped" and isinstance(report, pytest.CollectReport):
                gates["not_run"] += _skipped_suite(config.rootpath, report.nodeid)
            if category in ("", "deselected") or not hasattr(report, "user_properties"):
                continue
            properties = dict(report.user_properties)
            gates["run"] = properties.get("run", gates["run"])
            if "gate" in properties:
                gates["suites"].add(properties["suite"])
                gates["not_run" if category == "skipped" else "ran"].append(report.nodeid)
    return gates


def _skipped_suite(root: Path, node_id: str) -> list[str]:
    """Name a file that skipped itself, as `pytest.importorskip` does, where its folder has gates."""
    has_gates = ((root / node_id).parent / "gates.toml").is_file()
    return [f"{node_id}: skipped while it was collected"] if has_gates else []


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    gates = _gate_reports(config)
    state, summary = config.stash.get(KEY, None), config.stash.get(SUMMARY, None)
    if config.option.collectonly or EXIT_REASON in config.stash or (summary is None and REQUIRED not in config.stash):
        return
    text = exit_on_defect(terminalreporter._session, run_lines)(terminalreporter, summary, gates["run"])
    terminalreporter.write_sep("=", "tunegate")
    for line in [*(state.notes() if state else taken_lines(config)), *case_texts(terminalreporter, summary), *text]:
        terminalreporter.write_line(line)
    if not gates["ran"]:
        session = terminalreporter._session  # `exitstatus` is from before pytest_sessionfinish.
        is_stopped = summary is not None and summary["gates"] and (session.shouldfail or session.shouldstop)
        why = "The session stopped before its gates" if is_stopped else "No gate was judged in this session"
        terminalreporter.write_line(f"{why}: exit code {int(session.exitstatus)}.", yellow=True)
    if REQUIRED in config.stash:
        terminalreporter.write_line(config.stash[REQUIRED], red=True)
    if run := gates["run"] or (summary and summary["run"]):
        code = int(terminalreporter._session.exitstatus)
        remarks = [config.stash[REQUIRED]] if REQUIRED in config.stash else []
        remarks += [f"pytest ended with exit code {code}"] if code else []
        deliver(Path(run), config.stash[DELIVERY], terminalreporter.write_line, remarks)
        if link := report_link(Path(run)):
            terminalreporter.write_line(link)
