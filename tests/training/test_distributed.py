"""Two processes train as one: the same steps, one run folder, one voice, and no process waits for ever."""

import signal
import tomllib

import accelerate
import msgspec
import pytest
import torch
from safetensors.torch import load_file

from harness.engines.transformers import generate
from harness.errors import EXIT_INTERRUPTED, EXIT_USAGE, UserError
from harness.runs.folder import load_run
from tests.support.mini import rows as cases
from tests.support.mini import write_suite
from tests.support.training_process import ACCELERATE, Launched, losses, only_run, train_here
from tests.training.test_run import stop_at
from training import distributed
from training.config import Config
from training.config_file import load
from training.distributed import ProcessGroup
from training.job import prepare
from training.run import Interrupted, agreed, refuse_other_step

SHARDED = {
    "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
}  # fmt: skip
"""As `accelerate launch --use_fsdp --fsdp_version 2` sets it."""


@pytest.fixture
def uneven(write_config, write_rows, tmp_path):
    """Five rows a step, of unequal lengths, one a pass: three passes for one process, two and a filler for the other.

    The last step, 5, has one row: the other process has but the filler. The adapter is chosen by answers to nine cases,
    five for one process and four for the other.
    """
    suite = write_suite(tmp_path)
    held = [case | {"id": f"v{i}", "input": {"document": f"Held out {i}."}} for i, case in enumerate(cases(9))]
    write_rows("dev.jsonl", held)

    def write(**changes):
        settings = {
            "rows": 7, "train__rows_per_step": 5, "train__max_steps": None, "train__epochs": 3,
            "train__pack_tokens": 0, "select__suite": str(suite),
            "select__cases": ["dev.jsonl"], "select__metric": "clause_exact_set",
        }  # fmt: skip
        return write_config(**settings | changes)

    return write


FSDP = ["accelerate.commands.launch", "--use_fsdp", "--fsdp_version=2", "--num_processes=1", "--num_machines=1"]
FSDP += ["--fsdp_auto_wrap_policy=TRANSFORMER_BASED_WRAP", "--main_process_port=0", "--mixed_precision=no"]
FSDP += ["--dynamo_backend=no", "--tee=3", "--log_dir=logs", "--module"]

NOTHING_ASKED = {"select__suite": "", "select__cases": [], "select__metric": ""}


def listening(monkeypatch):
    """Answers by key of every evaluation in this process, as the others tell theirs."""
    found = []
    answers = generate.Answerer.answers

    def counted(self, model, requests):
        completions = list(answers(self, model, requests))
        found.append({completion.key: completion.text for completion in completions})
        return completions

    monkeypatch.setattr(generate.Answerer, "answers", counted)
    return found


def close(found, expected, tolerance):
    """Both logs have the same lines with the same numbers, up to `tolerance` relative."""
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    for row, other in zip(found, expected, strict=True):
        for key, value in other.items():
            expected_value = value if value is None else pytest.approx(value, rel=tolerance)
            assert row[key] == expected_value, (row["step"], key)


def adapter(folder):
    tensors = load_file(folder / "adapter" / "adapter_model.safetensors")
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def same_adapter(one, other):
    """Adam divides by the gradient's own size, so an entry that is nearly zero may differ by more than the rest."""
    return float((adapter(one) - adapter(other)).norm() / adapter(other).norm()) < 1e-4


@pytest.mark.slow
def test_two_processes_do_what_one_does_and_one_of_them_speaks(uneven, tmp_path, monkeypatch):
    done = Launched.forked(tmp_path / "two", uneven(output__dir="together"))
    assert (done.left(0), done.left(1)) == (0, 0)
    folder = only_run(tmp_path / "together")
    answers = listening(monkeypatch)
    alone = train_here(uneven(output__dir="alone"))
    close(losses(folder), losses(alone), 1e-5)
    assert same_adapter(folder, alone)
    record, expected = load_run(folder).manifest.training, load_run(alone).manifest.training
    assert (record["processes"], expected["processes"]) == (2, 1)
    for key in ("best_step", "steps", "chosen_by", "selection"):
        assert record[key] == expected[key]
    assert record["best_validation_loss"] == pytest.approx(expected["best_validation_loss"], rel=1e-5)
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in alone.iterdir())
    shares = [done.told("answers", process) for process in (0, 1)]
    assert [[len(share) for share in each] for each in shares] == [[5] * 4, [4] * 4]
    assert [first | second for first, second in zip(*shares, strict=True)] == answers
    assert all(len(found) == 9 for found in answers)
    adapter, following = done.printed(0, "stdout")
    assert adapter == f"adapter: {folder / 'adapter'}" and following.startswith("next: tunegate compare BASELINE ")
    assert f"{folder.parent.name}/{folder.name}    #" in following
    assert sum("before the first step" in line for line in done.printed(0)) == 1
    assert done.printed(1, "stdout") == done.printed(1) == []


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_and_any_number_goes_on(uneven, tmp_path):
    """What accelerate's own settings say of numbers and steps changes nothing: the configuration says it."""
    config = uneven()
    strike = {"STRIKE_AT": "[1, 3]", "STRIKE": str(int(signal.SIGINT)), "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}
    done = Launched(tmp_path / "two", config, launcher=ACCELERATE, **strike)
    folder = only_run(tmp_path / "runs")
    assert (done.left(0), done.left(1)) == (EXIT_INTERRUPTED, 0), done.launcher
    assert "training stopped after step 3 of 5" in done.printed(0)[-1]
    assert done.printed(1) == []
    assert load_run(folder).manifest.status == "interrupted"
    assert train_here(config) == folder
    alone = train_here(uneven(output__dir="alone"))
    close(losses(folder), losses(alone), 1e-5)
    assert same_adapter(folder, alone)


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_no_other_waiting(uneven, tmp_path):
    config = uneven(**NOTHING_ASKED)
    done = Launched(tmp_path / "two", config, STRIKE_AT="[1, 3]", STRIKE=str(int(signal.SIGKILL)))
    folder = only_run(tmp_path / "runs")
    assert done.code != 0 and done.left(1) is None
    assert load_run(folder).manifest.status != "finished"
    assert train_here(config) == folder
    assert [row["step"] for row in losses(folder) if "loss" in row] == [1, 2, 3, 4, 5]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["row", "disk"])
