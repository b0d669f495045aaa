"""What pytest loads at its start: the options, and the hooks that load the rest of the plugin for the first suite.

Without a suite or one of its options, no other module of tunegate is imported.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.pytest_plugin.options import add_options, options_of, read_short_names

if TYPE_CHECKING:
    from types import ModuleType

RUN: pytest.StashKey[tuple[float, str, str]] = pytest.StashKey()
"""Time, token and folder from which all xdist workers derive the same run folder."""


def load(config: pytest.Config) -> ModuleType:
    """Register the hooks of an evaluation, once, and return their module."""
    from tunegate.pytest_plugin import evaluation_hooks

    if not config.pluginmanager.is_registered(evaluation_hooks):
        config.pluginmanager.register(evaluation_hooks, "tunegate-evaluation")
    return evaluation_hooks


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    return (yield from read_short_names(early_config, parser, args))


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the hooks of an evaluation after those of pytest's --stepwise, which come into being here too."""
    config.addinivalue_line("markers", "long: a suite that runs only with --eval-long")
    if any(value is not None for value in vars(options_of(config)).values()):
        load(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all xdist workers the same run folder."""
    config = node.config
    if RUN not in config.stash:
        config.stash[RUN] = time.time(), secrets.token_hex(4), str(config.invocation_params.dir)
    node.workerinput["tunegate_run"] = config.stash[RUN]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over the summary of an xdist worker that collected a suite."""
    output = getattr(node, "workeroutput", {})
    if output.get("tunegate") or output.get("tunegate_ended"):
        load(node.config).take_over(node.config, output)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Let a suite import its own and installed modules as `evalsuites.DOMAIN.SUITE`, however pytest was started."""
    if "evalsuites" in module_path.parts:
        from harness.suites.discovery import open_packages

        open_packages(module_path)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module, name: str, obj: object) -> list[pytest.Item] | None:
    if not isinstance(collector, pytest.Module) or not _is_of_a_suite(type(obj)):
        return None
    found: list[pytest.Item] | None = load(collector.config).make_items(collector, obj)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """Show a mistake in a suite's file, such as an option of its Suite, without a traceback."""
    report = yield
    call, errors = getattr(report, "call", None), sys.modules.get("harness.errors")
    if errors and call and call.excinfo and isinstance(call.excinfo.value, errors.UserError):
        report.longrepr = f"tunegate: {call.excinfo.value}"
    return report


def _is_of_a_suite(kind: type) -> bool:
    """Whether objects of this class are suites or case tests, whose module may not be imported for others."""
    return any(base.__module__ == "harness.suites.suite" for base in kind.__mro__)


def pytest_report_teststatus(report: Any, config: pytest.Config) -> Any:
    if report.when == "call" and getattr(report, "miss", False):
        return "miss", "m", ("MISS", {"yellow": True})
    return None
