"""pytest hooks: suites become ordinary items. Translation only: planning, scoring and judging live elsewhere.

Inert in projects without a suite: nothing is imported and nothing is printed until one is collected.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from harness.env import required_by
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
from tunegate.pytest_plugin.items import (
    ENDED,
    KEY,
    CaseItem,
    GateItem,
    SkipItem,
    ending,
    ending_at_defects,
    marks_of,
    runs_of,
    session_of,
)
from tunegate.pytest_plugin.summary import TOLD, Told, case_texts, run_lines, show_engine_time, told_of

if TYPE_CHECKING:
    from tunegate.pytest_plugin.session import EvaluationSession


def pytest_addoption(parser: pytest.Parser) -> None:
    from harness.engines.base import ENGINES

    group = parser.getgroup("tunegate", "evaluation of language models (tunegate)")
    add = group.addoption
    add("--checkpoint", metavar="X", help="what to evaluate: hub id, model, adapter or merged folder, or alias")
    add("--baseline", metavar="Y", help="checkpoint to compare with, or 'accepted': each suite's baseline.json")
    add("--engine", choices=tuple(ENGINES), help="default: vllm where it imports, else transformers")
    add("--engines", type=int, metavar="N", help="vLLM engines of --engine ray (default: one a GPU)")
    add("--tensor-parallel-size", type=int, metavar="N", default=1, help="GPUs that vLLM splits each model over")
    add("--url", action="append", metavar="U", help="an OpenAI-compatible server for --engine openai; again for more")
    add("--served-model", metavar="NAME", help="what the servers call the checkpoint (default: its name)")
    add("--served-baseline", metavar="NAME", help="what the servers call the baseline (default: its name)")
    add("--trust-server", action="store_true", help="the servers have the weights that you name; recorded")
    add("--lora", choices=("auto", "force", "merge"), default="auto", help="serve adapters as LoRA or merged")
    add("--runs", metavar="DIR", help="where run folders are written (default: runs in the project's folder)")
    add("--bars", metavar="DIR", help="take every gates.toml, and accepted baseline, from this copy of evalsuites")
    add("--require-gates", action="store_true", default=None, help="fail when a gate did not run (default: only in CI)")
    add("--no-require-gates", action="store_false", dest="require_gates", help="do not require gates in CI either")
    add("--limit", type=int, metavar="N", help="ask only the first N cases of each suite; gates then skip")
    add("--repeats", type=int, metavar="N", help="answers per case and variant (default: what the suite says)")
    add("--long", action="store_true", help="run suites marked long too")
    add("--script", metavar="FILE", help="answers of the fake engine: JSON of variant -> case id -> text")
    add("--no-answer-cache", action="store_true", help="ask again even where an answer is cached")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: a suite that waits for --long")
    if hasattr(config, "workerinput"):
        return
    runs_of(config)
    for option in ("limit", "repeats"):
        count = config.getoption(option)
        if count is not None and count < 1:
            raise pytest.UsageError(f"--{option} {count}: expected 1 or more")
    _check_engine(config)
    for option in ("checkpoint", "baseline"):
        _usage(config, option)


def _check_engine(config: pytest.Config) -> None:
    """Refuse engine options that do not fit before anything is collected."""
    options = config.option
    if options.engine is None and not options.url and options.engines is None and options.tensor_parallel_size == 1:
        return
    from tunegate.pytest_plugin.session import engine_of

    try:
        engine_of(options)
    except UserError as error:
        raise pytest.UsageError(str(error)) from None


def _usage(config: pytest.Config, option: str) -> None:
    """Refuse a checkpoint that does not exist before anything is collected."""
    text = config.getoption(option)
    if not text or (option, text) == ("baseline", ACCEPTED) or config.getoption("collectonly"):
        return
    from harness.checkpoints.resolve import resolve
    from harness.engines.base import traits_of

    traits = traits_of(config.getoption("engine"))
    if traits.is_scripted or traits.needs_url:
        return
    try:
        resolve(text)
    except UserError as error:
        raise pytest.UsageError(f"--{option}: {error}") from None


def pytest_configure_node(node: Any) -> None:
    """Under xdist, all workers share one run folder, named here."""
    from harness.runs.folder import new_run_id

    if not hasattr(node.config, "_tunegate_run"):
        node.config._tunegate_run = str(runs_of(node.config) / new_run_id("eval"))
    node.workerinput["tunegate_run"] = node.config._tunegate_run


pytest_configure_node = pytest.hookimpl(optionalhook=True)(pytest_configure_node)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Let a suite import its own and installed modules as `evalsuites.DOMAIN.SUITE`, however pytest was started."""
    if "evalsuites" in module_path.parts:
        from harness.suites.discovery import open_packages

        open_packages(module_path)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module, name: str, obj: object) -> list[pytest.Item] | None:
    kind = type(obj)
    if kind.__module__ != "harness.suites.suite" or not isinstance(collector, pytest.Module):
        return None
    make = {"Suite": _suite_items, "CaseTest": _case_items}.get(kind.__name__)
    return make and ending_at_defects(collector.session, make)(collector, session_of(collector.config), obj)


