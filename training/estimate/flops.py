"""FLOPs of LoRA training.

A frozen matrix is used twice per token, forward and for the gradient of its input: 4 FLOPs per parameter. A trained
matrix is used three times: 6 FLOPs, as in full training (Kaplan et al. 2020, section 2.1). Counting 6 for frozen
parameters too would overestimate LoRA by a factor of about 1.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from training.batching import Micro
from training.estimate.shapes import Linear, Shapes

FORWARD_SHARE = 0.5
"""FLOPs of a forward pass relative to training: 2 of the 4 FLOPs per frozen parameter."""


class Flops(Struct, frozen=True, kw_only=True):
    """FLOPs of training one model with one adapter, without recomputation by gradient checkpointing."""

    token: int
    """Linear layers per token: 4 per frozen parameter that it passes, 6 per adapter parameter. Embeddings are free."""
    answer_token: int
    """Output head per answer token: 4 per parameter of the head."""
    pair: int
    """Attention per pair of a token and a token that it sees: 2 FLOPs for the score and 2 for the weighted sum, once
    forward and twice backward, over all layers (PaLM, arXiv 2204.02311, appendix B)."""

    def of(self, micros: Iterable[Micro]) -> int:
        """Return the FLOPs of micro-batches; fillers of weight 0 do not count.

        Where the base's probabilities are learnt, its forward pass is added.
        """
        done = 0
        for micro in micros:
            if micro.weight:
                done += self._pass(micro)
                if micro.is_distilled:
                    done += round(FORWARD_SHARE * self._pass(micro.in_context or micro))
        return done

    def _pass(self, micro: Micro) -> int:
        own = self.token * len(micro.ids) + self.answer_token * len(micro.answers)
        return own + round(self.pair * pairs(micro.prefix, micro.lengths))


def count(shapes: Shapes, adapter_parameters: int) -> Flops:
    """Return the FLOPs of a model and its adapter. Only the experts that a token passes count."""
    frozen = sum(x.inputs * x.outputs * x.active for x in shapes.linears)
    return Flops(
        token=4 * frozen + 6 * adapter_parameters,
        answer_token=4 * shapes.vocabulary * shapes.width,
        pair=12 * shapes.layers * shapes.attention_width,
    )


def adapter_parameters(targets: Iterable[Linear], rank: int) -> int:
    """Count the parameters of a LoRA adapter: A is (rank, inputs), B is (outputs, rank) (arXiv 2106.09685)."""
    return sum(rank * (x.inputs + x.outputs) for x in targets)


def pairs(prefix: int, lengths: Sequence[int]) -> float:
    """Count the pairs of a token and a token that it sees in causal attention over documents with a shared prefix.

    A document of s tokens has s / 2 pairs per token, so 6 * layers * width * s FLOPs per token.
    """
    return prefix**2 / 2 + sum(length * prefix + length**2 / 2 for length in lengths)
