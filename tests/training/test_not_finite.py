"""A loss that is no number ends a training at once, says where, and keeps what was good until then."""

import re
import sys

import pytest
import torch
from safetensors.torch import load_file

from harness.errors import EXIT_USAGE, UserError
from harness.runs.folder import load_run
from harness.suites.prompts import Renderer
from tests.support.training_process import losses, only_run, weights
from tests.training.conftest import asked, quiet
from tests.training.test_run import stop_at
from training.batching import order
from training.checkpointing import FILE
from training.config import Train
from training.run import LAST, Interrupted, train
from tunegate.cli import main

ROW = {"instruction": "What of § 7?", "output": "none"}


@pytest.fixture
def torn_model(tiny_model, tmp_path):
    """The tiny model with an output head of its own, and no number where the words of `§` lie."""
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = tmp_path / "torn"
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(tiny_model, tie_word_embeddings=False)
    model = AutoModelForCausalLM.from_config(config)
    renderer = Renderer(tiny_model)
    ids = renderer.tokenizer.encode("§", add_special_tokens=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[ids[-1]] = float("nan")
    model.save_pretrained(folder)
    renderer.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def write_torn(write_config, write_rows, torn_model):
    """Write a configuration on the torn model; the row that it cannot learn comes as number `at` of `file`."""

    def write(at, file="train.jsonl", **changes):
        config = write_config(base=torn_model, **changes)
        rows = [asked(n) for n in (range(12) if file == "train.jsonl" else range(5000, 5012))]
        rows[at - 1] = ROW
        write_rows(file, rows)
        return config

    return write


def row_of(step, rows_per_step=4):
    """A row, not among the first two, that the first pass sees in this step."""
    steps = order(12, Train(rows_per_step=rows_per_step))
    return max(steps[step - 1]) + 1


LATE = row_of(3)


def refused(config):
    with pytest.raises(UserError) as stopped:
        train(config, progress=quiet)
    assert stopped.value.exit_code == EXIT_USAGE
    return str(stopped.value), only_run(config.parent / "runs")


def loads(base, folder):
    """Whether PEFT reads the kept adapter, and every number of it is one."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder / "adapter")
    found = {name: p for name, p in model.named_parameters() if "lora_" in name}
    return len(found) == 28 and all(bool(p.isfinite().all()) for p in found.values())


def holds(folder, weights):
    """Whether the kept adapter has just these weights, given by the names that they have in a training."""
    kept = load_file(folder / "adapter" / "adapter_model.safetensors")
    named = {name.replace(".default", ""): tensor for name, tensor in weights.items()}
    return kept.keys() == named.keys() and all(torch.equal(kept[name], named[name]) for name in kept)


def test_the_row_that_gives_no_number_is_named_and_the_best_adapter_kept(write_torn, torn_model):
    """Step 4 fails: the validation after step 2 chose, and step 3 is what a resumed run goes on from."""
    row = row_of(4, rows_per_step=2)
    config = write_torn(row, train__rows_per_step=2)
    said, folder = refused(config)
    assert said.startswith("step 4: the loss is nan and the gradient norm nan, on ")
    assert re.findall(r"train\.jsonl:(\d+)", said) == [str(row)]
    assert "Check these rows" in said and said.endswith(f"The adapter of step 2 is in {folder / 'adapter'}")
    state = torch.load(folder / LAST / FILE, weights_only=True)
    assert (state["step"], state["best_step"]) == (3, 2)
    assert [row["step"] for row in losses(folder)] == [0, 1, 2, 2, 3]
    assert load_run(folder).manifest.status == "failed"
    assert loads(torn_model, folder)
    assert holds(folder, state["best_adapter"]) and not holds(folder, state["adapter"])
    again, _ = refused(config)
    assert again == said


def test_without_a_validation_the_last_adapter_that_gave_a_loss_is_kept(write_torn, torn_model):
    steady = {"optim__schedule": "constant", "optim__warmup_ratio": 0.0, "data__validation": []}
    said, folder = refused(write_torn(LATE, **steady))
    assert said.endswith(f"The adapter of step 2 is in {folder / 'adapter'}")
    assert loads(torn_model, folder)
    good = train(write_torn(LATE, train__max_steps=2, output__dir="good", **steady), progress=quiet)
    assert weights(good) == weights(folder)


def test_a_first_step_without_a_number_has_nothing_to_keep(write_torn):
    row = row_of(1)
    said, folder = refused(write_torn(row))
    assert said.startswith("step 1: ") and f"train.jsonl:{row}." in said
    assert said.endswith("There is no earlier adapter to save")
    assert not (folder / "adapter").exists()
    assert torch.load(folder / LAST / FILE, weights_only=True)["step"] == 0


def test_a_validation_row_without_a_number_is_named_before_a_step_is_made(write_torn):
    said, folder = refused(write_torn(7, "validation.jsonl"))
    assert said.startswith("before the first step: the validation loss is nan, on ")
    assert re.findall(r"validation\.jsonl:(\d+)", said) == ["7"]
    assert losses(folder) == []


def test_a_base_that_gives_no_number_at_all_is_said_to_be_damaged(write_torn):
    said, _ = refused(write_torn(1, "validation.jsonl"))
    assert "validation.jsonl:1" in said and "its weights are damaged" in said


EXPLODES = {
    "optim__lr": 0.99, "optim__schedule": "constant", "optim__max_grad_norm": 0.0, "optim__warmup_ratio": 0.9,
    "lora__alpha": 5e19, "train__max_steps": 40,
}  # fmt: skip
"""The rate rises until the numbers are too large for their format, after a few steps."""


def test_a_rate_far_too_high_names_the_step_and_says_to_lower_it(write_config, tmp_path):
    """The adapter of the last step is what gives no number, so the one before it is kept."""
    settings = {"data__validation": [], **EXPLODES}
    said, folder = refused(write_config(**settings))
    step = int(re.match(r"step (\d+): ", said)[1])
    done = [row["step"] for row in losses(folder) if "loss" in row]
    assert done == list(range(1, step)) and "Lower optim.lr" in said
    assert step > 3 and said.endswith(f"The adapter of step {step - 2} is in {folder / 'adapter'}")
    with pytest.raises(Interrupted):
        train(write_config(output__dir="stopped", **settings), progress=stop_at(step - 2))
    state = torch.load(only_run(tmp_path / "stopped") / LAST / FILE, weights_only=True)
    assert holds(folder, state["adapter"])


def test_a_rate_too_high_for_the_first_step_leaves_nothing_to_keep(write_config):
    said, folder = refused(write_config(data__validation=[], **EXPLODES | {"lora__alpha": 1e30}))
    assert said.startswith("step 1: ") and "Lower optim.lr" in said
    assert said.endswith("There is no earlier adapter to save") and not (folder / "adapter").exists()


def test_an_explosion_that_a_validation_sees_first_is_no_best(write_config):
    said, folder = refused(write_config(train__validate_every=1, **EXPLODES))
    assert re.match(r"after step \d+: the validation loss is nan, on ", said) and "Lower optim.lr" in said
    best = [row["step"] for row in losses(folder) if row.get("best")][-1]
    assert said.endswith(f"The adapter of step {best} is in {folder / 'adapter'}")
    assert all(row["validation_loss"] for row in losses(folder) if "validation_loss" in row)


def test_the_command_says_it_in_one_line(write_torn, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tunegate", "train", str(write_torn(LATE))])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == EXIT_USAGE
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith("tunegate: step 3: the loss is nan")
    assert "Traceback" not in "\n".join(error)
