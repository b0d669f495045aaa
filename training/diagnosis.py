"""Says what a training's curves show, with the numbers that say so and one change to try. Knows no file and no model.

Each rule is a line of RULES: its signs, and the change that answers them. The first that applies is the diagnosis, in
an order in which a cause comes before what it brings about: no advice on epochs is worth anything while labels are
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from harness.errors import UserError
from harness.runs.folder import RunData
from training.config import Config

AT_START = 3
"""Steps behind the level at the start: few, since a loss may fall fast."""
STRETCH = 5
"""Any other level is taken over the last fifth of the steps before it,"""
WIDEST = 20
"""but over no more than this many."""
BEFORE_SPIKE = 10
"""Steps that a spike is measured against."""


class CurveFeatures(Struct, frozen=True, kw_only=True):
    """What the curves of one training say. Losses in nats per answer token."""

    steps: int
    """Weight updates in the log."""
    first: float
    """Level of the training loss at the start."""
    late_from: int
    """Step after which the last third begins."""
    middle: float
    """The same after two thirds of the steps."""
    last: float
    """The same at the end."""
    at_best: float
    """The same where validation was lowest; at the end where there was no validation."""
    validations: list[tuple[int, float]]
    """Step and validation loss, without the base model's."""
    norms: list[float]
    """Gradient norms before clipping, after the warm-up."""
    spikes: list[int]
    """Steps from which two of three losses are twice the median of the ten before, and above the level at the
    start. A single step is the doing of its rows: long answers among short ones."""
    lr: float
    """Highest learning rate."""
    answers: int | None
    """Tokens that are learnt in the training rows; None where the record does not say."""
    answers_expected: int | None
    """Tokens of the answers alone, each with its end token."""
    tasks: list[tuple[int, float]]
    """Step and task metric, turned so that higher is better; step 0 is the base model."""
    general: tuple[float, float] | None
    """Loss on general text before and after; None where it was not measured."""

    @property
    def fall(self) -> float:
        """How far the training loss came down, as a share of its level at the start."""
        return (self.first - self.last) / self.first if self.first else 0.0

    @property
    def late_share(self) -> float:
        """Share of that fall which came in the last third of the steps; 0 where it did not fall."""
        return (self.middle - self.last) / (self.first - self.last) if self.first > self.last else 0.0

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the lowest validation."""
        return min(self.validations, key=lambda v: (v[1], v[0]), default=None)


def read(log: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> CurveFeatures | None:
    """Signs of a training log and its run record; None where fewer than three steps were logged."""
    trained = [row for row in log if "loss" in row]
    if len(trained) < 3:
        return None
    steps = [row["step"] for row in trained]
    losses = [row["loss"] for row in trained]
    held_out = [(row["step"], row["validation_loss"]) for row in log if row["step"] and "validation_loss" in row]
    best = min(held_out, key=lambda v: (v[1], v[0]), default=(steps[-1], 0.0))[0]
    late = round(len(losses) * 2 / 3)
    rows = record.get("train") or {}
    sign = 1 if (record.get("selection") or {}).get("higher_is_better", True) else -1
    return CurveFeatures(
        steps=len(trained),
        first=median(losses[:AT_START]),
        late_from=steps[late - 1],
        middle=level(losses, late),
        last=level(losses, len(losses)),
        at_best=level(losses, sum(step <= best for step in steps)),
        validations=held_out,
        norms=[row["grad_norm"] for row in trained[_warm_up(trained) :]],
        spikes=[steps[here] for here in range(len(losses)) if _spikes(losses, here) and not _spikes(losses, here - 1)],
        lr=max(row["lr"] for row in trained),
        answers=rows.get("answer_tokens"),
        answers_expected=rows.get("answer_tokens_expected"),
        tasks=[(row["step"], sign * row["task_metric"]) for row in log if row.get("task_metric") is not None],
        general=_general(record.get("forgetting")),
    )


def level(losses: Sequence[float], at: int) -> float:
    """Median of the stretch that ends at index `at`."""
    width = min(max(1, len(losses) // STRETCH), WIDEST)
    return median(losses[max(at - width, 0) : max(at, 1)])


def _warm_up(trained: Sequence[Mapping[str, Any]]) -> int:
    """Steps before the learning rate is highest."""
    return max(range(len(trained)), key=lambda i: (trained[i]["lr"], -i))


def _spikes(losses: Sequence[float], here: int) -> bool:
    before, now = losses[max(0, here - BEFORE_SPIKE) : max(0, here)], losses[max(0, here) : here + 3]
    if len(before) < BEFORE_SPIKE or len(now) < 3:
        return False
    return median(now) > max(2 * median(before), median(losses[:AT_START]))


def _general(found: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if not found or found.get("before") is None or found.get("after") is None:
        return None
    return found["before"], found["after"]


NOTHING_TO_LEARN = 0.01
"""Nats. Below it, a model that was not trained yet gives every answer token more than 99%: nobody knows answers so."""
FLAT = 0.02
"""Share of the first level. Two stretches of a flat curve can differ by as much."""
LITTLE = 0.10
"""Share of the first level. An adapter that took less than a tenth off has hardly changed the answers."""
STILL_FALLING = 0.10
"""Share of the whole fall, in the last third of the steps. An exponential that had three time constants has 9% left."""
WORTH_IT = 0.01
"""Share of the level. A fall in the last third that is smaller promises nothing."""
RISES = 0.05
"""Share of the lowest validation loss. A smaller rise can be chance on the few rows that are held out."""
RISES_NATS = 0.02
"""The same in nats, so that a loss near zero does not rise by rounding."""
WILD_NORM = 10.0
"""Gradient norm. Ten times the norm that optim.max_grad_norm clips to."""
WILD_SHARE = 0.05
"""Share of steps after the warm-up that may exceed it."""
DIVERGED = 1.1
"""Last level over the first. A training that ends above its start is lost."""
MOST_SPIKES = 1
"""One odd batch is no instability."""
LEAST_WORKING_LR = 5e-5
"""Half of the low end of LoRA's range, 1e-4 to 3e-4. Below it a flat loss is the rate's doing."""
SURELY_STEPS = 20
"""Steps after which a working rate has moved the loss of any right data."""
MISCOUNT = 0.01
"""Share by which learnt tokens may differ from the tokens of the answers."""
TASK_FLAT = 0.01
"""One point of a task metric."""
FORGOTTEN = 0.05
"""Share by which the loss on general text may rise."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    name: str
    """`healthy`, or what is wrong."""
    evidence: str
    """The numbers that say so."""
    change: str
    """The one change to try next."""
    also: list[str]
    """Other rules that apply."""

    @property
    def says(self) -> list[str]:
        """Lines for people."""
        lines = [f"diagnosis: {self.name}", f"because: {self.evidence}", f"next: {self.change}"]
        return lines + ([f"also: {', '.join(self.also)}"] if self.also else [])


