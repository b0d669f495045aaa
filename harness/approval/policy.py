"""Reads and writes evalsuites/approval.toml: which suites must have passed before weights are merged or served.

The file of the project in the working directory counts, or its copy below `--bars`; never one that came with a package.
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
from harness.files import digest, read_toml, write_atomic
from harness.gates.config import gates_path
from harness.suites.suite import Suite

PROJECT = Path("evalsuites")
"""The folder of the project's suites, in the working directory."""
POLICY = "approval.toml"
WRITE_IT = "Write it with `tunegate approval`, review it and commit it"

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
SuiteName = Annotated[str, Meta(pattern=r"\A\w[\w.-]*/\w[\w.-]*\Z")]


class RequiredSuite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[suite]]` of approval.toml: a suite that must have passed, and what it must have consisted of."""

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
    leave_out_long: bool = False
    """Whether it leaves out cases that are longer than the model's context."""
    accepted: Sha256 | None = None
    """Digest of its baseline.json, where it has one."""
    baselines: list[Sha256] = field(default_factory=list)
    """Content digests of checkpoints that its gates may compare with, besides the base of the adapter in question with
    the same tokenizer and chat template."""


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of approval.toml."""

    trust_server: bool = False
    """Whether a run may approve whose answers a server gave that was trusted (`--trust-server`) to have the weights."""
    suite: list[RequiredSuite]
    """Every one of these suites must have passed."""


HEAD = """\
# Which evaluations approve a merge or a deployment. Written by `tunegate approval`; review and commit every change.
# Every suite named here must have passed in its newest run on exactly the weights in question, by exactly these gates,
# cases, prompt and scorers. To drop a suite, delete its table.

# Whether a run against a server that was trusted to have the weights (--trust-server) may approve.
"""


def policy_path(bars: Path | None = None) -> Path:
    """The approval policy of this project, or of the copy of evalsuites that decides."""
    return (bars or PROJECT) / POLICY


def load_policy(path: Path) -> Policy:
    """Read an approval policy. One that is missing, malformed or without a suite is a UserError."""
    if not path.exists():
        raise UserError(f"{path}: there is no approval policy, so nothing says which suites must pass. {WRITE_IT}")
    try:
        found = msgspec.convert(read_toml(path, WRITE_IT), Policy, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(
            f"{path}: cannot be used: {error}. Expected trust_server, and [[suite]] tables with name, gates, cases, "
            f"prompt, scorers and optionally leave_out_long, accepted and baselines. {WRITE_IT}"
        ) from None
    names = [suite.name for suite in found.suite]
    if not names:
        raise UserError(f"{path}: names no suite, so it would approve anything. {WRITE_IT}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{path}: {twice[0]} is named twice. Keep one of its tables")
    return found


def as_it_is(suite: Suite, bars: Path | None = None) -> RequiredSuite:
    """What an approval policy would say of the suite now; its gates and accepted baseline come from `bars`."""
    gates = gates_path(suite, bars)
    try:
        content = gates.read_bytes()
    except OSError as error:
        raise UserError(
            f"{gates}: cannot be read ({error.strerror}). Every suite states its bars in gates.toml"
        ) from None
    accepted = load_accepted(baseline_path(suite, bars), suite.name)
    return RequiredSuite(
        name=suite.name,
        gates=digest(content),
        cases=suite.cases_hash,
        prompt=suite.prompt_hash,
        scorers=suite.scorers_hash,
        leave_out_long=suite.leave_out_long,
        accepted=accepted.digest if accepted else None,
    )


def moved(then: RequiredSuite, now: RequiredSuite) -> list[str]:
    """What of a suite is not as the policy names it."""
    keys = ("gates", "cases", "prompt", "scorers", "leave_out_long")
    return [key for key in keys if getattr(then, key) != getattr(now, key)]


def write_policy(path: Path, policy: Policy) -> None:
    """Write an approval policy, with a comment on what it is."""
    text = HEAD + f"trust_server = {str(policy.trust_server).lower()}\n" + "".join(map(_table, policy.suite))
    write_atomic(path, text, "Give write access to its folder", parents=True)


def _table(one: RequiredSuite) -> str:
    """One suite; neither names nor digests hold a character that TOML would need escaped."""
    keys = ("name", "gates", "cases", "prompt", "scorers", "accepted")
    lines = [f'{key} = "{value}"' for key in keys if (value := getattr(one, key))]
    if one.leave_out_long:
        lines.append("leave_out_long = true")
    if one.baselines:
        lines.append(f"baselines = {msgspec.json.encode(one.baselines).decode()}")
    return "\n[[suite]]\n" + "\n".join(lines) + "\n"


def renew(suites: Iterable[Suite], more: bool) -> list[str]:
    """Bring the project's policy up to these suites; returns what changed. `more` adds those that it does not name.

    Suites that the policy names and that are not among these keep what is written of them. Where there is no policy,
    every suite is added.
    """
    path = policy_path()
    known = load_policy(path) if path.exists() else Policy(suite=[])
    add = more or not known.suite
    by_name = {one.name: one for one in known.suite}
    said = []
    for suite in suites:
        then = by_name.get(suite.name)
        if then is None and not add:
            continue
        now = as_it_is(suite)
        if then is None:
            said.append(f"{suite.name}: added")
        else:
            now = msgspec.structs.replace(now, baselines=then.baselines)
            changed = [*moved(then, now), *(["accepted baseline"] if then.accepted != now.accepted else [])]
            said += [f"{suite.name}: {', '.join(changed)} changed"] if changed else []
        by_name[suite.name] = now
    if not by_name:
        raise UserError(f"{path}: no suite to name. Write one with `tunegate init`, or name its folder with --suite")
    write_policy(path, msgspec.structs.replace(known, suite=list(by_name.values())))
    return said


def folders_named() -> list[str]:
    """Folders of the suites that the project's policy names, as far as they are here; none where it has no policy."""
    path = policy_path()
    named = [PROJECT / one.name for one in load_policy(path).suite] if path.exists() else []
    return [str(folder) for folder in named if folder.is_dir()]
