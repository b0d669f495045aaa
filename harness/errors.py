"""What a user can do wrong, said in one style: what was found, what was expected, what to do next.

A `UserError` is printed as one line without a traceback and ends every command with pytest's usage exit code.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from harness.sanitize import shown

NOT_JSON = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reading bytes as JSON of some type raises: other JSON, none, no UTF-8, and nesting that is too deep."""
EXIT_OK = 0
"""Done; of a run: gates were judged, and none failed. Some may have been skipped, unless gates are required."""
EXIT_GATE_FAILED = 1
"""A gate failed, was inconclusive or could not be measured, or did not run where gates are required; a test failed."""
EXIT_INTERRUPTED = 2
"""Interrupted; finished answers and training steps are kept."""
EXIT_INTERNAL = 3
"""An engine or a server could not start, stopped half way or cannot be trusted, or tunegate has a defect; finished
answers are kept."""
EXIT_USAGE = 4
"""What was given cannot be used: an option, a file, data that is not here, a package that is missing."""
EXIT_NOTHING_COLLECTED = 5
"""pytest found no test to run."""
EXIT_NOTHING_JUDGED = 6
"""The command did its work, but no gate was judged, or the run may claim no verdict."""


def how_to_install(extra: str) -> str:
    """How to install an extra. The command runs in a checkout, because tunegate is on no package index."""
    return f"In a checkout of tunegate, run: pip install '.[{extra}]'"


class UserError(Exception):
    """A mistake of the user's, or of the files they gave; the message is the whole story.

    It may quote what others wrote, so characters that a terminal would obey are shown by name.
    """

    exit_code = EXIT_USAGE

    def __init__(self, message: object) -> None:
        super().__init__(shown(str(message)))


class MissingExtra(UserError):
    """A package that an optional part needs is not installed."""

    def __init__(self, needed_by: str, package: str, extra: str) -> None:
        super().__init__(f"{needed_by} needs the package '{package}', which is not installed. {how_to_install(extra)}")


class Unavailable(UserError):
    """Data that this machine does not have; a suite that needs it is skipped with this reason."""


class EngineFailed(UserError):
    """An engine could not start or stopped half way; finished answers are kept."""

    exit_code = EXIT_INTERNAL


class CanaryFailed(EngineFailed):
    """The engine's answers cannot be trusted for this comparison; nothing was scored."""


class NothingJudged(UserError):
    """There is no verdict of any gate to go by."""

    exit_code = EXIT_NOTHING_JUDGED


class GateFailed(UserError):
    """A verdict that does not allow what was asked for."""

    exit_code = EXIT_GATE_FAILED


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, cut short; its name where it says nothing."""
    return cut((str(error).strip().splitlines() or [type(error).__name__])[0], 300)


def cut(text: str, most: int) -> str:
    """The text, or as many of its words as `most` characters hold, with dots behind them."""
    if len(text) <= most:
        return text
    return f"{text[: most + 1].rpartition(' ')[0] or text[:most]} ..."


def refuse_all(problems: Sequence[str], what: str) -> None:
    """Raise one UserError that lists every problem, or return when there is none."""
    if not problems:
        return
    if len(problems) == 1:
        raise UserError(problems[0])
    listed = "\n".join(f"  {p}" for p in problems)
    raise UserError(f"{what}: {len(problems)} problems\n{listed}")


class _Versioned(Struct):
    schema_version: int


def refuse_newer(data: bytes, reads: int, where: object) -> None:
    """A UserError where a newer tunegate wrote this JSON; `reads` is the newest `schema_version` that this one knows.

    Asked before any field is looked at, since a newer file may have others, and is not damaged. Bytes without a version
    raise what `msgspec.json.decode` raises.
    """
    version = msgspec.json.decode(data, type=_Versioned).schema_version
    if version > reads:
        raise UserError(
            f"{where}: written by a newer tunegate (schema {version}, this one reads {reads}). Update tunegate"
        )
