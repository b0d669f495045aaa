"""Turn an objective into gates, each with its meaning and the cases that it needs, in plain words."""

from __future__ import annotations

from msgspec import Struct

from harness.gates.rules.improves import GAIN
from harness.scaffold.wizard import Known, takes
from harness.schema import Gate

NEVER_N = 300
"""Cases without an event that show a rate under 1 in 100."""
FEW = 0.05
"""Highest rate of what may rarely happen."""
LOSS = 0.02
"""Largest loss of a model that must not be worse."""


class Bar(Struct, frozen=True, kw_only=True):
    gate: Gate
    """The gate."""
    says: str
    """What it requires."""
    takes: str
    """How many cases it needs."""

    @property
    def lines(self) -> list[str]:
        """Its lines in gates.toml."""
        lines = [f'metric = "{self.gate.metric}"', f'rule = "{self.gate.rule}"']
        lines += [f"value = {self.gate.value:.8g}"] if self.gate.value is not None else []
        lines += [f"margin = {self.gate.margin:g}"] if self.gate.margin else []
        return lines + ([f"n_min = {self.gate.n_min}"] if self.gate.n_min else [])


def bars_of(known: Known) -> list[Bar]:
    """Return the gates for the answers, in the order of the questions."""
    kind, bar = known["kind"], known["bar"]
    pairs = [(kind.metric, kind.right), *((also.metric, also.right) for also in kind.also)]
    gates = [_level(metric, right, bar, known["source"]) for metric, right in pairs]
    if known["compared"] != "alone":
        gates.append(_compared(known))
    if kind.invented is not None:
        gates.append(_invented(known))
    return gates


def _level(metric: str, right: str, bar: float, source: str) -> Bar:
    gate = Gate(metric=metric, rule="at_least", value=bar)
    return Bar(
        gate=gate,
        says=f"{_sentence(right)} at least {_of_100(bar)} of 100 times, with statistical confidence.",
        takes=f"{takes(gate, source)} if that is so {_of_100((1 + bar) / 2)} of 100 times.",
    )


def _compared(known: Known) -> Bar:
    metric, right = known["kind"].metric, known["kind"].right
    if known["compared"] == "better":
        gate = Gate(metric=metric, rule="improves")
        return Bar(
            gate=gate,
            says=f"{_sentence(right)} more often than with the model in use, on the same cases. Needs --baseline.",
            takes=f"{takes(gate, known['source'])} if that is so {_of_100(GAIN)} of 100 times more often.",
        )
    gate = Gate(metric=metric, rule="no_worse", margin=LOSS)
    return Bar(
        gate=gate,
        says=f"{_sentence(right)} at most {_of_100(LOSS)} of 100 times less often than with the model in use. "
        "Needs --baseline.",
        takes=f"{takes(gate, known['source'])} if both models are equally good.",
    )


def _invented(known: Known) -> Bar:
    invented = known["kind"].invented
    if known["invents"] == "never":
        return Bar(
            gate=Gate(metric=invented.metric, rule="never", n_min=NEVER_N),
            says=f"Never: {invented.says}. One is too many.",
            takes=f"Needs {NEVER_N} {invented.counts}: none in {NEVER_N} shows a rate below 1 in 100.",
        )
    gate = Gate(metric=invented.metric, rule="at_most", value=FEW)
    return Bar(
        gate=gate,
        says=f"At most {_of_100(FEW)} of 100 {invented.counts}: {invented.says}.",
        takes=f"{takes(gate, known['source'])} if it happens {_of_100(FEW / 2)} of 100 times.",
    )


def _sentence(right: str) -> str:
    return right[0].upper() + right[1:]


def _of_100(share: float) -> str:
    return f"{share * 100:.6g}"
