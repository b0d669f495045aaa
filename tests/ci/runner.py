"""A stand-in for a CI service: runs a job's `run:` blocks as it would, and reads the log as GitHub's runner does.

The rules of the log are those of actions/runner, ActionCommand.cs and ActionCommandManager.cs: a line is a command when
it begins, blanks aside, with `::name`, or has `##[name]` anywhere; nothing is one between stop-commands and its token.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.command import PROGRAMS, WITHOUT_CHARTS

ROOT = Path(__file__).parents[2]
KNOWN = {
    "error", "warning", "notice", "debug", "add-mask", "stop-commands", "group", "endgroup", "save-state", "set-output",
    "set-env", "add-path", "echo", "add-matcher", "remove-matcher", "internal-set-repo-path",
}  # fmt: skip
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""How GitHub runs a block under `shell: bash`."""


def documents(name: str) -> list[dict[str, Any]]:
    """The documents of a YAML file; `on` stays a string, as the services read it."""
    return list(yaml.load_all((ROOT / name).read_text("utf-8"), Loader=_Plain))


def workflow(name: str) -> dict[str, Any]:
    """A workflow or action, a file of one document."""
    (only,) = documents(name)
    return only


def component(**inputs: str) -> dict[str, Any]:
    """The job of the GitLab component with its inputs filled in, as GitLab does before it reads the job.

    An input without a value and default is a KeyError, and so is a placeholder without an input.
    """
    head, body = documents("templates/eval-gate.yml")
    defaults = {name: found["default"] for name, found in head["spec"]["inputs"].items() if "default" in found}
    known = defaults | inputs
    text = re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: json.dumps(known[found[1]])[1:-1], json.dumps(body))
    return dict(json.loads(text)["eval-gate"])


class _Plain(yaml.SafeLoader):
    """YAML 1.2's booleans only: `on` is a key, not True."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in known if tag != "tag:yaml.org,2002:bool"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Plain.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def commands(log: str) -> Iterator[tuple[str, str]]:
    """Name and message of every command that GitHub's runner would carry out."""
    token = None
    for line in re.split(r"\r\n|\r|\n", log):
        name, said = _command(line, token)
        if token is None and name in KNOWN:
            yield name, said
            token = said if name == "stop-commands" else None
        elif token is not None and name == token:
            token = None


def _command(line: str, token: str | None) -> tuple[str, str]:
    start = line.lstrip()
    known = KNOWN | ({token} if token else set())
    if start.startswith("::") and "::" in start[2:]:
        head, _, said = start[2:].partition("::")
        if head.split(" ")[0] in known:
            return head.split(" ")[0], said
    if "##[" in line and "]" in line[line.index("##[") :]:
        head, _, said = line[line.index("##[") + 3 :].partition("]")
        if head.split(" ")[0] in known:
            return head.split(" ")[0], said
    return "", ""


@dataclass
class Job:
    """What a job left behind."""

    log: str = ""
    """Everything its steps printed, in order."""
    codes: dict[str, int] = field(default_factory=dict)
    """Exit code by step, of the steps that ran."""
    summary: str = ""
    """What was written to GITHUB_STEP_SUMMARY, step after step."""

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Commands that the runner carries out, the pair that stops and resumes them left out."""
        return [found for found in commands(self.log) if found[0] != "stop-commands"]

    def annotations(self, kind: str) -> list[str]:
        """Messages of one kind of annotation."""
        return [said for name, said in self.commands if name == kind]

    @property
    def failed(self) -> bool:
        return any(self.codes.values())


def environment(home: Path, **more: str) -> dict[str, str]:
    """A bare environment in which `pytest`, `tunegate` and all else of this interpreter are first on the path."""
    return {
        "PATH": os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "CI": "true",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "TUNEGATE_CACHE": str(home / "cache"),
        "PYTHONPATH": WITHOUT_CHARTS,
        "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:hypothesispytest",
        **more,
    }


def bash(script: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one block; stdout and stderr come interleaved, as in a log."""
    file = Path(env["HOME"]) / "step.sh"
    file.write_text(script)
    return subprocess.run(
        [*BASH, str(file)],
        cwd=folder,
        env=dict(env),
        text=True,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
    )


def run_job(
    name: str, folder: Path, home: Path, values: Mapping[str, str], inputs: Mapping[str, str] | None = None, **env: str
) -> Job:
    """Run action.yml as the one job of a workflow calls it, but for `Install`; `values` gives every expression.

    `inputs` come on top of those that the workflow gives.
    """
    (job,) = workflow(f".github/workflows/{name}")["jobs"].values()
    (call,) = [step for step in job["steps"] if step.get("uses") == "./"]
    action = workflow("action.yml")
    given = {key: filled(value, values) for key, value in call["with"].items()} | dict(inputs or {})
    assert given.keys() <= action["inputs"].keys()
    chosen = {key: found["default"] for key, found in action["inputs"].items()} | given
    known = {**values, **{f"inputs.{key}": value for key, value in chosen.items()}}
    made = Job()
    for step in action["runs"]["steps"]:
        if "run" not in step or step["name"] == "Install":
            continue
        if not evaluated(step.get("if", "success()"), known, made.failed):
            continue
        summary = home / "summary.md"
        summary.write_text("")
        own = {key: filled(str(found), known) for key, found in step.get("env", {}).items()}
        files = {f"GITHUB_{part}": str(home / part.lower()) for part in ("ENV", "OUTPUT", "PATH")}
        for path in files.values():
            Path(path).touch()
        settings = environment(home, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary), **files)
        done = bash(step["run"], folder, {**settings, **own, **env})
        made.log += done.stdout
        made.codes[step["name"]] = done.returncode
        made.summary += summary.read_text()
    return made


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with each `${{ expression }}` replaced; one without a value is a KeyError."""
    return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: values[found[1]], text)


def evaluated(condition: str, values: Mapping[str, str], failed: bool) -> bool:
    """A step's `if`, as far as these files use it: always(), failure(), and comparisons with a word, joined by &&."""
    parts = [part.strip() for part in condition.split("&&")]
    status = {"always()": True, "failure()": failed, "success()": not failed}
    if not any(part in status for part in parts):
        parts.append("success()")
    return all(status[part] if part in status else _holds(part, values) for part in parts)


def _holds(part: str, values: Mapping[str, str]) -> bool:
    name, sign, word = part.split(" ")
    return (values[name] == word.strip("'")) is (sign == "==")


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, without anybody's settings."""
    env = environment(folder)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_all(folder: Path) -> str:
    """Commit whatever the folder holds; returns the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "change", "--allow-empty")
    return git(folder, "rev-parse", "HEAD")


def copy_of(project: Path, folder: Path) -> Path:
    """A copy of a prepared repository, to change."""
    shutil.copytree(project, folder, symlinks=True)
    return folder
