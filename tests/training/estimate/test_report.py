"""A plan counts what the training then does, opens no weight, and says what fits where and what would make it fit."""

import json
import shutil

import msgspec
import pytest

from harness.engines import usage
from harness.errors import UserError
from harness.runs.folder import load_run
from harness.suites.prompts import Renderer
from tests.support import mini
from tests.training.conftest import quiet
from tests.training.estimate.test_flops import LLAMA_31_8B, SMOLLM2_135M, TINY
from tests.training.test_loop import save_family
from training.config import Config, Data, Lora, Train
from training.data.rows import load_rows
from training.data.tokenize import BORDER, encode
from training.estimate import duration, fit, memory, report, shapes
from training.estimate.memory import Pass
from training.estimate.report import show
from training.run import train

EIGHT = shapes.of(LLAMA_31_8B)


@pytest.fixture
def without_weights(tiny_model, tmp_path):
    """The tiny model's folder, but for its weights."""
    folder = tmp_path / "no-weights"
    shutil.copytree(tiny_model, folder)
    (folder / "model.safetensors").unlink()
    return folder


def test_a_plan_counts_what_the_training_then_does(write_config, tmp_path):
    config = write_config(train__max_steps=4)
    found = report.plan(config, tmp_path / "none")
    steps = [row for row in load_run(train(config, progress=quiet)).train_log if "loss" in row]
    assert found.work.steps == len(steps) == 4
    assert found.work.exact
    for name in ("tokens", "answer_tokens", "flops"):
        assert getattr(found.work, name) == sum(row[name] for row in steps), name


def test_a_plan_counts_the_general_text_that_is_validated_without_rows_too(write_config, tmp_path):
    often, seldom = (
        report.plan(write_config(train__max_steps=4, train__validate_every=every), tmp_path / "none").work
        for every in (1, 2)
    )
    assert 3 * often.validation_flops == pytest.approx(5 * seldom.validation_flops), "steps 0 to 4 against 0, 2 and 4"
    alone = report.plan(write_config(train__max_steps=4, data__validation=[]), tmp_path / "none").work
    assert 0 < 3 * alone.validation_flops < 2 * seldom.validation_flops, "steps 0 and 4, without rows"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "settings", "packs"),
    [
        ("minimax", {"layer_types": ["linear_attention", "full_attention"], "num_local_experts": 2}, False),
        ("rwkv", {}, False),
        ("mistral", {"sliding_window": 64}, True),
        ("cohere2", {"sliding_window": 64}, True),
        ("qwen2", {"sliding_window": 64, "use_sliding_window": False}, True),
    ],
)
def test_a_plan_packs_rows_only_where_the_training_does(write_config, tiny_model, tmp_path, family, settings, packs):
    base = save_family(tmp_path / "base", family, vocab_size=512, max_position_embeddings=512, **settings)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny_model / name, base)
    config = write_config(base=base, train__max_steps=1, train__pack_tokens=512)
    found = report.plan(config, tmp_path / "none").work
    (step,) = (row for row in load_run(train(config, progress=quiet)).train_log if "loss" in row)
    assert found.flops == step["flops"]
    assert (found.largest.tokens > found.longest.tokens) == packs


def test_rows_of_a_model_with_convolutions_are_not_packed():
    assert not shapes.of(TINY | {"model_type": "lfm2", "full_attn_idxs": [1]}).can_pack


