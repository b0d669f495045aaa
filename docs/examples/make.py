"""Writes the example reports of a folder, and its index, from finished runs.

    python docs/examples/make.py [--out docs/examples] [--runs runs] NAME=RUN[+TRAINING_RUN] ...

An example is a whole report: page, further pages of cases, Markdown, JSON, table of cases and PDF. Only its cases are
few, and the report says where the others would be. An example that takes more than LIMIT in a repository, or that names
a folder of the machine it was made on, is refused and not written.
"""

import argparse
import re
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import msgspec

import reports
from harness.errors import UserError
from harness.runs.project import find_run
from reports import wording
from reports.cases import pages
from reports.model import Headline, ReportModel
from reports.render.markdown import escape

LIMIT = 3_000_000
"""Most bytes of one example as a repository keeps it: each file compressed."""
ROOM = 200_000
"""Bytes of cases on one page."""
MOST = 16
"""Most cases on all pages together."""
INDEX = """# Example reports

Written by `make examples` from real runs; every number is from the run that the report names. All texts were written
for this project: [documents.md](documents.md) shows whole documents.

| example | what it says | also as |
|---|---|---|
"""


def main() -> None:
    options = argparse.ArgumentParser(description="Write example reports from finished runs.")
    options.add_argument("examples", nargs="+", metavar="NAME=RUN[+TRAINING_RUN]")
    options.add_argument("--out", type=Path, default=Path("docs/examples"), help="folder of the examples")
    options.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders")
    given = options.parse_args()
    try:
        for text in given.examples:
            name, found, runs = text.partition("=")
            if not (name.isidentifier() and found):
                raise UserError(
                    f"'{text}' is no example. Expected a name and a run: clauses=runs/20261125T010000Z-demo"
                )
            write(name, [find_run(run, given.runs) for run in runs.split("+")], given.out)
        index(given.out)
    except UserError as error:
        sys.exit(f"make.py: {error}")


def write(name: str, runs: list[Path], out: Path) -> None:
    """Write one example into its own folder, in place of an older one."""
    pages.ROOM, pages.MOST = ROOM, MOST
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / name
        files = reports.publish(runs, made, with_pdf=True)
        refuse_large(name, files)
        refuse_private(name, files, runs)
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(made, out / name)
    print(f"{out / name}: {len(files)} files, {sum(f.stat().st_size for f in (out / name).iterdir()):,} bytes")


def refuse_large(name: str, files: list[Path]) -> None:
    """Refuse an example that a repository should not carry."""
    sizes = sorted(((len(zlib.compress(file.read_bytes())), file.name) for file in files), reverse=True)
    whole = sum(size for size, _ in sizes)
    if whole > LIMIT:
        listed = ", ".join(f"{file} {size:,}" for size, file in sizes)
        raise UserError(
            f"{name}: {whole:,} bytes compressed, over {LIMIT:,} ({listed}). Choose a smaller run, or lower MOST"
        )


def refuse_private(name: str, files: list[Path], runs: list[Path]) -> None:
    """Refuse an example that names a folder of this machine, or of the one that its runs were made on."""
    recorded = {path for run in runs for path in re.findall(rb'"(/[^"/]+/[^"]+)"', (run / "run.json").read_bytes())}
    folders = {f"{folder}/".encode() for folder in (Path.home(), Path.cwd(), tempfile.gettempdir())} | recorded
    named = [file.name for file in files if any(folder in file.read_bytes() for folder in folders)]
    if named:
        raise UserError(
            f"{name}: {wording.listing(named)} name a folder of this machine. Give the run's checkpoints by relative "
            "path or hub id, and run again"
        )


def index(out: Path) -> None:
    """Write the list of all examples in the folder, each with its own first sentence."""
    rows = [
        row(file.parent.name, msgspec.json.decode(file.read_bytes(), type=ReportModel))
        for file in sorted(out.glob("*/report.json"))
    ]
    (out / "README.md").write_text(INDEX + "".join(f"{line}\n" for line in rows), "utf-8")


def row(name: str, model: ReportModel) -> str:
    """One line of the index."""
    heads = [block for section in model.sections for block in section.blocks if isinstance(block, Headline)]
    said = " ".join(f"{escape(head.suite)}: {escape(head.sentence)}" for head in heads)
    others = ", ".join(
        f"[{kind}]({name}/report.{end})" for kind, end in (("PDF", "pdf"), ("Markdown", "md"), ("JSON", "json"))
    )
    return f"| [{name}]({name}/report.html) | **{wording.outcome(model.outcome)}** {said} | {others} |"


if __name__ == "__main__":
    main()
