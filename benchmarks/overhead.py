"""What tunegate itself costs: a whole pytest session whose answers are all cached.

    python benchmarks/overhead.py [--cases 10000] [--rounds 3] [--deepeval FOLDER]

The session is the real one: the embedded model's tokenizer renders and tokenises every prompt, the answers come from
the cache of the vllm engine (filled here with made answers), all scorers run, 9 gates with slices are judged, the run
folder is written and sealed. The plain rival in the same run is pytest alone: the same number of items, each a
trivial assertion, so that the difference is what evaluation adds. With --deepeval the same cases and answers also go
through `deepeval test run` (an environment of its own, made in FOLDER; telemetry off): each is one of its test cases
with one metric in plain Python that compares the same two lists. Nothing else of what a tunegate session does is asked
of it: no rendering, no statistics, no sealed record.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ["holdover", "assignment", "as is", "repair", "insurance"]
TEST = '''"""Overhead."""
from harness import Suite
from harness.scoring import citations, figures
from harness.scoring.legal import clauses

suite = Suite(
    scorers=[clauses.among({names!r}), citations.fabricated, figures.ungrounded], slices=["instrument"], max_tokens=8
)


@suite.case
def test_finds_every_clause(record):
    assert record.scores.clauses.missing == []
'''
GATES = """[objective]
text = "Measure the harness."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.5
slice = "instrument"

[[gate]]
metric = "clause_macro_f1"
rule = "at_least"
value = 0.5

[[gate]]
metric = "clause_exact_set"
rule = "at_least"
value = 0.5

[[gate]]
metric = "fabricated_citation"
rule = "never"
n_min = 300
"""
DEEPEVAL = "deepeval==4.3.1"
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Not for the sessions: with it, everything in a fresh clone is compiled again in each of them."""
RIVAL = '''"""The same cases for deepeval."""
import json
from pathlib import Path

import pytest
from deepeval import assert_test
from deepeval.metrics import BaseMetric
from deepeval.test_case import LLMTestCase

NAMES = {names!r}
CASES = [json.loads(line) for line in Path({file!r}).read_text().splitlines()]


class ClauseSet(BaseMetric):
    threshold = 1.0
    async_mode = False

    def measure(self, test_case, *args, **kwargs):
        self.score = float(test_case.actual_output == test_case.expected_output)
        self.success = self.score >= self.threshold
        return self.score

    async def a_measure(self, test_case, *args, **kwargs):
        return self.measure(test_case)

    def is_successful(self):
        return self.success

    @property
    def __name__(self):
        return "clause set"


@pytest.mark.parametrize("i", range(len(CASES)))
def test_finds_every_clause(i):
    case, texts = CASES[i], ["none", *NAMES]
    expected = "; ".join(case["expected"]) or "none"
    made = LLMTestCase(input=case["input"]["document"], actual_output=texts[i % 6], expected_output=expected)
    assert_test(made, [ClauseSet()])
'''
PLAIN = "import pytest\n\n\n@pytest.mark.parametrize('i', range({n}))\ndef test_plain(i):\n    assert i >= 0\n"


def write(root: Path, cases: int) -> None:
    """A suite of `cases` cases, four to a contract, and a plain test module of the same size."""
    folder = root / "evalsuites" / "bench" / "overhead"
    folder.mkdir(parents=True)
    (folder / "test_overhead.py").write_text(TEST.format(names=NAMES))
    (folder / "gates.toml").write_text(GATES)
    (folder / "prompt.jinja").write_text("Which clauses does this hold? {{ document }}")
    with (folder / "cases.jsonl").open("w") as file:
        for i in range(cases):
            text = f"{i % 17}.{i % 9} Tenant {i} shall pay rent of ${1000 + i:,} on the 1st day of March, 2026, under "
            text += f"O.C.G.A. § 44-7-{i % 90 + 1}, and shall leave the premises in good order when the term ends."
            row = {
                "id": f"case-{i}",
                "input": {"document": text},
                "expected": [NAMES[i % 5]] if i % 2 else [],
                "cluster": f"contract-{i // 4}",
                "tags": {"instrument": ["lease", "deed", "sale"][i // 4 % 3]},
            }
            file.write(json.dumps(row) + "\n")
    (root / "plain").mkdir()
    (root / "plain" / "test_plain.py").write_text(PLAIN.format(n=cases))


def fill(root: Path) -> None:
    """Put an answer for every case into the cache, as if the engine had given it."""
    from harness.checkpoints.bundled_model import EMBEDDED
    from harness.engines.config import EngineConfig
    from harness.engines.dispatch import Dispatcher
    from harness.evaluation.families import renderers
    from harness.evaluation.plan import Job, SuiteJob, make_plan, variants
    from harness.evaluation.requests import longest
    from harness.schema import Completion
    from harness.suites.discovery import find_suites

    (suite,) = find_suites([str(root / "evalsuites")])
    job = Job(
        suites=[SuiteJob(suite=suite, cases=suite.cases)],
        candidate=EMBEDDED,
        engine=EngineConfig(name="vllm"),
    )
    checkpoints = variants(job)
    questions = make_plan(job, renderers(job.engine, checkpoints)).asks
    broker = Dispatcher(job.engine, checkpoints, max_model_len=longest(questions))
    assert broker.cache is not None
    texts = ["none", *NAMES]
    for i, (question, request) in enumerate(zip(questions, broker.requests(questions), strict=True)):
        completion = Completion(
            key=request.key,
            text=texts[i % 6],
            finish_reason="stop",
            prompt_tokens=len(question.ids),
            output_tokens=2,
        )
        broker.cache.add(request, completion)


def make_rival(folder: Path) -> Path:
    """deepeval's command, in an environment of its own, made where it is not there."""
    command = folder / "bin" / "deepeval"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        python = str(folder / "bin" / "python")
        subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "-q", DEEPEVAL], check=True)
    return command.absolute()


