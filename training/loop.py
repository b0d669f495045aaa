"""The training loop: steps, evaluations, the best adapter, and a stop at any time. Knows no files.

A step's gradient is the sum of its answer tokens' losses over their number, counted over all rows and devices: how
rows are split into micro-batches does not change it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import torch
from msgspec import Struct

from harness.formatting import first_few
from training import distributed
from training.answering import ask
from training.batching import Micro, pack, share
from training.checkpointing import TrainingState
from training.config import Optim, Train
from training.data.tokenize import Document
from training.distributed import accelerator
from training.hooks import TRAINING, VALIDATION, Hooks, NotFinite, Stopped, Update
from training.model import AnswerLoss, tensors
from training.throughput import Clock, meter
from training.validation import Validation, ValidationSet, is_better

PREFIX_TOLERANCE = 0.02
"""Relative; bfloat16 sums in another order differ by less."""
SAVE_EVERY_S = 60.0
GENERAL_TOKENS = 512
"""Of one forward pass over general text, every token of which goes through the output head."""
MOST_NAMED = 3
SHOWN = ("step", "loss", "lr", "tokens_per_s", "answer_tokens_per_s", "peak_memory_mib")
"""Of a line of the log."""


class Good(Struct, frozen=True, kw_only=True):
    """An adapter that gave a loss."""

    step: int = 0
    """Weight updates that made it; 0 is the untrained one."""
    adapter: dict[str, Any] = msgspec.field(default_factory=dict)
    """Its tensors."""


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

    def __init__(self, model: AnswerLoss, train: Train, optim: Optim, hooks: Hooks, state: TrainingState) -> None:
        self.accelerator = accelerator()
        self.train, self.optim, self.hooks, self.state = train, optim, hooks, state
        self.adapter = dict(model.adapter())
        self.good, self.saved_step = Good(), state.step
        base = model.model.get_base_model()
        self.meter = meter(
            base.config.to_dict(), base.dtype, self.adapter.values(), self.accelerator, train.peak_tflops
        )
        if train.gradient_checkpointing == "on":
            model.checkpoint_layers()
        if train.compile:
            model.compile_layers()
        self.share_prefix = train.share_prefix and model.can_share_prefix
        parameters = list(self.adapter.values())
        self.optimizer = torch.optim.AdamW(parameters, lr=optim.lr, weight_decay=optim.weight_decay, fused=True)
        self.model, self.optimizer = self.accelerator.prepare(model, self.optimizer)
        self.adapter = dict(model.adapter())
        if state.step:
            self._restore()

    def run(self, documents: Sequence[Document], steps: Sequence[Sequence[int]], held: ValidationSet) -> None:
        """Go on from `state.step` to the last step. `steps` holds document indices; `held` may be empty."""
        state, total = self.state, len(steps)
        warmup = round(self.optim.warmup_ratio * total)
        self._check(held.documents or documents)
        self.hooks.at(TRAINING)
        clock = Clock(state)
        if not state.step and not held.is_empty:
            self._evaluate(held, total)
        saved = time.monotonic()
        for step in range(state.step, total):
            if state.stopped_early:
                break
            rows = [documents[i] for i in steps[step]]
            rate = self.optim.lr * rate_factor(step, total, warmup, self.optim.schedule)
            try:
                line = self._step(step, rows, rate)
            except (Stopped, NotFinite):
                clock.tick()
                self._save()
                raise
            state.step = step + 1
            self.hooks.log(line)
            clock.add(line["seconds"])
            is_last = state.step == total
            due = not held.is_empty if is_last else held.chooses and state.step % self.train.validate_every == 0
            self._show(line, total, clock.left(total - state.step, self.train.validate_every if held.chooses else 0))
            if due:
                clock.evaluation_s = self._evaluate(held, total)
            clock.tick()
            if due or is_last or self._any(time.monotonic() - saved > SAVE_EVERY_S):
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
        norm = float(distributed.whole(acc.clip_grad_norm_(self.adapter.values(), bound)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        mean = float(acc.reduce(loss, "sum")) / answers
        if not math.isfinite(mean) or not math.isfinite(norm):
            self.optimizer.zero_grad(set_to_none=True)
            found = f"step {step + 1}: the loss is {mean:g} and the gradient norm {norm:g}"
            raise NotFinite(self._blame(found, rows))
        if not self.state.best_adapter:
            self.good = Good(step=step, adapter={name: p.detach().clone() for name, p in self.adapter.items()})
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {
            "step": step + 1,
            "loss": mean,
            "lr": rate,
            "grad_norm": norm,
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
            if self._stops(number):
                self.optimizer.zero_grad(set_to_none=True)
                raise Stopped
            last = number == len(micros) - 1
            with nullcontext() if last else acc.no_sync(self.model):
                loss = self.model(*tensors(micro, acc.device)) * micro.weight
                acc.backward(loss * (acc.num_processes / answers))
            total += loss.detach()
        return total

    def _stops(self, micro: int) -> bool:
        """Whether to stop before this micro-batch.

        Several processes decide together, once a step: one that left alone would let the others wait for ever.
        """
        if micro and self.accelerator.num_processes > 1:
            return False
        return self._any(self.hooks.stop())

    def _any(self, here: bool) -> bool:
        """Whether it is so in any process; all must ask at the same point."""
        acc = self.accelerator
        if acc.num_processes == 1:
            return here
        return bool(acc.reduce(torch.tensor(float(here), device=acc.device), "sum"))

    def _blame(self, found: str, rows: Sequence[Document]) -> str:
        """`found` was no number: on which rows, those that give none by themselves, else all of them."""
        alone = [row for row in rows if not math.isfinite(self.mean_loss(pack([row], 0)))]
        if alone and len(alone) < len(rows):
            self.good = Good(step=self.state.step, adapter=self.weights())
            return f"{found}, on {_named(alone)}. Look at these rows, and at the base model's weights for their words"
        return f"{found}, on {_named(rows)}. Lower optim.lr, or lengthen optim.warmup_ratio"

    def mean_loss(self, micros: Sequence[Micro]) -> float:
        """Mean loss by learnt token, without gradients and dropout."""
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
        loss = self.mean_loss(pack(documents[:2], 0))
        if not math.isfinite(loss):
            if self.state.step:
                return
            where = _named(documents[:2])
            raise NotFinite(f"the base model gives a loss of {loss} on {where}; its weights are damaged")
        if self.share_prefix:
            together = self.mean_loss(pack(documents[:2], 2 * max(len(d.ids) for d in documents[:2]), True))
            self.share_prefix = abs(together - loss) <= PREFIX_TOLERANCE * max(1.0, loss)

    def _evaluate(self, held: ValidationSet, total: int) -> float:
        """Measure, keep the adapter if it is the best so far; returns the seconds it took.

        At step 0 it is the base model that is measured, which is never chosen.
        """
        start = time.perf_counter()
        state = self.state
        self.hooks.at(VALIDATION)
        found = self._measure(held)
        metric = held.select.metric if held.select else None
        earlier = msgspec.convert(state.best, Validation) if state.best else None
        chosen = state.step > 0 and (not held.chooses or is_better(found, earlier, metric))
        if not state.step:
            state.before = msgspec.to_builtins(found)
        elif not held.chooses:
            state.best = msgspec.to_builtins(found)
        elif chosen:
            state.best, state.best_step, state.misses = msgspec.to_builtins(found), state.step, 0
            state.best_adapter = self.weights()
        else:
            state.misses += 1
            state.stopped_early = bool(self.train.patience) and state.misses >= self.train.patience
        seconds = round(time.perf_counter() - start, 4)
        is_best = chosen and held.chooses
        self.hooks.log({"step": state.step, **found.line, "best": is_best, "seconds": seconds})
        self.hooks.progress(Update(step=state.step, total=total, measured=found, is_best=is_best))
        self.hooks.at(TRAINING)
        return seconds

    def _measure(self, held: ValidationSet) -> Validation:
        loss = general = None
        if held.documents:
            loss = self.mean_loss(pack(held.documents, self.train.pack_tokens, self.share_prefix))
            if not math.isfinite(loss):
                at = f"after step {self.state.step}" if self.state.step else "before the first step"
                raise NotFinite(self._blame(f"{at}: the validation loss is {loss:g}", held.documents))
        if held.general:
            general = self.mean_loss(pack(held.general, GENERAL_TOKENS))
        model = self.accelerator.unwrap_model(self.model)
        return Validation(
            validation_loss=loss,
            general_loss=general,
            task=ask(model, held.select, self.accelerator) if held.select else None,
            general=ask(model, held.forgetting, self.accelerator) if held.forgetting else None,
        )

    def _show(self, line: dict[str, Any], total: int, left: float) -> None:
        found = {name: line[name] for name in SHOWN}
        self.hooks.progress(Update(total=total, saved_step=self.saved_step, seconds_left=left, **found))

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the adapter's tensors by name; all processes must ask at the same point."""
        return {name: distributed.whole(p.detach()).cpu().clone() for name, p in self.adapter.items()}

    def _save(self) -> None:
        self.state.adapter = self.weights()
        self.state.optimizer = distributed.whole(self.optimizer.state_dict())
        self.hooks.save(self.state)
        self.saved_step = self.state.step

    def _restore(self) -> None:
        put(self.adapter, self.state.adapter)
        cut = distributed.optimizer_state(self.state.optimizer, list(self.adapter.values()))
        self.optimizer.load_state_dict(cut)


def put(adapter: dict[str, torch.nn.Parameter], weights: dict[str, torch.Tensor]) -> None:
    """Copy saved weights into an adapter of the same shape."""
    with torch.no_grad():
        for name, parameter in adapter.items():
            parameter.copy_(distributed.like(weights[name], parameter))


def _named(rows: Sequence[Document]) -> str:
    return first_few([row.where for row in rows], MOST_NAMED, "rows")
