"""What the pages say that their reader has: a suite, a finished run, rows, a checkout. Asks no real model.

What stands in capitals on a page (RUN, FILE.csv) is there under that very name. Checkpoints need not be there, since
the fake engine answers for any name.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.checkpoints.bundled_model import EMBEDDED, MEMBER_SHA256
from harness.checkpoints.resolve import cache_dir
from harness.engines.config import EngineConfig
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder
from harness.suites.discovery import find_suites
from tests.conftest import save_tokenizer
from tests.docs.blocks import ROOT, files_of
from tests.support.gated import change, generated
from tests.support.mini import rows, write_suite

COPIED = ("docs", "evalsuites", "benchmarks", "requirements", "Makefile", "pyproject.toml")
"""What commands of a checkout read."""
PACKAGES = ("harness", "training", "reports", "tunegate")
"""What its programs import besides."""
ANSWERS = "answers-of-the-run.json"


def right_answers(folder: Path) -> dict[str, dict[str, str]]:
    """Answers of the fake engine to every case below `folder`: the tuned model is right, the baseline is not."""
    tuned = {}
    for file in folder.rglob("cases.jsonl"):
        for line in file.read_text("utf-8").splitlines():
            case = json.loads(line)
            tuned[case["id"]] = "; ".join(case.get("expected", [])) or "none"
    return {"tuned": tuned, "baseline": dict.fromkeys(tuned, "I do not know.")}


def a_judges_answers(folder: Path) -> dict[str, dict[str, str]]:
    """Answers of the fake engine as a judge: the best label of the rubric that docs/scoring.md shows, to every case."""
    answers = right_answers(folder)
    return {"judge": {f"{case}/{side}/asked": '{"verdict": "yes"}' for side, ids in answers.items() for case in ids}}


def nothing(folder: Path) -> None:
    """An empty folder."""


def a_project(folder: Path) -> None:
    """What most pages speak of: a suite with its bars of another branch, and a finished run of it."""
    a_suite(folder)
    a_run(folder)
    for bars in ("bars", ".bars"):
        shutil.copytree(folder / "evalsuites", folder / bars / "evalsuites")


def a_suite(folder: Path, name: str = "legal/clauses", root: str = "evalsuites") -> Path:
    """A small suite of this name, with forty cases from forty contracts."""
    made = write_suite(folder, rows(40))
    target = folder / root / name
    target.parent.mkdir(parents=True, exist_ok=True)
    made.rename(target)
    (target / "test_mini.py").rename(target / f"test_{target.name}.py")
    return target


def a_run(folder: Path) -> None:
    """A finished run of the suites there, in which a tuned model passes; RUN is its name."""
    answers = folder / ANSWERS
    answers.write_text(json.dumps(right_answers(folder)))
    jobs = [SuiteJob(suite=suite, cases=suite.cases) for suite in find_suites([str(folder / "evalsuites")])]
    job = Job(
        suites=jobs, candidate="NEW", baseline="BASE", engine=EngineConfig(name="fake", script=answers, use_cache=False)
    )
    made = run(job, RunFolder.create(folder / "runs", "compare"), Progress(quiet=True))
    change(made.path, generated)
    answers.unlink()
    name_the_newest(folder)


def name_the_newest(folder: Path) -> None:
    """Let RUN be the newest run."""
    (folder / "RUN").unlink(missing_ok=True)
    (folder / "RUN").symlink_to(max(path for path in (folder / "runs").iterdir() if path.is_dir()))


def a_project_with_files_of(page: str) -> Callable[[Path], None]:
    """A project, and the files that the page shows."""

    def prepare(folder: Path) -> None:
        a_project(folder)
        write_files(page, folder)

    return prepare


def write_files(page: str, folder: Path) -> None:
    for path, text in files_of(page).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


def with_own_scorer(folder: Path) -> None:
    """The suite that the page on scorers writes, and a run of it; its package is no part of this process."""
    suite = a_suite(folder, "letters/tone")
    write_files("docs/own-scorer.md", folder)
    for package in (suite, suite.parent, suite.parent.parent):
        (package / "__init__.py").write_text("")
    command = [sys.executable, "-P", "-m", "tunegate.cli.main", "compare", "BASE", "NEW", "--engine", "fake"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    name_the_newest(folder)


def with_mails(folder: Path) -> None:
    """A suite that sorts mails, a table of other mails, and a workbook that names letters next to it."""
    from openpyxl import Workbook

    a_suite(folder, "tickets/sort")
    table = [(f"Mail {n} says that lamp {n} is broken.", "complaint", f"customer {n}") for n in range(40)]
    write_table(folder / "mails.csv", ("text", "kind", "customer"), table)
    (folder / "letter.txt").write_text("A letter says that a lamp is broken.", "utf-8")
    book = Workbook()
    book.create_sheet("Notes")["A1"] = "Ask the customer."
    book.active.title = "Leases"
    for row in (("file", "kind", "customer"), ("letter.txt", "complaint", "customer 1")):
        book.active.append(row)
    book.save(folder / "contracts.xlsx")


def with_contracts(folder: Path) -> None:
    """A table of contracts with what is in them."""
    table = [(str(n), f"Contract {n}: a late fee is due.", "late fee", f"contract {n}") for n in range(12)]
    write_table(folder / "FILE.csv", ("number", "text", "fees", "contract"), table)


def write_table(path: Path, columns: tuple[str, ...], table: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *table])


def with_approved_adapter(folder: Path) -> None:
    """ADAPTER, the real run that approved it, and a suite that the policy does not name."""
    from harness.checkpoints.resolve import embedded_model
    from tests.harness.serving.test_merged import CASES, PASSES
    from tests.support.adapters import save_adapter

    write_suite(folder, CASES, gates=PASSES)
    save_adapter(embedded_model(), folder / "ADAPTER", seed=1, std=0.02, r=8, lora_alpha=16)
    for words in (("approval",), ("compare", EMBEDDED, "ADAPTER")):
        command = [sys.executable, "-P", "-m", "tunegate.cli.main", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    write_suite(folder, rows(12), name="clauses")


def with_models(cache: Path) -> None:
    """A cache that has this machine's models and no answer yet."""
    models = cache_dir() / "models"
    models.mkdir(parents=True, exist_ok=True)
    cache.mkdir()
    (cache / "models").symlink_to(models)


