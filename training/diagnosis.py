"""`tunegate diagnose`: a diagnosis of training curves with its evidence and one change to try.

Each rule is an entry of RULES: its signs, and the change to try. The first rule that applies is the diagnosis. Causes
come before their effects: advice on epochs is useless while labels are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from harness.errors import UserError
from harness.runs.folder import RunData
from training.config import Config
from training.curve_features import FEW, CurveFeatures, read

NOTHING_TO_LEARN = 0.01
"""Nats. Below it, the untrained model gives every answer token more than 99%, which no real answers have."""
FLAT = 0.02
"""Share of the first level by which two stretches of a flat curve can differ."""
LITTLE = 0.10
"""Share of the first level. An adapter with a smaller fall has hardly changed the answers."""
STILL_FALLING = 0.10
"""Share of the fall in the last third of the steps. An exponential decay of three time constants has 9% there."""
WORTH_IT = 0.01
"""Share of the level. A smaller fall in the last third is not worth more steps."""
RISES = 0.05
"""Share of the lowest validation loss. A smaller rise can be chance with few validation rows."""
RISES_NATS = 0.02
"""Smallest rise in nats, so that rounding of a loss near zero is no rise."""
WILD_NORM = 10.0
"""Gradient norm: ten times the norm that optim.max_grad_norm clips to."""
WILD_SHARE = 0.05
"""Share of steps after the warm-up that may exceed it."""
DIVERGED = 1.1
"""Ratio of the last level to the first from which training has diverged."""
MAX_SPIKES = 1
"""One unusual batch is no instability."""
LEAST_WORKING_LR = 5e-5
"""Half of the low end of LoRA's range, 1e-4 to 3e-4. Below it, a flat loss is due to the learning rate."""
SURELY_STEPS = 20
"""Steps after which a working learning rate has changed the loss of any valid data."""
MISCOUNT = 0.01
"""Share by which learnt tokens may differ from the tokens of the answers."""
TASK_FLAT = 0.01
"""One percentage point of a task metric."""
FORGOTTEN = 0.05
"""Share by which the loss on general text may rise."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """The diagnosis of a training run."""

    name: str
    """`healthy`, or the problem."""
    evidence: str
    """The numbers that show it."""
    change: str
    """The one change to try next."""
    also: list[str]
    """Other rules that apply."""

    @property
    def lines(self) -> list[str]:
        """The diagnosis as text, one line per part."""
        lines = [f"diagnosis: {self.name}", f"because: {self.evidence}", f"next: {self.change}"]
        return lines + ([f"also: {', '.join(self.also)}"] if self.also else [])


Sign = Callable[[CurveFeatures], str | None]


class DiagnosisRule(Struct, frozen=True, kw_only=True):
    """A rule of the diagnosis."""

    name: str
    """Name of the diagnosis."""
    signs: tuple[Sign, ...]
    """Functions that return evidence or None; any evidence is enough."""
    change: Callable[[CurveFeatures, Config], str]
    """Return the change to try next, with keys of the configuration."""


def _miscounted(s: CurveFeatures) -> str | None:
    if not s.answers or not s.answers_expected or abs(s.answers - s.answers_expected) <= MISCOUNT * s.answers_expected:
        return None
    return f"{s.answers:,} tokens are learnt, but the answers have {s.answers_expected:,}"


def _nothing_to_learn(s: CurveFeatures) -> str | None:
    if s.first >= NOTHING_TO_LEARN:
        return None
    return f"loss {s.first:.4f} from the start, under {NOTHING_TO_LEARN}: the base model predicts every answer"


def _no_learning(s: CurveFeatures) -> str | None:
    if abs(s.fall) >= FLAT or s.lr < LEAST_WORKING_LR or s.steps < SURELY_STEPS:
        return None
    return (
        f"loss flat from the start ({s.first:.3f} to {s.last:.3f} in {s.steps} steps) at a working learning rate "
        f"({s.lr:.1e})"
    )


def _diverged(s: CurveFeatures) -> str | None:
    if s.risen <= DIVERGED * s.first:
        return None
    return f"the training loss ended at {s.risen:.3f}, above its start of {s.first:.3f}"


def _wild(s: CurveFeatures) -> str | None:
    over = [norm for norm in s.norms if norm > WILD_NORM]
    if len(over) <= max(MAX_SPIKES, WILD_SHARE * len(s.norms)):
        return None
    return f"gradient norm above {WILD_NORM:g} in {len(over)} of {len(s.norms)} steps, up to {max(over):.1f}"


def _spiky(s: CurveFeatures) -> str | None:
    if len(s.spikes) <= MAX_SPIKES:
        return None
    return f"the loss doubled within ten steps at {len(s.spikes)} steps: {', '.join(map(str, s.spikes[:5]))}"


def _rising(s: CurveFeatures) -> str | None:
    if s.best is None or len(s.validations) < 3:
        return None
    (at, low), (end, now) = s.best, s.validations[-1]
    if now - low <= max(RISES * low, RISES_NATS) or s.last >= s.at_best:
        return None
    return (
        f"validation loss rose from {low:.3f} at step {at} to {now:.3f} at step {end}, while training loss fell from "
        f"{s.at_best:.3f} to {s.last:.3f}"
    )


def _falling(s: CurveFeatures) -> str | None:
    seen = len(s.validations) > 1
    if s.fall < (FLAT if seen else LITTLE) or s.late_share < STILL_FALLING or s.last > (1 - WORTH_IT) * s.middle:
        return None
    text = f"training loss still fell from {s.middle:.3f} to {s.last:.3f} in the last third ({s.late_share:.0%} of all)"
    if not seen:
        return f"{text}; too few validations to see whether their loss did"
    late = [v for v in s.validations if v[0] <= s.late_from] or s.validations[:1]
    before, now = late[-1][1], s.validations[-1][1]
    if now > (1 - WORTH_IT) * before:
        return None
    return f"{text}, and validation loss from {before:.3f} to {now:.3f}"


def _high(s: CurveFeatures) -> str | None:
    if s.fall >= LITTLE or any(sign(s) for sign in (_nothing_to_learn, _no_learning, _diverged, _rising, _falling)):
        return None
    text = f"training loss {s.first:.3f} to {s.last:.3f}, {abs(s.fall):.1%} {'lower' if s.fall >= 0 else 'higher'}"
    return f"{text}; validation loss {s.validations[-1][1]:.3f}" if s.validations else text


def _untouched(s: CurveFeatures) -> str | None:
    if len(s.tasks) < 3 or len(s.validations) < 2 or s.best is None:
        return None
    start, untrained = s.validations[0][1], s.tasks[0][1]
    if s.best[1] > (1 - LITTLE) * start or abs(s.best_task - untrained) > TASK_FLAT:
        return None
    most = "most (whether higher is better was not recorded)" if s.higher_is_better is None else "best"
    return (
        f"validation loss fell from {start:.3f} to {s.best[1]:.3f}, but the task metric moved from "
        f"{untrained:.3f} to {s.best_task:.3f} at {most}"
    )


def _forgot(s: CurveFeatures) -> str | None:
    if s.general is None or s.general[1] <= (1 + FORGOTTEN) * s.general[0]:
        return None
    task = f"; the task metric went from {s.tasks[0][1]:.3f} to {s.kept_task:.3f}" if s.tasks else ""
    return f"loss on general text rose from {s.general[0]:.3f} to {s.general[1]:.3f}{task}"


def _set(name: str, now: Any, then: Any) -> str:
    return f"set {name} = {_short(then)} (now {_short(now)})"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _slower(s: CurveFeatures, c: Config) -> str:
    return _set("optim.lr", c.optim.lr, min(c.optim.lr / 3, 1e-3)) + "; then a longer optim.warmup_ratio"


def _shorter(s: CurveFeatures, c: Config) -> str:
    assert s.best is not None
    now = c.train.max_steps or f"{c.train.epochs:g} epochs, {s.steps} steps"
    return _set("train.max_steps", now, s.best[0]) + "; then lora.r = 8, lora.dropout = 0.05, or more rows"


def _longer(s: CurveFeatures, c: Config) -> str:
    if c.train.max_steps:
        return _set("train.max_steps", c.train.max_steps, 2 * c.train.max_steps)
    return _set("train.epochs", c.train.epochs, 2 * c.train.epochs)


def _stronger(s: CurveFeatures, c: Config) -> str:
    """Suggest a learning rate between 1e-4 and 3e-4, LoRA's range; above it more steps, then a higher rank."""
    if c.optim.lr < 1e-4:
        return _set("optim.lr", c.optim.lr, max(5 * c.optim.lr, 1e-4))
    if c.optim.lr < 3e-4:
        return _set("optim.lr", c.optim.lr, min(2 * c.optim.lr, 3e-4))
    if c.lora.r >= 16 or (c.train.max_steps is None and c.train.epochs < 3):
        return _longer(s, c)
    return _set("lora.r", c.lora.r, 16)


