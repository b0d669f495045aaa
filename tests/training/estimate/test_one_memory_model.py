"""`tunegate models` and `tunegate plan` give one answer for the same base, card and method."""

import json
from pathlib import Path

import pytest

from training.config import Lora
from training.estimate import compare_models, report, shapes
from training.estimate.memory import Pass, estimate

NOWHERE = Path("none")
"""A folder of runs that is not there."""
METHODS = {"none": "LoRA", "nf4": "QLoRA"}
ADVISED = {"Llama-3.1-8B-Instruct": (6, 16), "Llama-3.1-70B-Instruct": (41, 56)}
"""GB that are plausible for QLoRA on one sequence of 2,048 tokens. At least Unsloth's "absolute minimum", which its own
kernels reach (https://unsloth.ai/docs/get-started/fine-tuning-for-beginners/unsloth-requirements); at most a card of
16 GB, and the 48 GB of arXiv 2305.14314 for 65B with moments and a vocabulary of 128,256 added."""


@pytest.fixture
def planned(tmp_path, write_rows, monkeypatch):
    """Plan one row of 2,048 tokens, 256 of them learnt; without a tokenizer, four characters are a token."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write_rows("train.jsonl", [{"messages": [{"role": "user", "content": "x" * (1792 * 4 - 1)},
                                             {"role": "assistant", "content": "y" * (256 * 4 - 1)}]}])  # fmt: skip

    def plan(base):
        config = tmp_path / "train.toml"
        config.write_text(f'base = "{base}"\n[data]\ntrain = ["train.jsonl"]\n')
        found = json.loads(report.as_json(report.plan(config, NOWHERE)))
        assert (found["work"]["largest_pass_tokens"], found["work"]["largest_pass_answers"]) == (2048, 256)
        return {
            (fit["device"], fit["quantise"]): fit for row in found["devices"] if not row["here"] for fit in row["fits"]
        }

    return plan


@pytest.mark.parametrize("base", ADVISED)
def test_a_large_qlora_takes_what_others_advise(base):
    (found,) = compare_models.compare([base], NOWHERE)
    shown = found.shown("QLoRA")
    low, high = ADVISED[base]
    assert shown.checkpointing and low < shown.needs.total / 1e9 < high


@pytest.mark.parametrize(
    "base", ["SmolLM2-135M-Instruct", "Llama-3.1-70B-Instruct", "Mixtral-8x7B-Instruct-v0.1", "Qwen3-30B-A3B"]
)
def test_both_commands_say_the_same_for_every_card_and_method(planned, base):
    ((shown,), plan) = json.loads(compare_models.as_json(compare_models.compare([base], NOWHERE))), planned(base)
    models = {(fit["device"], fit["quantise"]): fit for fit in shown["fits"]}
    assert models.keys() == plan.keys() and len(models) >= 12
    for where, fit in plan.items():
        for field in ("fits", "needs", "holds", "checkpointing", "dtype"):
            assert models[where][field] == fit[field], (where, field)
    for quantise, method in METHODS.items():
        roomy = sorted(
            (fit["holds"], card) for (card, form), fit in plan.items() if form == quantise and fit["fits"] == "yes"
        )
        assert shown["smallest"][method] in ({card for size, card in roomy if size == roomy[0][0]} if roomy else {""})


def test_the_65b_model_of_the_qlora_paper_fits_the_48_gb_that_it_names():
    """arXiv 2305.14314: LLaMA 65B with rank 64 in 16-bit on one 48 GB card; rank 16 in float32 takes half of that."""
    llama = {"model_type": "llama", "hidden_size": 8192, "intermediate_size": 22016, "num_hidden_layers": 80,
             "num_attention_heads": 64, "vocab_size": 32000}  # fmt: skip
    laid_out = shapes.of(llama)
    assert laid_out.parameters / 1e9 == pytest.approx(65.2, abs=0.1)
    needs = estimate(laid_out, Lora(r=16), "bfloat16", "nf4", Pass(tokens=512, answers=128), False, checkpointing=True)
    assert 38 < needs.total / 1e9 < 48
