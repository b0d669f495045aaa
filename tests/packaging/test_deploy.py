"""What is deployed is linted, holds to its schema, and calls `tunegate` as it is; its shell is run with stand-ins."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command

from tunegate.cli.main import app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted(DEPLOY.glob("Dockerfile.*"))
OF_A_MODEL = DEPLOY / "model.Dockerfile"
NO_DEFAULT = {"type": "object", "additionalProperties": False}
SAGEMAKER = {
    **NO_DEFAULT,
    "required": [
        "TrainingJobName", "AlgorithmSpecification", "RoleArn",
        "OutputDataConfig", "ResourceConfig", "StoppingCondition",
    ],
    "properties": {
        "TrainingJobName": {"type": "string", "pattern": "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"},
        "RoleArn": {"type": "string", "pattern": r"^arn:aws[a-z\-]*:iam::\d{12}:role/"},
        "AlgorithmSpecification": {
            **NO_DEFAULT,
            "required": ["TrainingImage", "TrainingInputMode"],
            "properties": {
                "TrainingImage": {"type": "string", "maxLength": 255},
                "TrainingInputMode": {"enum": ["Pipe", "File", "FastFile"]},
                "ContainerEntrypoint": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string"}},
                "ContainerArguments": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "string"}},
            },
        },
        "InputDataConfig": {"type": "array", "minItems": 1, "items": {"required": ["ChannelName", "DataSource"]}},
        "CheckpointConfig": {"required": ["S3Uri"], "properties": {"S3Uri": {"pattern": "^(https|s3)://"}}},
        "OutputDataConfig": {"required": ["S3OutputPath"]},
        "ResourceConfig": {
            "required": ["VolumeSizeInGB", "InstanceType", "InstanceCount"],
            "properties": {"InstanceType": {"pattern": r"^ml\.[a-z0-9]+\.[0-9a-z]+$"}, "InstanceCount": {"minimum": 1}},
        },
        "StoppingCondition": {"properties": {"MaxRuntimeInSeconds": {"type": "integer", "minimum": 1}}},
        "EnableNetworkIsolation": {"type": "boolean"},
        "Environment": {"type": "object", "maxProperties": 100, "additionalProperties": {"type": "string"}},
    },
}  # fmt: skip
"""Fields of CreateTrainingJob that are used, as Amazon's API reference has them."""
SAGEMAKER_MODEL = {
    **NO_DEFAULT,
    "required": ["ModelName", "ExecutionRoleArn", "PrimaryContainer"],
    "properties": {
        "ModelName": {"type": "string", "pattern": "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"},
        "ExecutionRoleArn": {"type": "string", "pattern": r"^arn:aws[a-z\-]*:iam::\d{12}:role/"},
        "PrimaryContainer": {
            **NO_DEFAULT,
            "required": ["Image"],
            "properties": {
                "Image": {"type": "string", "maxLength": 255},
                "Environment": {
                    "type": "object",
                    "maxProperties": 100,
                    "additionalProperties": {"type": "string", "maxLength": 1024},
                },
            },
        },
        "EnableNetworkIsolation": {"type": "boolean"},
    },
}  # fmt: skip
"""Fields of CreateModel that are used, as Amazon's API reference has them: a container gets no arguments."""
VERTEX_MODEL = {
    **NO_DEFAULT,
    "required": ["model"],
    "properties": {
        "model": {
            **NO_DEFAULT,
            "required": ["displayName", "containerSpec"],
            "properties": {
                "displayName": {"type": "string"},
                "containerSpec": {
                    **NO_DEFAULT,
                    "required": ["imageUri"],
                    "properties": {
                        "imageUri": {"type": "string"},
                        "args": {"type": "array", "items": {"type": "string"}},
                        "ports": {"type": "array", "items": {**NO_DEFAULT, "required": ["containerPort"],
                                  "properties": {"containerPort": {"type": "integer"}}}},
                        "healthRoute": {"type": "string", "pattern": "^/"},
                        "predictRoute": {"type": "string", "pattern": "^/"},
                        "startupProbe": {
                            **NO_DEFAULT,
                            "properties": {
                                "httpGet": {**NO_DEFAULT, "properties": {"path": {"type": "string", "pattern": "^/"},
                                                                         "port": {"type": "integer"}}},
                                "periodSeconds": {"type": "integer", "minimum": 1},
                                "timeoutSeconds": {"type": "integer", "minimum": 1},
                                "failureThreshold": {"type": "integer", "minimum": 1},
                            },
                        },
                        "deploymentTimeout": {"type": "string", "pattern": r"^\d+s$"},
                        "sharedMemorySizeMb": {"type": "string", "pattern": r"^\d+$"},
                        "env": {"type": "array", "items": {"required": ["name", "value"]}},
                    },
                },
            },
        }
    },
}  # fmt: skip
"""A request to upload a Model with a ModelContainerSpec to Vertex AI, as far as it is used."""
VERTEX = {
    **NO_DEFAULT,
    "required": ["workerPoolSpecs"],
    "properties": {
        "scheduling": {**NO_DEFAULT, "properties": {"timeout": {"type": "string", "pattern": r"^\d+s$"}}},
        "workerPoolSpecs": {
            "type": "array",
            "minItems": 1,
            "items": {
                **NO_DEFAULT,
                "required": ["machineSpec", "replicaCount", "containerSpec"],
                "properties": {
                    "machineSpec": {
                        **NO_DEFAULT,
                        "properties": {
                            "machineType": {"type": "string"},
                            "acceleratorType": {"type": "string", "pattern": "^NVIDIA_"},
                            "acceleratorCount": {"type": "integer", "minimum": 1},
                        },
                    },
                    "replicaCount": {"type": "integer", "minimum": 1},
                    "diskSpec": {
                        **NO_DEFAULT,
                        "properties": {"bootDiskType": {"type": "string"}, "bootDiskSizeGb": {"type": "integer"}},
                    },
                    "containerSpec": {
                        **NO_DEFAULT,
                        "required": ["imageUri"],
                        "properties": {
                            "imageUri": {"type": "string"},
                            "command": {"type": "array", "items": {"type": "string"}},
                            "args": {"type": "array", "items": {"type": "string"}},
                            "env": {"type": "array", "items": {"required": ["name", "value"]}},
                        },
                    },
                },
            },
        },
    },
}
"""The CustomJobSpec of Vertex AI, as far as it is used."""
SKYPILOT = {
    **NO_DEFAULT,
    "required": ["resources", "run"],
    "properties": {
        "name": {"type": "string"},
        "resources": {
            **NO_DEFAULT,
            "properties": {
                "accelerators": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
                "disk_size": {"type": "integer", "minimum": 50},
            },
        },
        "workdir": {"type": "string"},
        "envs": {"type": "object", "additionalProperties": {"type": "string"}},
        "setup": {"type": "string"},
        "run": {"type": "string"},
    },
}
"""The fields of a SkyPilot task that are used."""