RULES: tuple[DiagnosisRule, ...] = (
    DiagnosisRule(
        name="data or mask fault",
        signs=(_miscounted, _nothing_to_learn, _no_learning),
        change=lambda s, c: f"check rows of {c.data.train[0]} and which of their tokens are learnt, before any setting",
    ),
    DiagnosisRule(name="unstable", signs=(_diverged, _wild, _spiky), change=_slower),
    DiagnosisRule(name="overfit", signs=(_rising,), change=_shorter),
    DiagnosisRule(name="undertrained", signs=(_falling,), change=_longer),
    DiagnosisRule(name="underfit", signs=(_high,), change=_stronger),
    DiagnosisRule(
        name="wrong target",
        signs=(_untouched,),
        change=lambda s, c: "read ten answers of the tuned model: format, end token, and what the metric requires",
    ),
    DiagnosisRule(
        name="forgetting",
        signs=(_forgot,),
        change=lambda s, c: _set("optim.lr", c.optim.lr, c.optim.lr / 2) + "; or add more replay rows to data.train",
    ),
)


def of_run(run: RunData) -> Diagnosis:
    """Diagnose a training run, finished or not. Raises UserError for a run of another kind."""
    record = run.manifest.training
    if run.manifest.kind != "train" or record is None:
        raise UserError(
            f"{run.path}: a run of kind {run.manifest.kind}; expected a training run. `tunegate runs` lists the runs"
        )
    try:
        config = msgspec.convert(record["config"], Config)
    except (KeyError, msgspec.ValidationError) as error:
        raise UserError(
            f"{run.path}: its configuration cannot be read: {error}. Train again with this tunegate"
        ) from None
    return diagnose(run.train_log, record, config)


