"""A training ends as a sealed run with the best adapter, and can be stopped and changed by nobody in between."""

import json
import math
import shutil
import signal
from contextlib import ExitStack
from xml.etree import ElementTree

import pytest

import training.run
from harness.checkpoints import resolve as checkpoints
from harness.checkpoints.resolve import EMBEDDED, resolve
from harness.errors import EXIT_INTERRUPTED, MissingExtra, UserError
from harness.runs.folder import SEAL, RunFolder, check_seal, load_run
from harness.schema import Manifest
from harness.suites.prompts import Renderer
from tests.support.training_process import losses, weights
from tests.training.conftest import crashed, quiet
from training import checkpointing
from training.batching import order
from training.config import Train
from training.config_file import load
from training.data.rows import load_rows
from training.job import prepare
from training.loop import rate_factor
from training.loss_curve import write_curve
from training.run import LAST, Interrupted, find, stop_signal, train


def stop_at(step):
    """A progress callback that presses Ctrl-C when `step` is reported."""

    def progress(update):
        if update.step == step and update.loss is not None:
            signal.raise_signal(signal.SIGINT)

    return progress


def test_a_package_that_the_end_of_a_training_needs_is_asked_for_at_its_start(write_config, tmp_path, monkeypatch):
    monkeypatch.setattr(training.run, "find_spec", lambda name: None if name == "matplotlib" else name)
    with pytest.raises(MissingExtra, match=r"training needs the package 'matplotlib'.*report"):
        train(write_config(), progress=quiet)
    assert not (tmp_path / "runs").exists()


def test_equal_settings_train_beside_each_other_under_two_names_and_under_one_they_do_not(write_config):
    with ExitStack() as locks:
        for name in ("a", "b"):
            config = write_config(output__name=name)
            job = prepare(load(config), quiet)
            training.run._claim(config, job, False, locks)
        with pytest.raises(UserError, match="already running in another process"):
            training.run._claim(config, job, False, locks)


@pytest.mark.slow
@pytest.mark.charts
def test_a_finished_run_is_sealed_and_holds_what_the_contract_names(write_config, tiny_model):
    seen = []
    folder = train(write_config(), progress=seen.append)
    assert sorted(p.name for p in folder.iterdir()) == [
        "MANIFEST.sha256", "adapter", "loss_curve.svg", "run.json", "train_log.jsonl",
    ]  # fmt: skip
    assert check_seal(folder) == []
    run = load_run(folder)
    assert (run.manifest.kind, run.manifest.status) == ("train", "finished")
    record = json.loads((folder / "run.json").read_text())["training"]
    assert record["fingerprint"]["lora.r"] == 4 and "argv" not in json.dumps(record)
    assert (record["steps"], record["train"]["rows"], record["validation"]["rows"]) == (6, 12, 3)
    assert [row["step"] for row in run.train_log if "loss" in row] == [1, 2, 3, 4, 5, 6]
    held_out = {row["step"]: row["validation_loss"] for row in run.train_log if "validation_loss" in row}
    assert list(held_out) == [0, 2, 4, 6]
    assert record["best_step"] == min((2, 4, 6), key=held_out.get)
    found = resolve(str(folder))
    assert (found.kind, found.path) == ("adapter", str(tiny_model))
    assert found.adapter_digest == run.manifest.checkpoints["tuned"].adapter_digest
    assert [u.step for u in seen if u.loss is not None] == [1, 2, 3, 4, 5, 6]
    first = next(u for u in seen if u.loss is not None)
    assert first.total == 6 and first.tokens_per_s > first.answer_tokens_per_s > 0
    tree = ElementTree.parse(folder / "loss_curve.svg")
    assert {"training", "validation"} <= {e.get("id") for e in tree.iter()}


def test_a_matplotlib_style_of_the_users_own_changes_no_loss_curve(tmp_path, monkeypatch):
    import matplotlib

    log = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "validation_loss": 1.5, "best": True}]
    write_curve(log, tmp_path / "plain.svg")
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    write_curve(log, tmp_path / "styled.svg")
    assert (tmp_path / "styled.svg").read_bytes() == (tmp_path / "plain.svg").read_bytes()


