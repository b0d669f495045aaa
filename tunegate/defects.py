"""Report an unexpected exception: one line on stderr, and the traceback in a file."""

from __future__ import annotations

import os
import tempfile
import traceback
from pathlib import Path

import msgspec

from harness.errors import UserError, first_line
from harness.runs import redaction
from harness.sanitize import shown


def describe_defect(error: BaseException) -> str:
    """Describe an unexpected exception in one line, with secrets masked, and write its traceback to a new file."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    whole = "".join(traceback.format_exception(error))
    what = _masked(f"{type(error).__name__}: {first_line(error)}")
    return (
        f"{shown(what)}{place}: a defect in tunegate or in your own code, not a verdict on a model. "
        f"{_kept(_masked(whole))}"
    )


def _masked(text: str) -> str:
    try:
        redactor = redaction.default_redactor()
    except UserError:  # The user's own list of secrets cannot be read.
        redactor = redaction.Redactor(environment=os.environ)
    readable = text.encode("utf-8", "backslashreplace").decode()
    (masked,) = redactor.mask([msgspec.json.encode(readable)])
    return str(msgspec.json.decode(masked))


def _kept(whole: str) -> str:
    try:
        number, name = tempfile.mkstemp(prefix="tunegate-defect-", suffix=".txt")
        os.close(number)
        Path(name).write_text(whole, "utf-8", errors="backslashreplace")
    except OSError as refused:
        return f"The traceback could not be written ({refused.strerror}): set TMPDIR to a folder with space and rerun"
    return f"Traceback: {name}"
