"""What a million contracts would cost on H100s, on paper: formulas and published figures, nothing measured.

    python benchmarks/scale_on_paper.py [--contracts 1000000] [--prompt 4000] [--answer 100] [--usd-per-gpu-hour 2.5]

Prints the tables of docs/scale.md as Markdown. What the project itself decides (windows, batches, the share of memory
that the KV cache takes, the bytes of a record) is read from its code; what a GPU does is stated below.
"""

import argparse
import math
from collections.abc import Iterator

import msgspec

from harness.engines.dispatch import WINDOW_QUESTIONS, WINDOW_TOKENS
from harness.engines.ray.engine import WINDOWS
from harness.engines.ray.rows import ROWS_CUDA, shape
from harness.engines.vllm.memory import CUDA_RESERVE_BYTES, CUDA_SHARE, bytes_per_token
from harness.schema import Case, Completion, Record, Score, ScoreEvent

PARAMETERS = 8.0e9
WEIGHT_BYTES = 16.0e9
LAYERS, WIDTH = 32, 4096
KV = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096}
"""Llama-3.1-8B in bf16, from its config.json."""
FLOPS, BANDWIDTH, MEMORY_BYTES = 989e12, 3.35e12, 80e9
"""H100 SXM by its data sheet: dense bf16, bytes a second, bytes."""
PREFILL = (30_000, 40_000)
"""Prompt tokens a second and GPU: 50 to 65% of the ceiling. An expectation that nobody here has verified."""
START_S = 120
"""From an empty GPU to the first answer: an assumption, to show what starts weigh."""
CHARACTERS_A_TOKEN = 4
ROW_BYTES = 300
"""Of a row of Ray, beside four bytes a token."""


def decode(sequences: int, tokens: int) -> float:
    """Tokens a second for so many sequences of so many tokens: each step reads weights, keys and values once."""
    kept = sequences * tokens * bytes_per_token(KV, "bfloat16")
    return sequences / ((WEIGHT_BYTES + kept) / BANDWIDTH)