def loaded(name: str) -> Any:
    text = (DEPLOY / name).read_text("utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def program(name: str) -> str:
    """A linter beside this Python, or on the path; the test skips where there is none."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"{name} is not installed: pip install '.[dev]'")
    return found


def lint(name: str, *words: str) -> None:
    done = subprocess.run([program(name), *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [*DOCKERFILES, OF_A_MODEL], ids=lambda path: path.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    lint("hadolint", str(path))


def test_yamllint_finds_nothing() -> None:
    lint("yamllint", "--strict", "deploy", ".github", "templates", "action.yml")


def test_the_compose_files_are_what_compose_expects() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, sorted(DEPLOY.glob("compose*.yaml"))))


def test_the_workflows_are_what_github_expects() -> None:
    lint(
        "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *map(str, (ROOT / ".github/workflows").iterdir()),
    )


def test_the_action_is_what_github_expects() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")


def test_the_component_is_what_gitlab_expects(tmp_path: Path) -> None:
    parts = list(yaml.safe_load_all((ROOT / "templates" / "eval-gate.yml").read_text("utf-8")))
    files = [tmp_path / f"{number}.json" for number in range(len(parts))]
    for file, part in zip(files, parts, strict=True):
        file.write_text(json.dumps(part), "utf-8")
    assert [sorted(part) for part in parts] == [["spec"], ["eval-gate"]]
    lint("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *map(str, files))


def test_the_job_of_kubernetes_holds_to_its_schema_and_may_do_nothing_but_judge() -> None:
    job = loaded("kubernetes-gate.yaml")
    pytest.importorskip("kubernetes_validate").validate(job, "1.33", strict=True)
    assert "name" not in job["metadata"]  # An older Job of the same name would stay, and its verdict be read.
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("sagemaker.json", SAGEMAKER),
        ("sagemaker-model.json", SAGEMAKER_MODEL),
        ("vertex.yaml", VERTEX),
        ("vertex-model.json", VERTEX_MODEL),
        ("skypilot.yaml", SKYPILOT),
    ],
)
def test_what_a_cloud_is_given_holds_to_its_schema(name: str, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(loaded(name))


def instructions(path: Path) -> list[tuple[str, str]]:
    """Instruction and the rest, lines joined and comments left out."""
    text = "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_runs_as_nobody_special_from_a_pinned_base_with_hashed_packages(path: Path) -> None:
    found = instructions(path)
    bases = [rest.split() for word, rest in found if word == "FROM"]
    own = {base[2] for base in bases if len(base) == 3}
    assert all(base[0] in own or re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+-[\w-]+", base[0]) for base in bases)
    assert [rest for word, rest in found if word == "USER"] == ["$UID"] and ("ARG", "UID=10001") in found
    assert any(word == "HEALTHCHECK" for word, _ in found) and found[-2] == ("ENTRYPOINT", '["tunegate"]')
    lock = f"requirements/{path.suffix[1:]}.lock"
    assert any(word == "COPY" and rest.startswith(lock) for word, rest in found)
    assert any("pip sync" in rest and rest.endswith(f"/src/{lock}") for word, rest in found if word == "RUN")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_has_the_bytecode_that_its_user_cannot_store(path: Path) -> None:
    found = instructions(path)
    first = next(at for at, (word, rest) in enumerate(found) if "uv pip" in rest)
    assert any(word == "ENV" and "UV_COMPILE_BYTECODE=1" in rest.split() for word, rest in found[:first])


def test_the_image_for_cpus_has_no_compiler_at_run_time() -> None:
    found = instructions(DOCKERFILES[0])
    run_time = found[max(at for at, (word, rest) in enumerate(found) if word == "FROM" and "python:" in rest) :]
    assert not any(re.search(r"\b(g\+\+|gcc|clang|make|build-essential|\w+-dev)(?!\w)", rest) for _, rest in run_time)


@pytest.mark.slow
def test_mlflow_takes_the_command_line_of_its_service() -> None:
    from mlflow.cli import cli

    words = shlex.split(loaded("compose.yaml")["services"]["mlflow"]["command"])
    cli.commands[words[0]].make_context("server", words[1:], resilient_parsing=True)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_an_image_copies_is_there_and_is_let_through(path: Path) -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in instructions(path):
        if word == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            for source in sources:
                assert (ROOT / source).exists() and {source, source.split("/")[0]} & let_through


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_is_built_from_every_package_of_the_wheel(path: Path) -> None:
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    copied = {rest.split()[0] for word, rest in instructions(path) if word == "COPY"}
    assert {pattern.rstrip("*") for pattern in included} <= copied


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_every_run_line_is_a_shell_command(path: Path) -> None:
    for word, rest in instructions(path):
        if word == "RUN":
            script = re.sub(r"--mount=\S+", "", rest)
            assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0, script


def test_the_layer_of_the_model_asks_for_the_embedded_model() -> None:
    """Its Python is run here, with the model already made: it must find what it imports, from harness/ alone."""
    from harness.checkpoints.bundled_model import EMBEDDED, MEMBER_SHA256
    from harness.checkpoints.resolve import cache_dir

    if not (cache_dir() / "models" / f"{EMBEDDED}-{MEMBER_SHA256[:12]}").is_dir():
        pytest.skip("the embedded model is not in the cache of this machine")
    (line,) = [rest for word, rest in instructions(DOCKERFILES[0]) if "embedded_model" in rest]
    code = shlex.split(line)[-1]
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd="/", text=True)
    assert done.returncode == 0


def commands() -> list[list[str]]:
    """Every `tunegate` command line in the files, with values for what a user fills in."""
    services = {name: s for name, s in loaded("compose.yaml")["services"].items() if "entrypoint" not in s}
    found = [
        ["serve", *words] if name == "serve" else words
        for name, words in ((n, s["command"]) for n, s in services.items())
        if isinstance(words, list)
    ]
    found += [shlex.split(filled(s["command"])) for s in services.values() if isinstance(s["command"], str)]
    algorithm = loaded("sagemaker.json")["AlgorithmSpecification"]
    container = loaded("vertex.yaml")["workerPoolSpecs"][0]["containerSpec"]
    for entry, words in (
        (algorithm["ContainerEntrypoint"], algorithm["ContainerArguments"]),
        (container["command"], container["args"]),
    ):
        assert entry == ["tunegate"]
        found.append(words)
    found.append(loaded("kubernetes-gate.yaml")["spec"]["template"]["spec"]["containers"][0]["args"])
    hosted = loaded("sagemaker-model.json")["PrimaryContainer"]["Environment"]
    found.append(["serve", *shlex.split(hosted["TUNEGATE_SERVE_ARGS"])])
    found.append(loaded("vertex-model.json")["model"]["containerSpec"]["args"])
    found += [
        ["serve", *shlex.split(rest.partition("=")[2].strip('"'))]
        for word, rest in instructions(OF_A_MODEL)
        if rest.startswith("SERVE=")
    ]
    task = loaded("skypilot.yaml")
    lines = (task["setup"] + task["run"]).splitlines()
    found += [
        shlex.split(filled(line.partition("tunegate ")[2].split("|")[0]))
        for line in lines
        if line.startswith("tunegate ")
    ]
    text = (DEPLOY / "README.md").read_text("utf-8")
    found += [
        shlex.split(line.rpartition("tunegate:cpu ")[2])
        for line in text.splitlines()
        if line.startswith("docker run") and "tunegate:cpu " in line
    ]
    return [[filled(word) for word in words] for words in found]


def filled(text: str) -> str:
    """The text with its defaults in, and something for every other variable."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return re.sub(r"\"?\$\{?\w+\}?\"?", "x", text)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_line_is_one_that_tunegate_takes(words: list[str]) -> None:
    command: Any = get_command(app)
    context = command.make_context("tunegate", list(words), resilient_parsing=True)
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None, name
        context = command.make_context(name, list(rest), parent=context)