@pytest.mark.slow
def test_first_loss_is_the_base_models_own(write_config, tiny_model):
    """A fresh adapter changes nothing, so step 1 must show what transformers computes on the same rows."""
    import torch
    from transformers import AutoModelForCausalLM

    config = write_config(train__max_steps=1, optim__warmup_ratio=0.0)
    folder = train(config, progress=quiet)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    rows = load_rows([str(config.parent / "train.jsonl")])
    total = count = 0
    for index in order(12, Train(rows_per_step=4, max_steps=1))[0]:
        ids, mask = Renderer(tiny_model).training(rows[index].chat)
        labels = torch.tensor([[i if m else -100 for i, m in zip(ids, mask, strict=True)]])
        with torch.no_grad():
            total += float(model(input_ids=torch.tensor([ids]), labels=labels).loss) * sum(mask)
        count += sum(mask)
    row = next(row for row in load_run(folder).train_log if "loss" in row)
    assert row["loss"] == pytest.approx(total / count, abs=1e-5)
    assert row["answer_tokens"] == count


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 4])
def test_a_stopped_run_goes_on_and_ends_bitwise_equal_to_an_unbroken_one(write_config, step):
    """With dropout, so that the random state counts; step 3 lies between validations, step 4 on one."""
    config = write_config(lora__dropout=0.2)
    whole = train(config, progress=quiet)
    with pytest.raises(Interrupted) as stopped:
        train(config, progress=stop_at(step), fresh=True)
    assert stopped.value.exit_code == EXIT_INTERRUPTED
    (broken,) = [p for p in whole.parent.glob("*/") if p != whole]
    assert load_run(broken).manifest.status == "interrupted"
    assert not (broken / "adapter").exists()
    steps = []
    again = train(config, progress=lambda u: steps.append(u.step))
    assert again == broken
    assert min(steps) > step
    assert losses(broken) == losses(whole)
    assert weights(broken) == weights(whole)


@pytest.mark.slow
def test_a_killed_run_loses_only_the_steps_since_its_last_save(write_config):
    """A crash leaves log lines past the saved state and a torn one; they are run and written again."""
    config = write_config()
    broken = crashed(config)
    assert load_run(broken).manifest.status == "failed"
    with (broken / "train_log.jsonl").open("ab") as log:
        log.write(b'{"step":6,"lo')
    assert train(config, progress=quiet) == broken
    whole = train(config, progress=quiet, fresh=True)
    assert losses(broken) == losses(whole)
    assert weights(broken) == weights(whole)


@pytest.mark.slow
def test_the_same_command_returns_a_finished_run_and_fresh_trains_again(write_config):
    config = write_config(train__max_steps=2)
    first = train(config, progress=quiet)
    before = (first / "MANIFEST.sha256").read_bytes()
    assert train(config, progress=quiet) == first
    assert (first / "MANIFEST.sha256").read_bytes() == before
    second = train(config, progress=quiet, fresh=True)
    assert second != first and weights(second) == weights(first)


def test_a_run_begun_afresh_resumes_in_place_of_an_earlier_finished_one_and_unreadable_runs_are_skipped(tmp_path):
    for second, is_finished in ((1, True), (3, False), (2, True)):
        run = RunFolder(tmp_path / f"run-{second}")
        run.path.mkdir()
        training = {"name": "mine", "fingerprint": {"train.seed": 0}}
        started = f"2026-01-01T00:00:0{second}Z"
        run.write_manifest(
            Manifest(run_id=run.path.name, kind="train", status="running", started=started, training=training)
        )
        if is_finished:
            (run.path / SEAL).touch()
    (tmp_path / "run-4").mkdir()
    (tmp_path / "run-4" / "run.json").write_text('{"torn')
    assert find(tmp_path, "mine", {"train.seed": 0}) == tmp_path / "run-3"
    (tmp_path / "run-3" / "run.json").unlink()
    assert find(tmp_path, "mine", {"train.seed": 0}) == tmp_path / "run-2"
    assert find(tmp_path, "other", {"train.seed": 0}) is None and find(tmp_path, "mine", {"train.seed": 1}) is None