Sign = Callable[[CurveFeatures], str | None]


class DiagnosisRule(Struct, frozen=True, kw_only=True):
    name: str
    """The diagnosis."""
    signs: tuple[Sign, ...]
    """Any of them is enough; each gives its numbers, or None."""
    change: Callable[[CurveFeatures, Config], str]
    """What to try next, in words of the configuration."""


def _miscounted(s: CurveFeatures) -> str | None:
    if not s.answers or not s.answers_expected or abs(s.answers - s.answers_expected) <= MISCOUNT * s.answers_expected:
        return None
    return f"{s.answers:,} tokens are learnt, but the answers hold {s.answers_expected:,}"


def _nothing_to_learn(s: CurveFeatures) -> str | None:
    if s.first >= NOTHING_TO_LEARN:
        return None
    return f"loss {s.first:.4f} from the start, under {NOTHING_TO_LEARN}: the base model knew every answer token before"


def _no_learning(s: CurveFeatures) -> str | None:
    if abs(s.fall) >= FLAT or s.lr < LEAST_WORKING_LR or s.steps < SURELY_STEPS:
        return None
    return (
        f"loss flat from the start ({s.first:.3f} to {s.last:.3f} in {s.steps} steps) at a learning rate that teaches "
        f"({s.lr:.1e})"
    )


def _diverged(s: CurveFeatures) -> str | None:
    if s.last <= DIVERGED * s.first:
        return None
    return f"the training loss ended at {s.last:.3f}, above its start of {s.first:.3f}"


def _wild(s: CurveFeatures) -> str | None:
    over = [norm for norm in s.norms if norm > WILD_NORM]
    if len(over) <= WILD_SHARE * len(s.norms):
        return None
    return f"gradient norm above {WILD_NORM:g} in {len(over)} of {len(s.norms)} steps, up to {max(over):.1f}"


def _spiky(s: CurveFeatures) -> str | None:
    if len(s.spikes) <= MOST_SPIKES:
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
    said = f"training loss still fell from {s.middle:.3f} to {s.last:.3f} in the last third ({s.late_share:.0%} of all)"
    if not seen:
        return f"{said}; too few validations to see whether they did"
    late = [v for v in s.validations if v[0] <= s.late_from] or s.validations[:1]
    before, now = late[-1][1], s.validations[-1][1]
    if now > (1 - WORTH_IT) * before:
        return None
    return f"{said}, and validation loss from {before:.3f} to {now:.3f}"


