"""What a step cost is told by the rows themselves: nothing that is no part of a row makes a training look faster."""

import pytest
import torch

from harness.engines import usage
from harness.runs.folder import load_run
from training.batching import pack, share
from training.data.tokenize import Document
from training.estimate.flops import Flops
from training.run import train
from training.throughput import ThroughputMeter, peak_of, rates

CPU = torch.device("cpu")
FLOPS = Flops(token=1000, answer_token=10, pair=1)


def document(length, answers):
    return Document(ids=list(range(length)), mask=[0] * (length - answers) + [1] * answers)


def test_fillers_and_masked_tokens_do_not_raise_rates():
    rows = [document(30, 4), document(20, 6)]
    micros = pack(rows, 0)
    line = ThroughputMeter(flops=FLOPS, device=CPU).line(rows, micros, 2.0)
    assert (line["tokens_per_s"], line["answer_tokens_per_s"]) == (25.0, 5.0)
    padded = [*micros, *[m for rank in range(4) for m in share(micros, rank, 4) if not m.weight]]
    assert len(padded) > len(micros)
    again = ThroughputMeter(flops=FLOPS, device=CPU).line(rows, padded, 2.0)
    for key in ("tokens", "computed_tokens", "answer_tokens", "flops", "tokens_per_s", "answer_tokens_per_s"):
        assert again[key] == line[key], key
    longer_prompt = [document(130, 4), document(20, 6)]
    assert (
        ThroughputMeter(flops=FLOPS, device=CPU).line(longer_prompt, pack(longer_prompt, 0), 2.0)["answer_tokens_per_s"]
        == 5.0
    )


def test_a_shared_beginning_is_computed_once_and_saves_arithmetic():
    rows = [Document(ids=[*range(40), 90 + n, 91], mask=[0] * 41 + [1]) for n in range(3)]
    together = ThroughputMeter(flops=FLOPS, device=CPU).line(rows, pack(rows, 500, share_prefix=True), 1.0)
    alone = ThroughputMeter(flops=FLOPS, device=CPU).line(rows, pack(rows, 0), 1.0)
    assert (together["tokens"], together["computed_tokens"]) == (126, 40 + 3 * 2)
    assert alone["computed_tokens"] == 126
    assert together["flops"] < alone["flops"]


def test_mfu_is_the_share_of_a_known_peak_and_nothing_else():
    rows = [document(100, 1)]
    line = ThroughputMeter(flops=FLOPS, device=CPU, peak=1e6).line(rows, pack(rows, 0), 0.5)
    assert line["mfu"] == pytest.approx((100 * 1000 + 10 + 100**2 / 2) / 0.5 / 1e6, abs=1e-4)
    assert ThroughputMeter(flops=FLOPS, device=CPU).line(rows, pack(rows, 0), 0.5)["mfu"] is None
    assert peak_of(CPU, "float32", None) is None
    assert peak_of(CPU, "float32", 0.5) == 5e11


def row(seconds, tokens=10):
    return {"loss": 1, "tokens": tokens, "answer_tokens": 5, "flops": 2e12, "seconds": seconds}


def test_rates_leave_the_first_ten_steps_out():
    slow, fast = [row(9.0)] * 10, [row(1.0)] * 4
    held_out = [{"validation_loss": 1, "seconds": 50.0}]
    found = rates(slow + held_out + fast, peak=8e12)
    assert (found["steps_counted"], found["tokens_per_s"], found["answer_tokens_per_s"]) == (4, 10.0, 5.0)
    assert (found["tflops_per_s"], found["mfu"]) == (2.0, 0.25)
    assert rates(slow)["steps_counted"] == 10


@pytest.mark.slow
def test_every_step_of_the_log_and_the_record_say_what_they_cost(write_config):
    folder = train(write_config(train__peak_tflops=0.25), progress=lambda update: None)
    run = load_run(folder)
    steps = [line for line in run.train_log if "loss" in line]
    assert len(steps) == 6
    for line in steps:
        assert line["tokens_per_s"] > line["answer_tokens_per_s"] > 0
        assert 0 < line["mfu"] == pytest.approx(line["flops"] / line["seconds"] / 0.25e12, abs=1e-4)
        assert line["peak_memory_mib"] > 50
    record = run.manifest.training
    assert record["rates"]["mfu"] > 0 and record["peak_memory_mib"] >= steps[-1]["peak_memory_mib"]


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "H100 80 GB"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100 80 GB"),
        ("NVIDIA A100-PCIE-40GB", "A100 40 GB"),
        ("NVIDIA L4", "L4 24 GB"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090 24 GB"),
        ("Tesla T4", "T4 16 GB"),
        ("NVIDIA L40S", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", None),
    ],
)
def test_a_card_is_known_by_its_own_name_only(device, name):
    found = usage.find(device)
    assert (found.name if found else None) == name


def test_a_card_without_bfloat16_has_no_peak_in_it():
    t4 = usage.find("Tesla T4")
    assert t4.peak("bfloat16") is None and t4.peak("float32") == 8.1e12
    assert usage.find("NVIDIA H100 80GB HBM3").peak("bfloat16") == 989e12