def with_tokenizer(cache: Path) -> None:
    """Put a tokenizer and a configuration where the embedded model is kept; there are no weights."""
    folder = cache / "models" / f"{EMBEDDED}-{MEMBER_SHA256[:12]}"
    folder.mkdir(parents=True)
    ids = save_tokenizer(folder, "smollm2")
    config = {"model_type": "llama", "max_position_embeddings": 8192, "vocab_size": ids["size"]}
    (folder / "config.json").write_text(json.dumps(config))


def a_whole_checkout(folder: Path) -> None:
    """A checkout with its own packages, which its suites are to be judged by."""
    a_checkout(folder, (*COPIED, *PACKAGES))


def a_checkout(folder: Path, copied: tuple[str, ...] = COPIED) -> None:
    """The repository's own files, and an environment that is this one."""
    for name in copied:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "examples"))
        else:
            shutil.copyfile(source, folder / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text("")
    for name in ("python", "tunegate"):
        (programs / name).write_text(f'#!/bin/sh\nexec {Path(sys.executable).parent / name} "$@"\n')
        (programs / name).chmod(0o755)
    (programs.parent / ".ready-cpu").write_text("")


def rewritten(folder: Path) -> list[str]:
    """Files of a copied checkout's suites that are no longer as the repository has them."""
    committed = [path for path in (ROOT / "evalsuites").rglob("*") if path.suffix in (".json", ".jsonl")]
    names = [path.relative_to(ROOT).as_posix() for path in committed]
    return [name for name in names if (folder / name).read_bytes() != (ROOT / name).read_bytes()]


def data_is_here() -> bool:
    """Whether TUNEGATE_DATA names a folder."""
    return Path(os.environ.get("TUNEGATE_DATA") or "/nowhere").is_dir()
