"""The training loop: steps, validation, the best adapter, and a stop at any time. Knows no files.

A step's gradient is the sum of its answer tokens' losses over their number, counted over all rows and devices: how
rows are split into micro-batches does not change it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from msgspec import Struct

from harness.errors import UserError
from training.checkpointing import State
from training.config import Optim, Train
from training.data import Document
from training.model import AnswerLoss, tensors
from training.plan import Micro, pack, share
from training.rates import meter

PREFIX_TOLERANCE = 0.02
"""Relative; bfloat16 sums in another order differ by less."""
SAVE_EVERY_S = 60.0


class Stopped(Exception):
    """The user asked to stop; the state is that of the last finished step."""


class Update(Struct, frozen=True, kw_only=True):
    """What one step or one validation tells the user."""

    step: int
    """Weight updates done."""
    total: int
    """Weight updates in all."""
    loss: float | None = None
    """Loss of this step's rows before the update, nats per answer token."""
    validation_loss: float | None = None
    """Loss on the validation rows, nats per answer token."""
    is_best: bool = False
    """No earlier validation was lower."""
    lr: float = 0.0
    """Learning rate of this step."""
    tokens_per_s: float = 0.0
    """Tokens of this step by its seconds."""
    answer_tokens_per_s: float = 0.0
    """Learnt tokens of this step by its seconds."""
    seconds_left: float | None = None
    """Estimate for the rest, validations included."""


class Hooks(Struct, frozen=True, kw_only=True):
    """How the loop speaks to the world; it writes nothing itself."""

    log: Callable[[dict[str, Any]], None]
    """Takes one line of the training log."""
    save: Callable[[State], None]
    """Keeps the state."""
    progress: Callable[[Update], None]
    """Shows what is going on."""
    stop: Callable[[], bool]
    """True once the user asked to stop."""


