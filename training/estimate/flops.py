"""Counts the arithmetic of LoRA training: what a token, an answer token and a pass need. Knows no clock.

A frozen matrix is used twice, forward and for the gradient of its input: 4 FLOPs a parameter and token. An adapter's
is used three times: 6. Six for all, the count of full training, would say about 1.5 times too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from training.batching import Micro
from training.estimate.shapes import Linear, Shapes


class Flops(Struct, frozen=True, kw_only=True):
    """FLOPs of training one model with one adapter. Nothing that is computed twice is counted twice."""

    token: int
    """Linear layers, each token: 4 a frozen parameter that it passes and 6 an adapter's. Embedding look-up is free."""
    answer_token: int
    """Output head, each answer token: 4 a parameter of the head."""
    pair: int
    """Attention, each pair of a token and one it sees: 2 FLOPs for score and 2 for sum, forward once and backward
    twice, over all layers."""

    def of(self, micros: Iterable[Micro]) -> int:
        """All of some micro-batches; fillers, which weigh nothing, count nothing."""
        done = 0
        for micro in micros:
            if micro.weight:
                done += self.token * len(micro.ids) + self.answer_token * len(micro.answers)
                done += round(self.pair * pairs(micro.prefix, micro.lengths))
        return done


def count(shapes: Shapes, adapter_parameters: int) -> Flops:
    """FLOPs of a model whose adapter has so many parameters. Experts count as far as one token passes them."""
    frozen = sum(x.inputs * x.outputs * x.active for x in shapes.linears)
    return Flops(
        token=4 * frozen + 6 * adapter_parameters,
        answer_token=4 * shapes.vocabulary * shapes.width,
        pair=12 * shapes.layers * shapes.attention_width,
    )


def adapter_parameters(targets: Iterable[Linear], rank: int) -> int:
    """Parameters of a LoRA adapter: A is (rank, inputs), B is (outputs, rank)."""
    return sum(rank * (x.inputs + x.outputs) for x in targets)


def pairs(prefix: int, lengths: Sequence[int]) -> float:
    """Pairs of a token and one it sees, causally: half a square each, and all of the shared prefix for every document.

    s / 2 pairs a token of a document of s tokens, so 6 * layers * width * s FLOPs a token.
    """
    return prefix**2 / 2 + sum(length * prefix + length**2 / 2 for length in lengths)