def write_rival(root: Path) -> None:
    """The cases as tests of deepeval."""
    folder = root / "deepeval"
    folder.mkdir()
    file = root / "evalsuites" / "bench" / "overhead" / "cases.jsonl"
    (folder / "test_rival.py").write_text(RIVAL.format(names=NAMES, file=str(file)))


def session(root: Path, target: str, rival: Path | None = None) -> tuple[float, float]:
    """Wall seconds and peak resident GB of one session in a process of its own."""
    command = [sys.executable, "-m", "pytest", target, "-q", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
    if target == "evalsuites":
        command += ["--engine", "vllm"]
    if target == "deepeval":
        command = [str(rival), "test", "run", "deepeval/test_rival.py"]
        environment |= {"DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "ERROR_REPORTING": "NO", "DO_NOT_TRACK": "1"}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(output[-3000:])
    return seconds, usage.ru_maxrss / (1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deepeval", type=Path, help="environment of deepeval; made where it is not there")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fill:
        return fill(args.fill)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root, args.cases)
        own_cache(root)
        # In a process of its own: a child's peak memory begins with what its parent holds when it starts.
        subprocess.run([sys.executable, __file__, "--fill", str(root)], check=True, env=os.environ)
        rows = {"evalsuites": [], "plain": []}  # type: dict[str, list[tuple[float, float]]]
        rival = make_rival(args.deepeval) if args.deepeval else None
        if rival:
            write_rival(root)
            rows["deepeval"] = []
        session(root, "evalsuites")  # writes the bytecode of a fresh clone
        for _ in range(args.rounds):
            for target, found in rows.items():
                found.append(session(root, target, rival))
        report(args.cases, rows)


def own_cache(root: Path) -> None:
    """Keep made answers away from real ones; models are shared."""
    home = Path(os.environ.get("TUNEGATE_CACHE") or Path.home() / ".cache" / "tunegate")
    models = home / "models"
    (root / "cache").mkdir()
    if models.is_dir():
        (root / "cache" / "models").symlink_to(models)
    os.environ["TUNEGATE_CACHE"] = str(root / "cache")


def report(cases: int, rows: dict[str, list[tuple[float, float]]]) -> None:
    from harness.runs.provenance import environment

    env = environment()
    print(f"{cases} cases, cached answers; {env['processor']}, {env['cores']} cores, Python {env['python']}")
    print(f"{'session':<22}{'s (each round)':<28}{'s per 1,000 cases':<20}peak GB")
    labels = {"evalsuites": "tunegate, cached", "plain": "pytest, empty tests", "deepeval": DEEPEVAL.replace("==", " ")}
    for target, label in labels.items():
        if target not in rows:
            continue
        seconds = [s for s, _ in rows[target]]
        best = min(seconds)
        peak = max(m for _, m in rows[target])
        each = ", ".join(f"{s:.1f}" for s in seconds)
        print(f"{label:<22}{each:<28}{best / cases * 1000:<20.2f}{peak:.2f}")
    if "deepeval" in rows:
        ratios = sorted(t / o for (t, _), (o, _) in zip(rows["deepeval"], rows["evalsuites"], strict=True))
        shown = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"deepeval takes {statistics.median(ratios):.1f} times as long (median of the rounds: {shown})")


if __name__ == "__main__":
    main()