def _suite_items(collector: pytest.Module, session: EvaluationSession, suite: Any) -> list[pytest.Item]:
    if suite.folder != collector.path.parent:
        return []
    if not session.add(suite, is_long=any(m.name == "long" for m in marks_of(collector.obj))):
        why = session.why_not(suite)
        return [SkipItem.from_parent(collector, name="suite", why=why)] if why else []
    return [
        GateItem.from_parent(collector, name=f"gate[{gate_id}]", suite=suite, gate_id=gate_id)
        for gate_id in session.gate_ids(suite)
    ]


def _case_items(collector: pytest.Module, session: EvaluationSession, test: Any) -> list[pytest.Item]:
    if test.suite.folder != collector.path.parent or not session.runs(test.suite):
        return []
    return [
        CaseItem.from_parent(collector, name=f"{test.__name__}[{case.id}{suffix}]", test=test, case=case, repeat=repeat)
        for case in session.cases(test.suite)
        if test.applies(case)
        for repeat, suffix in session.repeats(test.suite)
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gates come last, and are sorted first: --stepwise deselects by position, and would drop gates that never ran."""
    if KEY not in config.stash:
        return
    items.sort(key=lambda item: isinstance(item, GateItem))
    problems = list(config.stash[KEY].problems)
    if config.getoption("lf", False) and (required := required_by(config.option.require_gates)):
        problems.append(f"--lf runs only what failed last, which does not go with {required}. Leave one of them out")
    if problems and hasattr(config, "workerinput"):
        raise ending(session, "\n".join(problems), EXIT_USAGE)
    if problems:
        raise pytest.UsageError("\n".join(problems))


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, GateItem):
            session_of(item.config).deselected.append(item.nodeid)


def pytest_collection_finish(session: pytest.Session) -> None:
    config = session.config
    if KEY not in config.stash or _stops_at_collection(session):
        return
    state = config.stash[KEY]
    ending_at_defects(session, state.wanted)(
        [(i.test.suite, i.case) for i in session.items if isinstance(i, CaseItem)],
        [(i.suite, i.gate_id) for i in session.items if isinstance(i, GateItem)],
    )
    gc.freeze()  # thousands of items live to the end; looking through them again and again takes a tenth of the time
    if not config.option.collectonly and not hasattr(config, "workerinput"):
        for line in ending_at_defects(session, state.forecast)():
            session.config.get_terminal_writer().line(line)


def _stops_at_collection(session: pytest.Session) -> bool:
    """Whether an error during collection ends the session before anything runs."""
    return bool(session.testsfailed) and not session.config.option.continue_on_collection_errors


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Any:
    """Generate, score and judge before the first item runs; the items then only read."""
    config = session.config
    controller = config.pluginmanager.hasplugin("dsession")
    if KEY in config.stash and _stops_at_collection(session):
        if hasattr(config, "workerinput"):  # Elsewhere pytest itself stops; a worker would run what was collected.
            session.shouldfail = "stopping after an error during collection"
            raise session.Failed(session.shouldfail)
    elif KEY in config.stash and not config.option.collectonly and not controller:
        capture = config.pluginmanager.getplugin("capturemanager")
        try:
            with capture.global_and_fixture_disabled():
                ending_at_defects(session, config.stash[KEY].prepare)(_terminal(config))
        except UserError as error:
            if hasattr(config, "workerinput") or error.exit_code == EXIT_INTERNAL:
                raise ending(session, str(error), error.exit_code) from None
            raise pytest.UsageError(str(error)) from None
    return (yield)


def _terminal(config: pytest.Config) -> TextIO | None:
    """Where the run is shown while it is made: where pytest writes, and nowhere in a worker or with -q -q."""
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
    """A failed assertion of a plain case is a miss: shown, kept in JUnit, decided by the gate."""
    report = yield
    if isinstance(item, GateItem) and hasattr(report, "wasxfail"):
        report.outcome = "passed" if call.excinfo is None else "failed"  # A gate is no test that may be excused.
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
    if isinstance(item, CaseItem) and call.when == "call" and (text := ending_at_defects(item.session, item.text)()):
        is_xfailed = report.outcome == "skipped" and hasattr(report, "wasxfail")
        report.case_text = f"{item.title}: {'miss' if missed else 'xfailed' if is_xfailed else report.outcome}\n{text}"
    if missed and call.excinfo is not None:
        report.outcome = "passed"
        report.miss = True
        miss = ("miss", str(call.excinfo.value).splitlines()[0][:200])
        item.user_properties.append(miss)  # JUnit reads the item's
        report.user_properties = [*report.user_properties, miss]
        report.longrepr = None
        call.excinfo = None  # --pdb stops where it finds one
    return report


def pytest_report_teststatus(report: Any, config: pytest.Config) -> Any:
    if report.when == "call" and getattr(report, "miss", False):
        return "miss", "m", ("MISS", {"yellow": True})
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Under xdist only the workers collect. They tell the same, except for the seconds: the longest made the run."""
    output = getattr(node, "workeroutput", {})
    if output.get("tunegate_ended"):
        node.config.stash[ENDED] = tuple(output["tunegate_ended"])
    told: Told | None = output.get("tunegate")
    if told and told["prepare_s"] >= node.config.stash.get(TOLD, told)["prepare_s"]:
        node.config.stash[TOLD] = told


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if KEY in config.stash and (told := told_of(config.stash[KEY])):
        config.stash[TOLD] = told
    told = config.stash.get(TOLD, None)
    if hasattr(config, "workeroutput"):
        config.workeroutput["tunegate"] = told
        config.workeroutput["tunegate_ended"] = config.stash.get(ENDED, None)
        return
    if told:
        show_engine_time(config, told["prepare_s"])
    if ENDED in config.stash:
        session.exitstatus = config.stash[ENDED][1]
        return
    required = required_by(config.option.require_gates)
    if config.option.collectonly or (not told and not config.option.require_gates):
        return
    gates = _gate_reports(config)
    not_run = [
        *gates["not_run"],
        *(told["not_run"] if told else []),
        *_suites_not_run(config.option.bars, gates["suites"]),
    ]
    if required and (not_run or not gates["ran"]):
        config.stash[REQUIRED] = f"{required}: gates that did not run: {'; '.join(not_run) or 'none was collected'}"
        if exitstatus in (EXIT_OK, EXIT_NOTHING_COLLECTED):
            session.exitstatus = EXIT_GATE_FAILED
    elif exitstatus == 0 and not gates["ran"]:
        session.exitstatus = EXIT_NOTHING_JUDGED


def _suites_not_run(bars: str | None, seen: set[str]) -> list[str]:
    """Suites that `--bars` has bars for and that are gone, renamed, marked long or without data here."""
    if not bars:
        return []
    from pathlib import Path

    from harness.gates.config import suites_with_bars

    return [f"{name} ({bars} has gates for it)" for name in suites_with_bars(Path(bars)) if name not in seen]


REQUIRED: pytest.StashKey[str] = pytest.StashKey()
"""Why gates that are required make the session fail."""


def _gate_reports(config: pytest.Config) -> dict[str, Any]:
    """Gate items that ran, and those that were skipped, from the reports of all workers."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    stats = terminal.stats if terminal else {}
    found: dict[str, Any] = {"ran": [], "not_run": [], "suites": set(), "run": None}
    for category, reports in stats.items():
        for report in reports:
            if category in ("", "deselected") or not hasattr(report, "user_properties"):
                continue
            properties = dict(report.user_properties)
            found["run"] = properties.get("run", found["run"])
            if "gate" in properties:
                found["suites"].add(properties["suite"])
                found["not_run" if category == "skipped" else "ran"].append(report.nodeid)
    return found


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    gates = _gate_reports(config)
    state, told = config.stash.get(KEY, None), config.stash.get(TOLD, None)
    if config.option.collectonly or ENDED in config.stash or (told is None and REQUIRED not in config.stash):
        return
    text = ending_at_defects(terminalreporter._session, run_lines)(terminalreporter, told, gates["run"])
    terminalreporter.write_sep("=", "tunegate")
    for line in [*(state.notes() if state else []), *case_texts(terminalreporter), *text]:
        terminalreporter.write_line(line)
    if not gates["ran"]:
        code = int(terminalreporter._session.exitstatus)  # The argument is the code from before pytest_sessionfinish.
        terminalreporter.write_line(f"No gate was judged in this session: exit code {code}.", yellow=True)
    if REQUIRED in config.stash:
        terminalreporter.write_line(config.stash[REQUIRED], red=True)
