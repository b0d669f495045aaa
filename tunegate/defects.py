"""What is said of an exception that nobody expected: one line that calls it a defect, and its traceback in a file."""

from __future__ import annotations

import os
import tempfile
import traceback
from pathlib import Path

import msgspec

from harness.errors import UserError, first_line
from harness.runs import redaction
from harness.sanitize import shown


def told(error: BaseException) -> str:
    """The line, with secrets masked; writes the traceback to a new file."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    whole = "".join(traceback.format_exception(error))
    what = _masked(f"{type(error).__name__}: {first_line(error)}")
    return (
        f"{shown(what)}{place}: a defect of tunegate, or of code of yours that it ran, and no verdict on a model. "
        f"{_kept(_masked(whole))}"
    )


def _masked(text: str) -> str:
    try:
        redactor = redaction.default_redactor()
    except UserError:  # The user's own list cannot be read.
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
        return (
            f"Its traceback could not be written ({refused.strerror}): set TMPDIR to a folder with space and repeat it"
        )
    return f"Traceback: {name}"