def _high(s: CurveFeatures) -> str | None:
    if s.fall >= LITTLE or any(sign(s) for sign in (_nothing_to_learn, _no_learning, _diverged, _rising, _falling)):
        return None
    said = f"training loss {s.first:.3f} to {s.last:.3f}, {s.fall:.1%} lower"
    return f"{said}; validation loss {s.validations[-1][1]:.3f}" if s.validations else said


def _untouched(s: CurveFeatures) -> str | None:
    if len(s.tasks) < 3 or len(s.validations) < 2 or s.best is None:
        return None
    start, gained = s.validations[0][1], max(v for _, v in s.tasks) - s.tasks[0][1]
    if s.best[1] > (1 - LITTLE) * start or gained > TASK_FLAT:
        return None
    return (
        f"validation loss fell from {start:.3f} to {s.best[1]:.3f}, but the task metric moved from "
        f"{s.tasks[0][1]:.3f} to {max(v for _, v in s.tasks):.3f} at best"
    )


def _forgot(s: CurveFeatures) -> str | None:
    if s.general is None or s.general[1] <= (1 + FORGOTTEN) * s.general[0]:
        return None
    task = f"; the task metric went from {s.tasks[0][1]:.3f} to {s.tasks[-1][1]:.3f}" if s.tasks else ""
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
    """LoRA learns between 1e-4 and 3e-4; past that, more steps, then more rank."""
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
        change=lambda s, c: f"look at rows of {c.data.train[0]} and at what of them is learnt, before any setting",
    ),
    DiagnosisRule(name="unstable", signs=(_diverged, _wild, _spiky), change=_slower),
    DiagnosisRule(name="overfit", signs=(_rising,), change=_shorter),
    DiagnosisRule(name="stopped early", signs=(_falling,), change=_longer),
    DiagnosisRule(name="underfit", signs=(_high,), change=_stronger),
    DiagnosisRule(
        name="wrong target",
        signs=(_untouched,),
        change=lambda s, c: "read ten answers of the tuned model: form, end token, and what the metric asks for",
    ),
    DiagnosisRule(
        name="forgetting",
        signs=(_forgot,),
        change=lambda s, c: _set("optim.lr", c.optim.lr, c.optim.lr / 2) + "; or mix general rows into data.train",
    ),
)


def of_run(run: RunData) -> Diagnosis:
    """The diagnosis of a training run, finished or not. A run of another kind is a UserError."""
    record = run.manifest.training
    if run.manifest.kind != "train" or record is None:
        raise UserError(
            f"{run.path}: no training run but one of kind {run.manifest.kind}. `tunegate runs` lists the runs"
        )
    try:
        config = msgspec.convert(record["config"], Config)
    except (KeyError, msgspec.ValidationError) as error:
        raise UserError(
            f"{run.path}: its configuration cannot be read: {error}. Train again with this tunegate"
        ) from None
    return diagnose(run.train_log, record, config)


def diagnose(log: Sequence[Mapping[str, Any]], record: Mapping[str, Any], config: Config) -> Diagnosis:
    """What the log and the record of a training say; `healthy` where no rule applies."""
    signs = read(log, record)
    if signs is None:
        steps = sum("loss" in row for row in log)
        return Diagnosis(
            name="not judged", evidence=f"{steps} steps were logged; a curve needs 3", change="train longer", also=[]
        )
    found = [(rule, said) for rule in RULES if (said := _first(rule, signs))]
    if not found:
        return Diagnosis(
            name="healthy",
            evidence=_is_stable(signs),
            change="none: judge it by its answers, pytest evalsuites",
            also=[],
        )
    rule, said = found[0]
    return Diagnosis(
        name=rule.name, evidence=said, change=rule.change(signs, config), also=[r.name for r, _ in found[1:]]
    )


def _first(rule: DiagnosisRule, signs: CurveFeatures) -> str | None:
    return next((said for sign in rule.signs if (said := sign(signs))), None)


def _is_stable(s: CurveFeatures) -> str:
    said = f"training loss fell from {s.first:.3f} to {s.last:.3f}"
    if s.best is None:
        return f"{said}; without validation rows, overfitting would not be seen"
    return (
        f"{said}; validation loss lowest at step {s.best[0]} ({s.best[1]:.3f}), {s.validations[-1][1]:.3f} at the end"
    )