def rate_factor(step: int, total: int, warmup: int, schedule: str) -> float:
    """Share of the highest learning rate at `step` (0 is the first): a linear rise, then the schedule's fall to 0."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    done = (step - warmup) / max(total - warmup, 1)
    return 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


class Loop:
    """One training on one device or several; `state` is complete between two steps."""

    def __init__(self, model: AnswerLoss, train: Train, optim: Optim, hooks: Hooks, state: State) -> None:
        from accelerate import Accelerator

        self.accelerator = Accelerator()
        self.train, self.optim, self.hooks, self.state = train, optim, hooks, state
        self.adapter = dict(model.adapter())
        base = model.model.get_base_model()
        self.meter = meter(
            base.config.to_dict(), base.dtype, self.adapter.values(), self.accelerator, train.peak_tflops
        )
        self.share_prefix = train.share_prefix and model.can_share_prefix
        parameters = list(self.adapter.values())
        self.optimizer = torch.optim.AdamW(parameters, lr=optim.lr, weight_decay=optim.weight_decay)
        if state.step:
            self._restore()
        self.model, self.optimizer = self.accelerator.prepare(model, self.optimizer)

    def run(self, documents: Sequence[Document], steps: Sequence[Sequence[int]], held_out: Sequence[Document]) -> None:
        """Go on from `state.step` to the last step. `steps` holds document indices; `held_out` may be empty."""
        state, total = self.state, len(steps)
        warmup = round(self.optim.warmup_ratio * total)
        self._check(held_out or documents)
        checks = pack(held_out, self.train.pack_tokens, self.share_prefix)
        clock = _Clock(state)
        saved = time.monotonic()
        for step in range(state.step, total):
            if state.stopped_early:
                break
            rows = [documents[i] for i in steps[step]]
            rate = self.optim.lr * rate_factor(step, total, warmup, self.optim.schedule)
            try:
                line = self._step(step, rows, rate)
            except Stopped:
                clock.tick()
                self._save()
                raise
            state.step = step + 1
            self.hooks.log(line)
            clock.add(line["seconds"])
            due = state.step % self.train.validate_every == 0 or state.step == total
            self._show(line, total, clock.left(total - state.step, self.train.validate_every if checks else 0))
            if due and checks:
                clock.validation_s = self._validate(checks, total)
            clock.tick()
            if (due and checks) or state.step == total or time.monotonic() - saved > SAVE_EVERY_S:
                self._save()
                saved = time.monotonic()

    def _step(self, step: int, rows: Sequence[Document], rate: float) -> dict[str, Any]:
        """One weight update; Stopped leaves the weights as they were."""
        start = time.perf_counter()
        acc = self.accelerator
        torch.manual_seed((self.train.seed * 1_000_003 + step) * acc.num_processes + acc.process_index)
        micros = pack(rows, self.train.pack_tokens, self.share_prefix)
        answers = sum(len(m.answers) for m in micros)
        self.model.train()
        loss = self._gradients(share(micros, acc.process_index, acc.num_processes), answers)
        bound = self.optim.max_grad_norm or math.inf
        norm = acc.clip_grad_norm_(self.adapter.values(), bound)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        mean = float(acc.reduce(loss, "sum")) / answers
        if not math.isfinite(mean) or not math.isfinite(float(norm)):
            raise UserError(
                f"step {step + 1}: the loss is {mean} and the gradient norm {float(norm)}. Lower optim.lr, or lengthen "
                "optim.warmup_ratio"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {
            "step": step + 1,
            "loss": mean,
            "lr": rate,
            "grad_norm": float(norm),
            "rows": len(rows),
            **self.meter.line(rows, micros, time.perf_counter() - start),
        }

    def _gradients(self, micros: Sequence[Micro], answers: int) -> torch.Tensor:
        """Accumulate gradients of sum / answers; returns this device's sum of losses.

        Distributed wrappers average gradients over devices, hence the number of devices as a factor.
        """
        acc = self.accelerator
        total = torch.zeros((), device=acc.device)
        for number, micro in enumerate(micros):
            if self.hooks.stop():
                self.optimizer.zero_grad(set_to_none=True)
                raise Stopped
            last = number == len(micros) - 1
            with nullcontext() if last else acc.no_sync(self.model):
                loss = self.model(*tensors(micro, acc.device)) * micro.weight
                acc.backward(loss * (acc.num_processes / answers))
            total += loss.detach()
        return total

    def validation_loss(self, micros: Sequence[Micro]) -> float:
        """Mean loss by answer token, without gradients and dropout."""
        acc = self.accelerator
        self.model.eval()
        total = torch.zeros((), device=acc.device)
        with torch.no_grad():
            for micro in share(micros, acc.process_index, acc.num_processes):
                total += self.model(*tensors(micro, acc.device)) * micro.weight
        return float(acc.reduce(total, "sum")) / sum(len(m.answers) for m in micros)

    def _check(self, documents: Sequence[Document]) -> None:
        """Two rows before the first step: a model that gives no finite loss is found now, not in an hour.

        A model whose attention cannot share a prefix gives another loss with it; it trains without.
        """
        loss = self.validation_loss(pack(documents[:2], 0))
        if not math.isfinite(loss):
            raise UserError(f"the base model gives a loss of {loss} on the first two rows; its weights are damaged")
        if self.share_prefix:
            together = self.validation_loss(pack(documents[:2], 2 * max(len(d.ids) for d in documents[:2]), True))
            self.share_prefix = abs(together - loss) <= PREFIX_TOLERANCE * max(1.0, loss)

    def _validate(self, micros: Sequence[Micro], total: int) -> float:
        """Measure, keep the adapter if it is the best so far; returns the seconds it took."""
        start = time.perf_counter()
        state = self.state
        loss = self.validation_loss(micros)
        is_best = state.best_loss is None or loss < state.best_loss
        if is_best:
            state.best_loss, state.best_step, state.misses = loss, state.step, 0
            state.best_adapter = self._weights()
        else:
            state.misses += 1
            state.stopped_early = bool(self.train.patience) and state.misses >= self.train.patience
        seconds = round(time.perf_counter() - start, 4)
        self.hooks.log({"step": state.step, "validation_loss": loss, "best": is_best, "seconds": seconds})
        self.hooks.progress(Update(step=state.step, total=total, validation_loss=loss, is_best=is_best))
        return seconds

    def _show(self, line: dict[str, Any], total: int, left: float) -> None:
        self.hooks.progress(
            Update(
                step=line["step"],
                total=total,
                loss=line["loss"],
                lr=line["lr"],
                tokens_per_s=line["tokens_per_s"],
                answer_tokens_per_s=line["answer_tokens_per_s"],
                seconds_left=left,
            )
        )

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: p.detach().cpu().clone() for name, p in self.adapter.items()}

    def _save(self) -> None:
        self.state.adapter = self._weights()
        self.state.optimizer = self.optimizer.state_dict()
        self.hooks.save(self.state)

    def _restore(self) -> None:
        put(self.adapter, self.state.adapter)
        self.optimizer.load_state_dict(self.state.optimizer)


def put(adapter: dict[str, torch.nn.Parameter], weights: dict[str, torch.Tensor]) -> None:
    """Copy saved weights into an adapter of the same shape."""
    with torch.no_grad():
        for name, parameter in adapter.items():
            parameter.copy_(weights[name])


class _Clock:
    """Seconds of this session, added to the state's totals at each tick."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.step_s: list[float] = []
        self.validation_s = 0.0

    def add(self, seconds: float) -> None:
        self.step_s.append(seconds)

    def tick(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.state.wall_s += wall - self.wall
        self.state.cpu_s += cpu - self.cpu
        self.wall, self.cpu = wall, cpu

    def left(self, steps: int, validate_every: int) -> float:
        """Estimate from the last 20 steps and the last validation."""
        recent = self.step_s[-20:]
        validations = math.ceil(steps / validate_every) if validate_every else 0
        return steps * sum(recent) / len(recent) + validations * self.validation_s