def test_what_one_process_cannot_do_is_said_once_and_ends_both(uneven, tmp_path, broken):
    config = uneven(**NOTHING_ASKED)
    if broken == "row":
        (tmp_path / "train.jsonl").write_text("not a row\n")
    done = Launched.forked(tmp_path / "two", config, **({"ROOM": "20000"} if broken == "disk" else {}))
    assert (done.left(0), done.left(1)) == (EXIT_USAGE, 0), done.launcher
    text = {"row": "train.jsonl:1: ", "disk": "state.pt: cannot be written (File too large)"}[broken]
    assert [text in line for line in done.printed(0) if line.startswith("tunegate: ")] == [True]
    assert "Traceback" not in "\n".join(done.printed(0)) and done.printed(1) == []
    assert len(list(tmp_path.glob("runs/*/"))) == (0 if broken == "row" else 1)


on_processors = pytest.mark.skipif(torch.cuda.is_available(), reason="forks of this process cannot use its CUDA device")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [pytest.param(2, marks=on_processors), pytest.param(1, marks=pytest.mark.gpu)])
def test_a_sharded_model_trains_as_a_whole_one_and_takes_over_its_state(uneven, tmp_path, processes):
    """One process trains 2 steps, two with parts of the model go on to step 4, and one ends it.

    accelerate shards on accelerators alone; on a CPU its gate is stepped over, and torch shards over gloo. On a CUDA
    device it shards over one process.
    """
    config = uneven(**NOTHING_ASKED)
    with pytest.raises(Interrupted):
        train_here(config, stop_at(2))
    folder = only_run(tmp_path / "runs")
    strike = {"STRIKE_AT": "[0, 4]", "STRIKE": str(int(signal.SIGTERM)), **SHARDED}
    if processes == 2:
        done = Launched.forked(tmp_path / "sharded", config, **strike)
    else:
        done = Launched(tmp_path / "sharded", config, launcher=FSDP, **strike)
    assert [done.left(process) for process in range(processes)] == [EXIT_INTERRUPTED, 0][:processes], done.launcher
    assert "training stopped after step 4 of 5" in done.printed(0)[-1]
    for process in range(processes):
        assert done.told("sharded", process) == [["DTensor"] * 28]
    assert train_here(config) == folder
    alone = train_here(uneven(output__dir="alone", **NOTHING_ASKED))
    close(losses(folder), losses(alone), 1e-5)
    assert same_adapter(folder, alone)


@pytest.mark.parametrize(
    ("version", "on_processors", "changes", "expected"),
    [
        ("2", False, {}, []),
        ("1", False, {}, ["Add --fsdp_version 2"]),
        ("2", True, {}, ["Do not use it on CPUs"]),
        ("2", False, {"model__quantise": "nf4", "train__dtype": "auto"}, ["'model.quant_storage' is uint8"]),
        ("2", False, {"select__suite": "evalsuites"}, ["Remove [select], or train without FSDP"]),
        (
            "1",
            True,
            {"forgetting__suite": "evalsuites"},
            ["Do not use it", "Add --fsdp_version 2", "Remove [forgetting]"],
        ),
    ],
)
def test_what_does_not_go_with_sharding_is_refused(
    write_config, monkeypatch, version, on_processors, changes, expected
):
    path = write_config(**changes)
    config = msgspec.convert(tomllib.loads(path.read_text()), Config)
    assert distributed.problems(config) == []
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", version)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: not on_processors)
    problems = distributed.problems(config)
    assert len(problems) == len(expected)
    assert all(text in problem for text, problem in zip(expected, problems, strict=True))


class Second(ProcessGroup):
    """The second of two processes, which is told what the first has."""

    def __init__(self, first):
        self.size, self.number, self.first = 2, 1, first

    def _gather(self, mine):
        return [(self.first, None), mine]


def test_a_process_with_other_data_ends_all_and_the_plan_is_that_of_the_first(write_config):
    job = prepare(load(write_config()), lambda text: None)
    assert agreed(Second((job.fingerprint, True)), job).checkpointing is True
    told = []
    second = Second((job.fingerprint | {"training rows": "other"}, False))
    second._gather = lambda mine: told.append(mine) or [(second.first, None), mine]
    with pytest.raises(SystemExit):
        agreed(second, job)
    assert told[-1][1].startswith("training rows differ from the first process's")


def test_a_machine_without_the_state_to_resume_from_ends_all():
    """Its steps would be others, so that the sums of gradients would be of two steps."""
    second, told = Second(40), []
    refuse_other_step(second, 40)
    second._gather = lambda mine: told.append(mine) or [(second.first, None), mine]
    with pytest.raises(SystemExit):
        refuse_other_step(second, 0)
    assert told[-1][1].startswith("resumes after step 0, and the first process after step 40. Put 'output.dir' on")


def test_processes_that_do_not_meet_are_refused(monkeypatch):
    """A launcher that sets no address starts strangers: each would train alone."""
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr(accelerate, "PartialState", lambda **_: type("Alone", (), {"num_processes": 1}))
    with pytest.raises(UserError, match="started 3 processes but 1 joined"):
        ProcessGroup()
