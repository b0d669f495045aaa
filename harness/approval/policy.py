"""Read and write evalsuites/approval.toml: which suites must have passed before weights are merged or served.

Only the file of the project in the working directory is used, or its copy below `--bars`; never one of a package.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from harness.baseline.compare import baseline_path
from harness.baseline.format import load_accepted
from harness.errors import UserError
from harness.evaluation.earlier_runs import eased
from harness.evaluation.noise_file import noise_path
from harness.files import files_below, read_toml, text_sha256, write_atomic
from harness.gates.config import gates_path, load_suite_gates
from harness.gates.judge import unjudged
from harness.runs.history import judged_suites
from harness.runs.project import refuse_below_project
from harness.suites.suite import Suite

PROJECT = Path("evalsuites")
"""The folder of the project's suites, in the working directory."""
POLICY = "approval.toml"
WRITE_IT = "Write it with `tunegate approval`, review it and commit it"
MEND_IT = f"Correct it, as after a merge conflict, or delete it. {WRITE_IT}"

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
SuiteName = Annotated[str, Meta(pattern=r"\A\w[\w.-]*/\w[\w.-]*\Z")]


class RequiredSuite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[suite]]` of approval.toml: a suite that must have passed, with the digests of its parts."""

    name: SuiteName
    """Domain and folder, such as `legal/clauses`."""
    gates: Sha256
    """Digest of its gates.toml."""
    cases: Sha256
    """Digest of its cases."""
    prompt: Sha256
    """Digest of its prompt template and of how answers are decoded."""
    scorers: Sha256
    """Digest of its scorers' source and configuration."""
    samples: int = 1
    """Answers per case."""
    leave_out_long: bool = False
    """Whether it leaves out cases that are longer than the model's context."""
    accepted: Sha256 | None = None
    """Digest of its baseline.json, where it has one."""
    noise: Sha256 | None = None
    """Digest of its noise.json, where it has one."""
    baselines: list[Sha256] = field(default_factory=list)
    """Content digests of checkpoints that its gates may compare with, besides the base of the adapter in question with
    the same tokenizer and chat template."""


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of approval.toml."""

    trust_server: bool = False
    """Whether a run may approve that used a server trusted to have the weights (`--trust-server`)."""
    suite: list[RequiredSuite]
    """All of these suites must have passed."""


HEAD = """\
# Which evaluations approve a merge or a deployment. Written by `tunegate approval`; review and commit every change.
# Every suite named here must have passed in its newest run on exactly the weights in question, by exactly these gates,
# cases, prompt and scorers. To drop a suite, delete its table.

# Whether a run against a server that was trusted to have the weights (--trust-server) may approve.
"""


def policy_path(bars: Path | None = None) -> Path:
    """Return the path of the approval policy: of this project, or of the copy of evalsuites that decides."""
    return (bars or PROJECT) / POLICY


def load_policy(path: Path) -> Policy:
    """Read an approval policy. Raises UserError for one that is missing, malformed or without a suite."""
    if not path.exists():
        raise UserError(f"{path}: there is no approval policy, so nothing says which suites must pass. {WRITE_IT}")
    try:
        policy = msgspec.convert(read_toml(path, MEND_IT), Policy, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(
            f"{path}: cannot be used: {error}. Expected trust_server, and [[suite]] tables with name, gates, cases, "
            f"prompt, scorers and optionally samples, leave_out_long, accepted, noise and baselines. {MEND_IT}"
        ) from None
    names = [suite.name for suite in policy.suite]
    if not names:
        raise UserError(f"{path}: names no suite, so it would approve anything. {MEND_IT}")
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{path}: {duplicates[0]} is named twice. Keep one of its tables")
    return policy


def current_entry(suite: Suite, bars: Path | None = None) -> RequiredSuite:
    """Return the policy entry of a suite as it is now; gates, accepted baseline and noise come from `bars`."""
    gates_digest = text_sha256(gates_path(suite, bars), "Every suite has its gates in gates.toml")
    accepted = load_accepted(baseline_path(suite, bars), suite.name)
    noise = noise_path(suite, bars)
    return RequiredSuite(
        name=suite.name,
        gates=gates_digest,
        cases=suite.cases_hash,
        prompt=suite.prompt_hash,
        scorers=suite.scorers_hash,
        samples=suite.samples,
        leave_out_long=suite.leave_out_long,
        accepted=accepted.digest if accepted else None,
        noise=text_sha256(noise) if noise.is_file() else None,
    )


def changed_parts(then: RequiredSuite, now: RequiredSuite) -> list[str]:
    """Name the parts of a suite that changed since the policy was written."""
    keys = ("gates", "cases", "prompt", "scorers", "samples", "leave_out_long", "noise")
    return [key for key in keys if getattr(then, key) != getattr(now, key)]


def write_policy(path: Path, policy: Policy) -> None:
    """Write an approval policy, with a comment on what it is."""
    text = HEAD + f"trust_server = {str(policy.trust_server).lower()}\n" + "".join(map(_table, policy.suite))
    write_atomic(path, text, "Give write access to its folder", parents=True)


def _table(required: RequiredSuite) -> str:
    """Render one suite; neither names nor digests contain a character that TOML needs escaped."""
    keys = ("name", "gates", "cases", "prompt", "scorers", "accepted", "noise")
    lines = [f'{key} = "{value}"' for key in keys if (value := getattr(required, key))]
    if required.samples != 1:
        lines.append(f"samples = {required.samples}")
    if required.leave_out_long:
        lines.append("leave_out_long = true")
    if required.baselines:
        lines.append(f"baselines = {msgspec.json.encode(required.baselines).decode()}")
    return "\n[[suite]]\n" + "\n".join(lines) + "\n"


def renew(suites: Iterable[Suite], add_new: bool) -> list[str]:
    """Update the project's policy for these suites, and return what changed. `add_new` adds suites that it lacks.

    Other suites in the policy keep their entries. Without a policy, every suite is added. Raises UserError where there
    is no suite, and below the root of a project.
    """
    refuse_below_project(Path.cwd())
    path = policy_path()
    known = load_policy(path) if path.exists() else Policy(suite=[])
    add = add_new or not known.suite
    by_name = {required.name: required for required in known.suite}
    changes = []
    for suite in suites:
        then = by_name.get(suite.name)
        if then is None and not add:
            continue
        now = current_entry(suite)
        if then is None:
            changes.append(f"{suite.name}: added")
        else:
            now = msgspec.structs.replace(now, baselines=then.baselines)
            changed = [*changed_parts(then, now), *(["accepted baseline"] if then.accepted != now.accepted else [])]
            changes += [f"{suite.name}: {', '.join(changed)} changed"] if changed else []
        by_name[suite.name] = now
    if not by_name:
        raise UserError(f"{path}: no suite to name. Write one with `tunegate init`, or name its folder with --suite")
    write_policy(path, msgspec.structs.replace(known, suite=list(by_name.values())))
    return changes


def eased_since(suites: Iterable[Suite], runs: Path) -> list[str]:
    """Say which gates of the suites became easier, and which cases and scorers changed, since runs below `runs`."""
    known = list(judged_suites(runs))
    said: list[str] = []
    for suite in suites:
        gates = load_suite_gates(suite, None)
        verdicts = unjudged(suite.name, gates, suite.slice_values(), "not run", suite.metrics)
        said += eased(suite, text_sha256(suite.gates_path), verdicts, known)
    return said


def required_folders() -> list[str]:
    """List the existing folders of the suites in the project's policy; none without a policy."""
    path = policy_path()
    named = [PROJECT / required.name for required in load_policy(path).suite] if path.exists() else []
    return [str(folder) for folder in named if folder.is_dir()]


def unnamed_folders() -> list[Path]:
    """List the folders with gates that the project's policy does not name."""
    named = {PROJECT / required.name for required in load_policy(policy_path()).suite}
    return [file.parent for file in files_below(PROJECT, "gates.toml") if file.parent not in named]