def test_an_image_of_a_model_is_started_with_serve_alone_and_finds_its_command_line() -> None:
    """As SageMaker starts it: ENTRYPOINT of the image below, `serve` and nothing more."""
    found = dict(instructions(OF_A_MODEL))
    assert found["CMD"] == '["serve"]' and found["ENV"] == "TUNEGATE_SERVE_ARGS=$SERVE"
    environment = loaded("sagemaker-model.json")["PrimaryContainer"]["Environment"]
    entry = next(json.loads(rest) for word, rest in reversed(instructions(DOCKERFILES[0])) if word == "ENTRYPOINT")
    words = [str(Path(sys.executable).with_name(entry[0])), "serve"]
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, cwd="/")
    assert "adapter: no such checkpoint" in done.stderr and done.returncode == 4, done.stdout + done.stderr


def test_vertex_waits_for_a_model_that_loads_slowly_and_probes_the_port_that_is_served() -> None:
    spec = loaded("vertex-model.json")["model"]["containerSpec"]
    probe = spec["startupProbe"]
    assert probe["httpGet"] == {"path": spec["healthRoute"], "port": spec["ports"][0]["containerPort"]}
    assert probe["periodSeconds"] < probe["timeoutSeconds"], "as the reference of Vertex AI requires"
    waits = probe["periodSeconds"] * probe["failureThreshold"]
    assert 1800 <= waits < int(spec["deploymentTimeout"].removesuffix("s")) <= 7200