def test_without_a_tokenizer_lengths_are_guessed_and_said(write_config, without_weights, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (without_weights / name).unlink()
    found = report.plan(write_config(base=without_weights), tmp_path / "none")
    assert not found.work.exact and found.work.tokens > 0
    assert "guessed at four characters per token" in show(found)
    assert "where whole runs took up to 4 times as much" in " ".join(show(found).split())


def test_a_base_that_is_not_here_is_planned_from_the_kept_facts(write_config, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = report.plan(write_config(base="Llama-3.1-8B-Instruct"), tmp_path / "none")
    assert found.shapes.parameters == 8_030_261_248
    assert {row.device: row.fits[0].fits for row in found.rows}["H100 80 GB"] == "yes"


def test_bad_settings_are_refused_together(write_config, tmp_path):
    config = write_config(lora__r=0, data__max_length=100000)
    with pytest.raises(UserError) as refused:
        report.plan(config, tmp_path)
    assert "'lora.r' is 0" in str(refused.value) and "'data.max_length' is 100000" in str(refused.value)


def test_an_earlier_training_of_the_base_tells_the_speed(write_config, without_weights):
    config = write_config(train__max_steps=4)
    runs = config.parent / "runs"
    assert report.plan(config, runs).rows[0].speed is None
    record = load_run(train(config, progress=quiet)).manifest.training
    (here, *others) = report.plan(write_config(train__max_steps=40), runs).rows
    assert here.speed.flops_per_s == record["rates"]["tflops_per_s"] * 1e12
    assert here.speed.source.startswith("as in 4 steps of run ")
    longer = report.plan(write_config(train__max_steps=40), runs)
    assert here.seconds == pytest.approx((longer.work.flops + longer.work.validation_flops) / here.speed.flops_per_s)
    assert all(row.speed is None for row in others), "a small model's speed on a card is not assumed"
    (run,) = runs.glob("*/")
    manifest = json.loads((run / "run.json").read_text())
    manifest["training"]["processes"] = 4
    (run / "run.json").write_text(json.dumps(manifest))
    alone = report.plan(write_config(train__max_steps=40), runs).rows[0].speed
    assert alone.flops_per_s == here.speed.flops_per_s / 4, "four processes are four devices"
    half = write_config(train__max_steps=4, train__dtype="bfloat16")
    assert report.plan(half, runs).rows[0].speed is None, "another number format is another speed"
    other = write_config(base=without_weights, train__max_steps=4)
    assert report.plan(other, runs).rows[0].speed is None, "another base is another speed"


def test_a_trial_measures_speed_and_memory(write_config, tmp_path):
    found = report.plan(write_config(), tmp_path / "none", measure=2)
    assert found.trial.steps == 2 and found.trial.tokens_per_s > 0
    assert found.rows[0].speed.source == "measured now over 2 steps"
    assert found.trial.peak_bytes >= found.trial.base_bytes > 0
    assert "measured here" in show(found)


@pytest.mark.parametrize(("holds", "recomputes"), [(1, True), (1 << 50, False)])
def test_a_trial_recomputes_layers_where_the_training_would(write_config, tmp_path, monkeypatch, holds, recomputes):
    recomputed = []
    here = fit.this_machine
    monkeypatch.setattr(fit, "this_machine", lambda config: msgspec.structs.replace(here(config), memory_bytes=holds))
    monkeypatch.setattr("training.model.AnswerLoss.checkpoint_layers", lambda model: recomputed.append(model))
    report.plan(write_config(), tmp_path / "none", measure=1)
    assert bool(recomputed) == recomputes


LARGEST, LONGEST = Pass(tokens=1024, answers=128), Pass(tokens=300, answers=60)
AUTO = Config(base="b", data=Data(train=["x"], max_length=1024))
CONFIG = msgspec.structs.replace(AUTO, train=Train(gradient_checkpointing="off"))
AGAIN = msgspec.structs.replace(AUTO, train=Train(gradient_checkpointing="on"))


def device(name, config=CONFIG):
    return fit.of_card(next(c for c in usage.cards() if c.name == name), config)


@pytest.mark.parametrize(
    ("card", "lora", "qlora"),
    [
        ("H100 80 GB", "yes", "yes"),
        ("A100 40 GB", "yes", "yes"),
        ("L4 24 GB", "no", "yes"),
        ("T4 16 GB", "no", "cannot"),
    ],
)
def test_where_an_8b_model_fits(card, lora, qlora):
    found = [fit.judge(device(card), EIGHT, CONFIG, LARGEST, LONGEST, form).fits for form in ("none", "nf4")]
    assert found == [lora, qlora]


def test_layers_are_computed_again_only_where_it_does_not_fit_without():
    found = {
        name: fit.judge(device(name), EIGHT, AUTO, LARGEST, LONGEST, "none")
        for name in ("H100 80 GB", "L4 24 GB", "T4 16 GB")
    }
    assert {name: (f.fits, f.checkpointing) for name, f in found.items()} == {
        "H100 80 GB": ("yes", False), "L4 24 GB": ("yes", True), "T4 16 GB": ("no", True),
    }  # fmt: skip
    kept = fit.judge(device("L4 24 GB"), EIGHT, CONFIG, LARGEST, LONGEST, "none").needs
    again = found["L4 24 GB"].needs
    assert again.activations < kept.activations / 4
    assert msgspec.structs.replace(again, activations=kept.activations) == kept
    assert fit.needs_checkpointing(device("L4 24 GB"), EIGHT, AUTO, LARGEST)
    assert not fit.needs_checkpointing(device("H100 80 GB"), EIGHT, AUTO, LARGEST)


def test_the_named_setting_makes_it_fit():
    found = fit.judge(device("L4 24 GB"), EIGHT, CONFIG, LARGEST, LONGEST, "none")
    assert found.would_fit == "train.pack_tokens = 300"
    assert fit.judge(device("L4 24 GB"), EIGHT, CONFIG, LONGEST, LONGEST, "none").fits == "yes"


def test_checkpointing_then_quantising_is_named_where_shorter_passes_do_not_help():
    found = fit.judge(device("L4 24 GB"), EIGHT, CONFIG, LARGEST, LARGEST, "none")
    assert found.would_fit == 'train.gradient_checkpointing = "on"'
    small = msgspec.structs.replace(device("L4 24 GB"), memory_bytes=16 * 10**9)
    assert fit.judge(small, EIGHT, AGAIN, LARGEST, LARGEST, "none").would_fit == 'model.quantise = "nf4"'


def test_two_settings_are_named_where_one_is_not_enough():
    def total(rank, tokens):
        size = Pass(tokens=tokens, answers=128)
        return memory.estimate(EIGHT, Lora(r=rank), "bfloat16", "nf4", size, False, checkpointing=True).total

    room = int(fit.MARGIN * total(8, 256)) + 1
    assert min(total(8, 1024), total(64, 256)) * fit.MARGIN > room
    small = msgspec.structs.replace(device("L4 24 GB"), memory_bytes=room)
    config = msgspec.structs.replace(AGAIN, lora=Lora(r=64))
    assert fit.judge(small, EIGHT, config, LARGEST, LARGEST, "nf4").would_fit == (
        "lora.r = 8, data.max_length = 256, train.pack_tokens = 256"
    )


def test_no_length_is_named_that_training_would_refuse():
    size = Pass(tokens=512, answers=512)
    room = int(fit.MARGIN * memory.estimate(EIGHT, Lora(r=8), "bfloat16", "nf4", size, False, checkpointing=True).total)
    small = msgspec.structs.replace(device("L4 24 GB"), memory_bytes=room + 1)
    config = msgspec.structs.replace(AGAIN, lora=Lora(r=8))
    named = "data.max_length = 512, train.pack_tokens = 512"
    for answers, shortest, expected in ((500, 508, named), (500, 600, ""), (900, 908, "")):
        longest = Pass(tokens=1024, answers=answers, shortest=shortest)
        assert fit.judge(small, EIGHT, config, longest, longest, "nf4").would_fit == expected


TURNS = [("user", 30), ("assistant", 5), ("user", 40), ("assistant", 5), ("user", 30), ("assistant", 5)]
CHAT = {"messages": [{"role": role, "content": "the tenant agrees " * n} for role, n in TURNS]}
QUESTION = {"messages": CHAT["messages"][:2]}


@pytest.mark.parametrize(
    ("rows", "held_out"),
    [
        ([QUESTION, CHAT], QUESTION),
        ([QUESTION], CHAT),
        ([QUESTION, QUESTION | {"base_context": CHAT["messages"][4:], "source": "replay"}], QUESTION),
    ],
)
def test_the_shortest_length_that_is_named_is_the_shortest_that_training_takes(
    write_config, write_rows, tiny_model, tmp_path, rows, held_out
):
    settings = {"data__validation": ["held_out.jsonl"], "data__max_length": 500, "train__replay": "probabilities"}
    config = write_config(data__train=["rows.jsonl"], **settings)
    files = [str(write_rows("rows.jsonl", rows)), str(write_rows("held_out.jsonl", [held_out]))]
    shortest = report.plan(config, tmp_path / "none").work.longest.shortest
    both, renderer = load_rows(files), Renderer(tiny_model)
    encode(both, renderer, shortest, distil_replay=True)
    with pytest.raises(UserError, match="do not fit"):
        encode(both, renderer, shortest - 1, distil_replay=True)


def test_guessed_rows_can_lose_only_their_longest_prompt(write_config, write_rows, without_weights, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (without_weights / name).unlink()
    config = write_config(base=without_weights, data__train=["rows.jsonl"], data__max_length=100)
    write_rows("rows.jsonl", [CHAT])
    tokens = [18 * n // 4 + 1 for _, n in TURNS]
    found = report.plan(config, tmp_path / "none").work
    assert found.longest.shortest == sum(tokens) - max(tokens) + 2 * BORDER


def test_nothing_is_named_where_nothing_helps():
    assert fit.judge(device("T4 16 GB"), EIGHT, CONFIG, LARGEST, LONGEST, "none").would_fit == ""


def test_what_barely_fits_is_called_close():
    needs = memory.estimate(EIGHT, Lora(), "bfloat16", "none", LARGEST, False).total
    tight = msgspec.structs.replace(device("L4 24 GB"), memory_bytes=int(1.05 * needs))
    assert fit.judge(tight, EIGHT, CONFIG, LARGEST, LONGEST, "none").fits == "close"


def test_a_large_models_speed_is_assumed_and_said():
    speed = duration.assumed(989e12, EIGHT.active_parameters)
    assert speed.flops_per_s == pytest.approx(duration.ASSUMED_MFU * 989e12) and speed.source.startswith("assumed: 30%")
    assert duration.assumed(989e12, shapes.of(SMOLLM2_135M).active_parameters) is None
    assert duration.assumed(None, EIGHT.active_parameters) is None


def test_float32_asked_for_is_float32_planned():
    assert device("H100 80 GB", msgspec.structs.replace(CONFIG, train=Train(dtype="float32"))).dtype == "float32"
    assert device("T4 16 GB").dtype == "float32"


def test_the_plan_as_text_and_as_json_say_the_same(write_config, tmp_path):
    found = report.plan(write_config(), tmp_path / "none")
    table = json.loads(report.as_json(found))
    assert table["work"]["steps"] == found.work.steps
    assert [d["device"] for d in table["devices"]] == [row.device for row in found.rows]
    shown = show(found)
    for row in found.rows:
        assert row.device in shown
    for part in ("weights", "activations", "optimizer", "peak", "while loading"):
        assert part in shown


def test_answers_to_cases_are_counted_and_said_not_to_be_in_the_time(write_config, tmp_path):
    suite = mini.write_suite(tmp_path / "dev", mini.rows(7), mini.TEST.replace("max_tokens=8", "samples=3"))
    asked = {"select__suite": str(suite), "select__cases": [str(suite / "cases.jsonl")], "select__metric": "recall"}
    found = report.plan(write_config(**asked), tmp_path / "none")
    assert found.work.asked == 7 * 3 * 4, "three of a case, at steps 0, 2, 4 and 6"
    assert "answers   84 to cases, generated while training; not in the time" in show(found)
    assert "answers  " not in show(report.plan(write_config(), tmp_path / "none"))
    general = {key.replace("select", "forgetting"): value for key, value in asked.items()}
    kept = report.plan(write_config(data__validation=[], **general), tmp_path / "none")
    assert kept.work.asked == 7 * 3 * 2, "nothing chooses an adapter, so at steps 0 and 6"
