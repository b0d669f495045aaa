"""Runs the blocks of a page one after another in a folder, as a person types them.

Folder and variables carry over from block to block. In an ordinary run `tunegate` and `pytest` are the installed ones
with the fake engine, which gives the answers of `answers.json`; what installs or builds is read by `stand_in.py`.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tests.docs.blocks import Block
from tests.support.command import PROGRAMS, WITHOUT_CHARTS

STAND_IN = Path(__file__).with_name("stand_in.py")
PATIENCE_S = 900
PATIENCE_REAL_S = 5400
LISTENS = re.compile(r"http://([\w.]+):(\d+)")
"""What a server prints of where it can be asked."""
BEFORE = """
if [ -f "$CARRIED" ]; then . "$CARRIED"; fi
export ONLY_READ=$1
trap '{ declare -p | grep -v "^declare -[a-zA-Z]*r"; echo "cd $(printf %q "$PWD")"; } > "$CARRIED"' EXIT
"""
"""What stands before a block: variables and folder of the one before it, and whether it is only read."""
TUNEGATE = f"""#!/bin/bash
if [ -n "$ONLY_READ" ]; then exec {sys.executable} {STAND_IN} tunegate "$@"; fi
case "$1" in
    compare|eval|repeatability|noise) set -- "$@" --engine fake --script="$ANSWERS" ;;
    judge) set -- "$@" --engine fake --script="$JUDGED" ;;
esac
exec {PROGRAMS}/tunegate "$@"
"""
PYTEST = f"""#!/bin/bash
case "$ONLY_READ $*" in
    " "*evalsuites*)
        set -- "$@" -p no:cacheprovider -p no:hypothesispytest --engine fake --eval-script="$ANSWERS"
        exec {PROGRAMS}/pytest "$@" ;;
esac
exec {sys.executable} {STAND_IN} pytest "$@"
"""
PYTHON = f"""#!/bin/bash
if [ -n "$ONLY_READ" ]; then exec {sys.executable} {STAND_IN} python "$@"; fi
exec {sys.executable} "$@"
"""
READ = f"""#!/bin/bash
exec {sys.executable} {STAND_IN} "$(basename "$0")" "$@"
"""
INSTEAD = {"tunegate": TUNEGATE, "pytest": PYTEST, "python": PYTHON, "pip": READ, "uv": READ, "make": READ}
"""Programs that an ordinary run has something else for."""
INSTALLERS = ("pip", "uv")
"""Those of them that never run: they would replace tunegate in the environment of the tests."""


class Done(Struct, frozen=True, kw_only=True):
    """What came of a block."""

    block: Block
    code: int
    out: str
    err: str
    misread: str
    """What a stand-in could not make sense of."""
    seconds: float

    @property
    def told(self) -> str:
        """For the one who looks into a failure."""
        return f"{self.block.where} ended with {self.code}\n{self.block.text}\n{self.out}\n{self.err}\n{self.misread}"


class Shell:
    """A folder, its programs, and what one block leaves to the next."""

    def __init__(self, folder: Path, aside: Path, real: bool, more: Mapping[str, str]) -> None:
        """`folder` is where the first block begins; `aside` takes what is no part of it; `real` asks the real model.

        `more` is set in its environment.
        """
        self.real, self.folder = real, folder
        self.answers = aside / "answers.json"
        self.judged = aside / "judged.json"
        for script in (self.answers, self.judged):
            script.write_text("{}")
        self.out, self.err, self.misread = aside / "out", aside / "err", aside / "misread"
        programs = aside / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name in INSTALLERS if real else INSTEAD:
            (programs / name).write_text(INSTEAD[name])
            (programs / name).chmod(0o755)
        own = {"CARRIED": str(aside / "carried"), "ANSWERS": str(self.answers), "MISREAD": str(self.misread)}
        own["JUDGED"] = str(self.judged)
        own["PYTEST_ADDOPTS"] = ""
        own["PATH"] = os.pathsep.join([str(programs), str(PROGRAMS), os.environ["PATH"]])
        own["TUNEGATE_CACHE"] = str(aside / "cache")
        if real:
            own["PYTHONPATH"] = str(folder)  # Where it is a checkout, its packages come before the installed ones.
        else:
            own |= {"TUNEGATE_SMOLLM2_WHEEL": "/nowhere", "PYTHONPATH": WITHOUT_CHARTS}
        self.environment = {**os.environ, **own, **more}

    def run(self, block: Block) -> Done:
        """Run a block to its end. One that takes minutes is read only, unless the shell is real."""
        only_read = block.has("minutes") and not self.real
        self.misread.write_text("")
        began = time.monotonic()
        with self.out.open("w") as out, self.err.open("w") as err:
            process = subprocess.Popen(
                ["bash", *([] if only_read else ["-e"]), "-c", BEFORE + block.text, "bash", "yes" if only_read else ""],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            if block.has("ctrl-c") and not only_read:
                self.wait_until_it_listens(process)
                with suppress(ProcessLookupError):  # It has ended, and what it printed says why.
                    os.killpg(process.pid, signal.SIGINT)
            code = process.wait(timeout=PATIENCE_REAL_S if self.real else PATIENCE_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Done(
            block=block,
            code=code,
            out=self.out.read_text("utf-8"),
            err=self.err.read_text("utf-8"),
            misread=self.misread.read_text("utf-8"),
            seconds=time.monotonic() - began,
        )

    def wait_until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        """Return when what runs can be asked where it says that it listens, or has ended."""
        until = time.monotonic() + (PATIENCE_REAL_S if self.real else PATIENCE_S)
        while process.poll() is None and time.monotonic() < until:
            if place := LISTENS.search(self.out.read_text("utf-8")):
                with suppress(OSError), socket.create_connection((place[1], int(place[2])), timeout=1):
                    return
            time.sleep(0.1)