def test_a_command_line_that_tunegate_does_not_take_is_seen() -> None:
    with pytest.raises(Exception, match="No such option"):
        test_every_command_line_is_one_that_tunegate_takes(["train", "x", "--no-such"])


STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in
  train*) echo "adapter: runs/r1/adapter" ;;
  compare*) exit "${COMPARED:-0}" ;;
esac
"""


def skypilot(tmp_path: Path, part: str, **environment: str) -> tuple[int, list[str]]:
    """Exit code of a shell block of the task, and the commands it gave to the programs that stand in."""
    programs = tmp_path / "tunegate" / "bin"
    programs.mkdir(parents=True)
    for name in ("tunegate", "python3"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    task = loaded("skypilot.yaml")
    env = {**task["envs"], "HOME": str(tmp_path), "CALLS": str(tmp_path / "calls"), "PATH": f"{programs}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", task[part]], env=env | environment, cwd=tmp_path, capture_output=True, text=True
    )
    calls = tmp_path / "calls"
    return done.returncode, calls.read_text().splitlines() if calls.exists() else []


def test_the_task_installs_into_an_environment_of_its_own(tmp_path: Path) -> None:
    code, calls = skypilot(tmp_path, "setup", TUNEGATE="tunegate[train] @ file:///a b", BASELINE="base")
    assert code == 0
    assert calls[0].startswith("python3 -m pip install") and calls[1].startswith("python3 -m uv venv")
    assert calls[2].endswith("tunegate[train] @ file:///a b") and calls[3] == "tunegate --help"


@pytest.mark.parametrize("named", [{}, {"TUNEGATE": "tunegate[train]"}, {"BASELINE": "base"}])
def test_the_task_starts_only_with_what_is_installed_and_the_baseline_named(
    tmp_path: Path, named: dict[str, str]
) -> None:
    """Another base than the adapter's may be a weak model, than which any is better."""
    code, calls = skypilot(tmp_path, "setup", **named)
    assert code != 0 and calls == []


COMPARE = "tunegate compare base runs/r1/adapter --require-gates"


@pytest.mark.parametrize("compared", ["0", "1", "3"])
def test_the_task_trains_judges_the_adapter_and_leaves_with_the_verdict(tmp_path: Path, compared: str) -> None:
    code, calls = skypilot(tmp_path, "run", COMPARED=compared, CONFIG="my train.toml", BASELINE="base")
    assert calls == ["tunegate train my train.toml", COMPARE, "tunegate runs"]
    assert code == int(compared)