def diagnose(log: Sequence[Mapping[str, Any]], record: Mapping[str, Any], config: Config) -> Diagnosis:
    """Diagnose a training run by its log and record; `healthy` if no rule applies."""
    signs = read(log, record)
    if signs is None:
        steps = sum("loss" in row for row in log)
        return Diagnosis(
            name="not judged",
            evidence=f"{steps} steps were logged; a diagnosis needs {FEW}",
            change="train longer",
            also=[],
        )
    matches = [(rule, evidence) for rule in RULES if (evidence := _first(rule, signs))]
    if not matches:
        return Diagnosis(
            name="healthy",
            evidence=_is_stable(signs),
            change="evaluate it with pytest evalsuites",
            also=[],
        )
    rule, evidence = matches[0]
    return Diagnosis(
        name=rule.name, evidence=evidence, change=rule.change(signs, config), also=[r.name for r, _ in matches[1:]]
    )


def _first(rule: DiagnosisRule, signs: CurveFeatures) -> str | None:
    return next((evidence for sign in rule.signs if (evidence := sign(signs))), None)


def _is_stable(s: CurveFeatures) -> str:
    text = f"training loss fell from {s.first:.3f} to {s.last:.3f}"
    if s.best is None:
        return f"{text}; without validation rows, overfitting would not be seen"
    return (
        f"{text}; validation loss lowest at step {s.best[0]} ({s.best[1]:.3f}), {s.validations[-1][1]:.3f} at the end"
    )
