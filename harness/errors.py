"""Errors for users in one style: what was found, what was expected, what to do next; and the exit codes.

A `UserError` is printed without a traceback and ends a command with its exit code.
"""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.sanitize import shown

NOT_JSON = (msgspec.MsgspecError, ValueError, RecursionError)
"""Errors of decoding bytes as JSON of a type: other JSON, none, bytes that are not UTF-8, and too deep nesting."""
EXIT_OK = 0
"""Success; for a run: every judged gate passed. Some may have been skipped, unless gates are required."""
EXIT_GATE_FAILED = 1
"""A gate failed, was inconclusive or could not be measured, or did not run where gates are required; a test failed."""
EXIT_INTERRUPTED = 2
"""Interrupted; finished answers and training steps are kept, except a server's answers since its last canary."""
EXIT_INTERNAL = 3
"""An engine or a server could not start, stopped early or cannot be trusted, or tunegate has a defect; finished
answers are kept, except a server's since its last canary."""
EXIT_USAGE = 4
"""An input cannot be used: an option, a file, missing data, a missing package."""
EXIT_NOTHING_COLLECTED = 5
"""pytest found no test to run."""
EXIT_NOTHING_JUDGED = 6
"""The command succeeded, but no gate was judged, or the run may not claim its verdicts."""


def how_to_install(extra: str) -> str:
    """Say how to install an extra. The command is for a checkout, because tunegate is on no package index."""
    return f"In a checkout of tunegate, run: pip install '.[{extra}]'"


class UserError(Exception):
    """A mistake in the user's input; the message is complete.

    It may quote foreign text, so control characters are shown by name.
    """

    exit_code = EXIT_USAGE

    def __init__(self, message: object) -> None:
        super().__init__(shown(str(message)))

    def _render_traceback_(self) -> list[str]:
        """Show a notebook the message alone; IPython calls it."""
        return [f"{type(self).__name__}: {self}"]


class MissingExtra(UserError):
    """A package that an optional part needs is not installed."""

    def __init__(self, needed_by: str, package: str, extra: str) -> None:
        super().__init__(f"{needed_by} needs the package '{package}', which is not installed. {how_to_install(extra)}")


@contextmanager
def extra_needed_by(needed_by: str, extra: str, package: str | None = None) -> Iterator[None]:
    """Raise MissingExtra where an import in the block fails; without `package` it names the module that is missing."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(needed_by, package or error.name or extra, extra) from None


@contextmanager
def own_code(what: str, folder: Path, errors: type[BaseException] = Exception) -> Iterator[None]:
    """Raise UserError for an error of a user's own code in the block, with its last line below `folder`."""
    try:
        yield
    except (UserError, KeyboardInterrupt, GeneratorExit):
        raise
    except errors as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(folder)]
        place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        raise UserError(f"{what}: {typed_line(error)}{place}") from error


class Unavailable(UserError):
    """Data is missing on this machine; a suite that needs it is skipped with this reason."""


class EngineFailed(UserError):
    """An engine could not start or stopped early."""

    exit_code = EXIT_INTERNAL


class CanaryFailed(EngineFailed):
    """The engine's answers cannot be trusted for this comparison; nothing was scored."""


class NothingJudged(UserError):
    """No gate has a verdict."""

    exit_code = EXIT_NOTHING_JUDGED


class GateFailed(UserError):
    """A verdict does not allow the request."""

    exit_code = EXIT_GATE_FAILED


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, shortened; its type where there is no message."""
    return cut((str(error).strip().splitlines() or [type(error).__name__])[0], 300)


def typed_line(error: BaseException) -> str:
    """Return an exception's type and the first line of its message, shortened."""
    name, line = type(error).__name__, cut(first_line(error), 200)
    return name if line == name else f"{name}: {line}"


def cut(text: str, most: int) -> str:
    """Shorten a text to the words that fit in `most` characters, followed by dots."""
    if len(text) <= most:
        return text
    return f"{text[: most + 1].rpartition(' ')[0] or text[:most]} ..."


MOST_LISTED = 40
"""Most problems that one message lists, so that its beginning stays on the screen."""


def refuse_all(problems: Sequence[str], what: str) -> None:
    """Raise one UserError that lists the problems and counts those beyond MOST_LISTED; return where there is none."""
    if not problems:
        return
    if len(problems) == 1:
        raise UserError(problems[0])
    lines = [f"  {p}" for p in problems[:MOST_LISTED]]
    lines += [f"  and {len(problems) - MOST_LISTED:,} more"] if len(problems) > MOST_LISTED else []
    raise UserError("\n".join([f"{what}: {len(problems):,} problems", *lines]))


class _Versioned(Struct):
    schema_version: int


def refuse_newer(data: bytes, reads: int, where: object) -> None:
    """Raise UserError for JSON from a newer tunegate; `reads` is the newest `schema_version` that this one reads.

    Call it before decoding: a newer file may have other fields, and is not damaged. Bytes without a version raise what
    `msgspec.json.decode` raises.
    """
    version = msgspec.json.decode(data, type=_Versioned).schema_version
    if version > reads:
        raise UserError(
            f"{where}: written by a newer tunegate (schema {version}, this one reads {reads}). Update tunegate"
        )