class Work:
    """One run: every contract once to the base and once to one adapter."""

    def __init__(self, contracts: int, prompt: int, answer: int) -> None:
        self.contracts, self.prompt, self.answer = contracts, prompt, answer

    @property
    def sequences(self) -> int:
        """Requests whose keys and values a GPU holds at the same time."""
        room = MEMORY_BYTES * CUDA_SHARE - WEIGHT_BYTES - CUDA_RESERVE_BYTES
        return int(room / (bytes_per_token(KV, "bfloat16") * (self.prompt + self.answer)))

    @property
    def decode(self) -> float:
        """Answer tokens a second and GPU."""
        return decode(self.sequences, self.prompt + self.answer)

    def hours(self, gpus: int, prefill: float) -> float:
        """Of one variant: prefill, and then decode, which is more than an engine takes that mixes the two."""
        seconds = self.contracts * (self.prompt / prefill + self.answer / self.decode) / gpus
        return seconds / 3600

    def window(self, gpus: int) -> int:
        """Contracts that the engines are given together; they start for each window."""
        times = WINDOWS * gpus
        return min(self.contracts, times * WINDOW_QUESTIONS, times * WINDOW_TOKENS // self.prompt)

    def tail_s(self, gpus: int) -> float:
        """Seconds of work that wait at one engine, at the slower rate."""
        dealt = shape(self.contracts, gpus, False, self.sequences).queued_batches
        return dealt * ROWS_CUDA * (self.prompt / PREFILL[0] + self.answer / self.decode)


def ceilings(work: Work) -> Iterator[str]:
    attention = 2 * LAYERS * WIDTH * work.prompt
    yield "| figure | value |\n|---|---|"
    yield f"| prefill at 100% of the FLOPS, tokens/s a GPU | {FLOPS / (2 * PARAMETERS):,.0f} |"
    yield f"| the same with attention over {work.prompt:,} tokens | {FLOPS / (2 * PARAMETERS + attention):,.0f} |"
    yield f"| prefill expected, unverified | {PREFILL[0]:,} to {PREFILL[1]:,} |"
    yield f"| sequences in the KV cache of one GPU | {work.sequences} |"
    yield f"| decode, at most, answer tokens/s a GPU | {work.decode:,.0f} |"


def times(work: Work, price: float) -> Iterator[str]:
    yield (
        "| GPUs | prefill, tokens/s a GPU | one variant, h | both, h | starts, h | GPU-hours in all | USD in all |\n"
        "|---|---|---|---|---|---|---|"
    )
    for gpus in (8, 64):
        for prefill in reversed(PREFILL):
            one = work.hours(gpus, prefill)
            starts = 2 * math.ceil(work.contracts / work.window(gpus)) * START_S / 3600
            spent = (2 * one + starts) * gpus
            hours = " | ".join(f"{value:.2f}" for value in (one, 2 * one, starts))
            yield f"| {gpus} | {prefill:,} | {hours} | {spent:,.0f} | {spent * price:,.0f} |"


def tails(work: Work) -> Iterator[str]:
    yield (
        "| GPUs | windows a variant | ids in the driver's memory, GB | rows in Ray's store, GB | waits at an engine, s "
        "| answers a second, all engines |\n|---|---|---|---|---|---|"
    )
    for gpus in (8, 64):
        rate = [work.contracts / (work.hours(gpus, prefill) * 3600) for prefill in PREFILL]
        window = work.window(gpus)
        ids, rows = 8 * work.prompt * window / 1e9, (4 * work.prompt + ROW_BYTES) * window / 1e9
        yield (
            f"| {gpus} | {math.ceil(work.contracts / window)} | {ids:.1f} | {rows:.1f} | {work.tail_s(gpus):.0f} "
            f"| {rate[0]:.0f} to {rate[1]:.0f} |"
        )


def storage(work: Work) -> Iterator[str]:
    """Bytes a record as the project writes them, for a contract of so many tokens and one score."""
    text = "x" * (work.answer * CHARACTERS_A_TOKEN)
    digest = "0" * 64
    document = {"document": "x" * (work.prompt * CHARACTERS_A_TOKEN)}
    case = Case(id="contract-0000000", input=document, expected=["assignment"], cluster="contract-0000000")
    said = Completion(key=digest, text=text, finish_reason="stop", prompt_tokens=work.prompt, output_tokens=work.answer)
    hashes = {"input_hash": digest, "prompt_hash": digest, "expected_hash": digest}
    record = Record(case=case, variant="baseline", completion=said, started_at="2026-01-01T00:00:00Z", **hashes)
    score = Score(name="clauses", value=1.0, counts={"found": 1, "wanted": 1, "invented": 0})
    event = ScoreEvent(suite="legal/clauses", case_id=case.id, variant="baseline", repeat=1, score=score)
    kept = [
        ("records.jsonl, the contract in each", len(msgspec.json.encode(record)), 2),
        ("scores.jsonl, for each scorer", len(msgspec.json.encode(event)), 2),
        ("answer cache", len(msgspec.json.encode(said)), 2),
        ("token ids in TMPDIR, while it runs", 4 * work.prompt, 1),
    ]
    yield "| what | bytes each | how many | GB |\n|---|---|---|---|"
    for what, each, times in kept:
        number = times * work.contracts
        yield f"| {what} | {each:,} | {number:,} | {each * number / 1e9:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contracts", type=int, default=1_000_000)
    parser.add_argument("--prompt", type=int, default=4_000)
    parser.add_argument("--answer", type=int, default=100)
    parser.add_argument("--usd-per-gpu-hour", type=float, default=2.5)
    given = parser.parse_args()
    work = Work(given.contracts, given.prompt, given.answer)
    for table in (ceilings(work), times(work, given.usd_per_gpu_hour), tails(work), storage(work)):
        print("\n".join(table), end="\n\n")


if __name__ == "__main__":
    main()