@pytest.mark.slow
def test_going_on_with_other_settings_or_data_is_refused_by_name(write_config):
    config = write_config()
    with pytest.raises(Interrupted):
        train(config, progress=stop_at(3))
    (broken,) = (config.parent / "runs").glob("*/")
    for change, named in (
        ({"train__seed": 9}, "train.seed was 0, is 9"),
        ({"optim__lr": 0.5}, "optim.lr was 0.01, is 0.5"),
        ({"rows": 13}, "training rows was"),
    ):
        job = prepare(load(write_config(**change)), print)
        with pytest.raises(UserError, match=named):
            checkpointing.load(broken / LAST, job.fingerprint)


OVERFIT = {"train__max_steps": 100, "optim__lr": 0.002, "lora__r": 16, "lora__alpha": 32}
OVERFIT_EMBEDDED = {"train__max_steps": 8, "optim__lr": 0.006, "train__dtype": "auto", "lora__r": 8}


@pytest.mark.parametrize(
    ("base", "settings", "answer"),
    [
        (None, OVERFIT, "due on sale; none"),
        pytest.param(EMBEDDED, OVERFIT_EMBEDDED, "zebra clause nine", marks=pytest.mark.slow),
    ],
    ids=["tiny", "embedded"],
)
def test_an_overfit_model_says_its_answer_and_stops(write_config, write_rows, sharp_model, base, settings, answer):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    config = write_config(base=base or sharp_model, data__validation=[], **settings)
    write_rows("train.jsonl", [{"instruction": "Which clause?", "output": answer}])
    folder = train(config, progress=quiet)
    path = resolve(str(folder)).path
    model, renderer = AutoModelForCausalLM.from_pretrained(path), Renderer(path)
    tuned = PeftModel.from_pretrained(model, folder / "adapter")
    ids = torch.tensor([renderer.prompt([{"role": "user", "content": "Which clause?"}]).ids])
    with torch.no_grad():
        out = tuned.generate(input_ids=ids, max_new_tokens=40, do_sample=False)[0, ids.shape[1] :].tolist()
    assert renderer.decode(out) == answer
    assert out[-1] in renderer.stop_ids and len(out) < 40


def test_the_rate_rises_then_falls_as_a_cosine():
    factors = [rate_factor(step, 12, 2, "cosine") for step in range(12)]
    assert factors[:3] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    assert factors[7] == pytest.approx((1 + math.cos(math.pi / 2)) / 2)
    assert factors[2:] == sorted(factors[2:], reverse=True) and len(set(factors[2:])) == 10
    assert [rate_factor(step, 12, 2, "constant") for step in (2, 11)] == [1.0, 1.0]
    assert rate_factor(7, 12, 2, "linear") == 0.5


def test_a_second_ctrl_c_ends_at_once():
    with stop_signal() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_adapter_of_a_base_on_the_hub_names_its_commit(write_config, tiny_model, tmp_path, monkeypatch):
    """Its newest weights may be others by the time that the adapter is evaluated."""
    commit, asked = "0123456789abcdef", []
    snapshot = shutil.copytree(tiny_model, tmp_path / "models--owner--name" / "snapshots" / commit)

    def from_hub(text, weights, revision):
        asked.append(revision)
        return snapshot

    monkeypatch.setattr(checkpoints, "_from_hub", from_hub)
    folder = train(write_config(base="owner/name", train__max_steps=1), progress=quiet)
    settings = json.loads((folder / "adapter" / "adapter_config.json").read_text("utf-8"))
    assert (settings["base_model_name_or_path"], settings["revision"]) == ("owner/name", commit)
    assert asked[0] is None and asked[-1] == commit
