"""The training loop: steps, validations, the best adapter, and a stop at any time.

The gradient of a step is that of the mean loss over the answer tokens of all its rows and devices, so it does not
depend on how the rows are split into micro-batches.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain, cycle, islice
from typing import Any

import msgspec
import torch

from harness.engines.transformers.generate import Answerer
from harness.errors import UserError
from harness.evaluation.generate import make_record
from harness.evaluation.requests import longest
from harness.formatting import first_few
from harness.schema import CANDIDATE, Completion, Estimate, Request
from harness.stats.estimates import estimate
from harness.stats.observations import observations, reading
from training import distributed
from training.batching import Micro, pack, share
from training.checkpointing import TrainingState
from training.config import Optim, Train
from training.data.tokenize import Document
from training.distributed import accelerator
from training.hooks import TRAINING, VALIDATION, Hooks, NotFinite, Stopped, Update
from training.model import AnswerLoss, tensors
from training.throughput import Clock, meter
from training.validation import Questions, Validation, ValidationSet, is_better

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.15}
"""Nats per token by which losses may differ where the same numbers are added in another order. By two ways to compute
attention, the losses of SmolLM2 differ by less than 0.00001 in float32, and by 0.04 in bfloat16."""
SAVE_EVERY_S = 60.0
PROBES, PROBE_TOKENS = 4, 31
"""Documents of a probe, and tokens of their shared beginning and of each rest: enough that the beginning is shared, and
a number that a CPU fills up, so that the check sees what training does."""
FIRST_TOKENS = 4
"""Tokens at the start of a document whose losses change most where it sees the end of the one before: in tiny models
with convolutions or recurrent layers by 0.2 nats and more, in bfloat16 too."""
GENERAL_TOKENS = 512
"""Tokens per forward pass over general text, all of which go through the output head."""
MAX_NAMED = 3
SHOWN = ("step", "loss", "lr", "tokens_per_s", "answer_tokens_per_s", "peak_memory_mib")
"""Fields of a log line that are shown."""


def rate_factor(step: int, total: int, warmup: int, schedule: str) -> float:
    """Return the share of the peak learning rate at `step` (from 0): linear warm-up, then the schedule's decay to 0."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    done = (step - warmup) / max(total - warmup, 1)
    return 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


class Loop:
    """Training on one or several devices; `state` is complete between two steps."""

    def __init__(self, model: AnswerLoss, train: Train, optim: Optim, hooks: Hooks, state: TrainingState) -> None:
        self.accelerator = accelerator()
        self.train, self.optim, self.hooks, self.state = train, optim, hooks, state
        self.adapter = dict(model.adapter())
        self.finite: tuple[int, dict[str, torch.Tensor]] = (0, {})
        """Step and tensors of the last adapter with a finite loss; step 0 is the untrained one."""
        self.saved_step = state.step
        base = model.model.get_base_model()
        self.tolerance, self.kind = TOLERANCE[base.dtype], base.config.model_type
        self.meter = meter(
            base.config.to_dict(), base.dtype, self.adapter.values(), self.accelerator, train.peak_tflops
        )
        if train.gradient_checkpointing == "on":
            model.checkpoint_layers()
        if train.compile:
            model.compile_layers()
        self.pack_tokens = train.pack_tokens
        self.share_prefix = bool(train.share_prefix and train.pack_tokens and model.can_share_prefix)
        parameters = list(self.adapter.values())
        self.optimizer = torch.optim.AdamW(parameters, lr=optim.lr, weight_decay=optim.weight_decay, fused=True)
        self.model, self.optimizer = self.accelerator.prepare(model, self.optimizer)
        self.adapter = dict(model.adapter())
        if state.step:
            self._restore()

    def run(self, documents: Sequence[Document], steps: Sequence[Sequence[int]], held: ValidationSet) -> None:
        """Train from `state.step` to the last step.

        `steps` has the document indices of every step; `held` may be empty. Raises Stopped and NotFinite.
        """
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
        """Do one weight update and return its log line. Raises Stopped or NotFinite before the weights change."""
        start = time.perf_counter()
        acc = self.accelerator
        torch.manual_seed((self.train.seed * 1_000_003 + step) * acc.num_processes + acc.process_index)
        micros = pack(rows, self.pack_tokens, self.share_prefix)
        answers = sum(len(m.answers) for m in micros)
        self.model.train()
        loss = self._gradients(share(micros, acc.process_index, acc.num_processes), answers)
        max_norm = self.optim.max_grad_norm or math.inf
        norm = float(distributed.whole(acc.clip_grad_norm_(self.adapter.values(), max_norm)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        mean = float(acc.reduce(loss, "sum")) / answers
        if not math.isfinite(mean) or not math.isfinite(norm):
            self.optimizer.zero_grad(set_to_none=True)
            problem = f"step {step + 1}: the loss is {mean:g} and the gradient norm {norm:g}"
            raise NotFinite(self._explain(problem, rows))
        if not self.state.best_adapter:
            self.finite = step, {name: p.detach().clone() for name, p in self.adapter.items()}
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
        """Accumulate the gradients of (sum of losses / answers); return this device's sum of losses, a scalar.

        Distributed wrappers average gradients over devices, hence the factor of the number of devices.
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

        Several processes decide together, once per step: if one stopped alone, the others would wait forever.
        """
        if micro and self.accelerator.num_processes > 1:
            return False
        return self._any(self.hooks.stop())

    def _any(self, value: bool) -> bool:
        """Whether it is true in any process; all must call it at the same point."""
        acc = self.accelerator
        if acc.num_processes == 1:
            return value
        return bool(acc.reduce(torch.tensor(float(value), device=acc.device), "sum"))

    def _explain(self, problem: str, rows: Sequence[Document]) -> str:
        """Name the rows whose loss alone is not finite, or else all of them, and what to do."""
        bad = [row for row in rows if not math.isfinite(self.mean_loss(pack([row], 0)))]
        if bad and len(bad) < len(rows):
            self.finite = self.state.step, self.weights()
            return f"{problem}, on {_named(bad)}. Check these rows, and the base model's weights for their words"
        return f"{problem}, on {_named(rows)}. Lower optim.lr, or increase optim.warmup_ratio"

    def mean_loss(self, micros: Sequence[Micro]) -> float:
        """Return the mean loss in nats per learnt token, without gradients and dropout."""
        acc = self.accelerator
        self.model.eval()
        total = torch.zeros((), device=acc.device)
        with torch.no_grad():
            for micro in share(micros, acc.process_index, acc.num_processes):
                total += self.model(*tensors(micro, acc.device)) * micro.weight
        return float(acc.reduce(total, "sum")) / sum(len(m.answers) for m in micros)

    def _check(self, documents: Sequence[Document]) -> None:
        """Compute the loss of two rows before the first step, to detect a model without a finite loss early.

        Raises UserError where transformers' own forward pass has another loss than this package's. A model whose
        documents have another loss when packed trains on one row a micro-batch, and one that cannot share a prefix
        trains without.
        """
        rows = sorted(documents, key=lambda row: row.is_distilled)[:2]  # Those have none yet.
        loss = self.mean_loss(pack(rows, 0))
        if not math.isfinite(loss):
            if self.state.step:
                return
            where = _named(rows)
            raise NotFinite(f"the base model has a loss of {loss} on {where}; its weights are damaged")
        alone, reference = self._losses(rows), self._losses(rows, reference=True)
        if self._differ(alone, reference):
            raise UserError(
                f"'base' is a {self.kind}, whose loss in training would be wrong: {alone.mean():.4f} nats per token of "
                f"{_named(rows)}; expected the {reference.mean():.4f} of transformers' own forward pass. Choose a base "
                "of another family"
            )
        starts = slice(1, None), slice(FIRST_TOKENS)  # Of all documents but the first, which sees no other.
        if self.pack_tokens and self._differ(self._losses(rows, packed=True)[starts], alone[starts]):
            self.pack_tokens, self.share_prefix = 0, False
            self.hooks.say(f"training: packed rows see each other in a {self.kind}; each gets a micro-batch of its own")
        shared = self._losses(rows, packed=True, after=PROBE_TOKENS) if self.share_prefix else None
        if shared is not None and self._differ(shared[starts], alone[:, PROBE_TOKENS - 1 :][starts]):
            self.share_prefix = False
            self.hooks.say(f"training: a {self.kind} cannot share the beginning of rows; it is computed for each row")

    def _losses(
        self, rows: Sequence[Document], *, packed: bool = False, after: int = 1, reference: bool = False
    ) -> torch.Tensor:
        """Return the loss of every token of the probes from index `after` on, (documents, tokens), on each device.

        They are computed one by one, or `packed`, with a shared prefix where none of its tokens is learnt.
        """
        documents = probes(rows, after)
        micros = pack(documents, sum(len(d.ids) for d in documents) if packed else 0, after > 1)
        self.model.eval()
        with torch.no_grad():
            inputs = (tensors(micro, self.accelerator.device) for micro in micros)
            losses = torch.cat([self.model(*each, each=True, reference=reference) for each in inputs])
        return losses.view(PROBES, -1)

    def _differ(self, found: torch.Tensor, alone: torch.Tensor) -> bool:
        """Whether losses of the same tokens differ by more than rounding."""
        return self._any(not float((found - alone).abs().mean()) <= self.tolerance)

    def _evaluate(self, held: ValidationSet, total: int) -> float:
        """Validate, and keep the adapter if it is the best so far; return the seconds it took.

        At step 0 the base model is validated, which is never selected.
        """
        start = time.perf_counter()
        state = self.state
        self.hooks.at(VALIDATION)
        validation = self._measure(held)
        metric = held.select.metric if held.select else None
        earlier = msgspec.convert(state.best, Validation) if state.best else None
        selected = state.step > 0 and (not held.chooses or is_better(validation, earlier, metric))
        if not state.step:
            state.before = msgspec.to_builtins(validation)
        elif not held.chooses:
            state.best = msgspec.to_builtins(validation)
        elif selected:
            state.best, state.best_step, state.misses = msgspec.to_builtins(validation), state.step, 0
            state.best_adapter = self.weights()
        else:
            state.misses += 1
            state.stopped_early = 0 < self.train.patience <= state.misses and state.step < total
        for table, found in (("select", validation.task), ("forgetting", validation.general)):
            if found is not None and found.value is None:
                self.hooks.say(f"training: [{table}] was not measured {self._when}: {found.reason}")
        seconds = round(time.perf_counter() - start, 4)
        is_best = selected and held.chooses
        self.hooks.log({"step": state.step, **validation.line, "best": is_best, "seconds": seconds})
        self.hooks.progress(Update(step=state.step, total=total, measured=validation, is_best=is_best))
        self.hooks.at(TRAINING)
        return seconds

    def _measure(self, held: ValidationSet) -> Validation:
        loss = general = None
        if held.documents:
            loss = self.mean_loss(pack(held.documents, self.pack_tokens, self.share_prefix))
            if not math.isfinite(loss):
                raise NotFinite(self._explain(f"{self._when}: the validation loss is {loss:g}", held.documents))
        if held.general:
            general = self.mean_loss(pack(held.general, GENERAL_TOKENS if self.pack_tokens else 0))
        model = self.accelerator.unwrap_model(self.model)
        return Validation(
            validation_loss=loss,
            general_loss=general,
            task=score_questions(model, held.select, self.accelerator) if held.select else None,
            general=score_questions(model, held.forgetting, self.accelerator) if held.forgetting else None,
        )

    @property
    def _when(self) -> str:
        return f"after step {self.state.step}" if self.state.step else "before the first step"

    def _show(self, line: dict[str, Any], total: int, left: float | None) -> None:
        fields = {name: line[name] for name in SHOWN}
        self.hooks.progress(Update(total=total, saved_step=self.saved_step, seconds_left=left, **fields))

    def weights(self) -> dict[str, torch.Tensor]:
        """Copy the adapter's tensors by name; all processes must call it at the same point."""
        return {name: distributed.whole(p.detach()).cpu().clone() for name, p in self.adapter.items()}

    def _save(self) -> None:
        self.state.adapter = self.weights()
        self.state.optimizer = distributed.whole(self.optimizer.state_dict())
        self.hooks.save(self.state)
        self.saved_step = self.state.step

    def _restore(self) -> None:
        put(self.adapter, self.state.adapter)
        optimizer_state = distributed.optimizer_state(self.state.optimizer, list(self.adapter.values()))
        self.optimizer.load_state_dict(optimizer_state)


def probes(rows: Sequence[Document], after: int = 1) -> list[Document]:
    """Return documents of one length with one beginning, made of the rows' tokens; those from `after` on are learnt."""
    count = (1 + PROBES) * PROBE_TOKENS
    ids = list(islice(cycle(chain.from_iterable(row.ids for row in rows)), count))
    head, *rests = (ids[at : at + PROBE_TOKENS] for at in range(0, count, PROBE_TOKENS))
    mask = [0] * after + [1] * (2 * PROBE_TOKENS - after)
    return [Document(ids=head + rest, mask=mask) for rest in sorted(rests)]


def score_questions(model: AnswerLoss, questions: Questions, accelerator: Any) -> Estimate:
    """Generate answers to validation cases and return their metric; every device answers its share."""
    from accelerate.utils import gather_object
    from transformers import GenerationConfig

    requests = [
        Request(key=str(number), ids=planned.ids, sampling=planned.sampling, variant=CANDIDATE)
        for number, planned in enumerate(questions.asks)
    ]
    own = requests[accelerator.process_index :: accelerator.num_processes]
    answerer = Answerer(questions.renderer, accelerator.device, longest(questions.asks))
    model.model.generation_config = GenerationConfig()
    model.eval()
    with model.mixed(accelerator.device):
        answers = list(answerer.answers(model.model, own))
    completions: list[Completion] = gather_object(answers)
    by_key = {completion.key: completion for completion in completions}
    records = [
        make_record(questions.suite, planned, by_key[str(number)]) for number, planned in enumerate(questions.asks)
    ]
    found = estimate(observations(reading(records), questions.metric), questions.metric)
    faults = (
        fault for r in records for fault in (r.completion.error, *(s.reason for s in r.scores.values() if s.failed))
    )
    first = next(filter(None, faults), None) if found.value is None else None
    return msgspec.structs.replace(found, reason=f"{found.reason}; the first: {first}") if first else found


def put(adapter: dict[str, torch.nn.Parameter], weights: dict[str, torch.Tensor]) -> None:
    """Copy saved weights into an adapter of the same shape."""
    with torch.no_grad():
        for name, parameter in adapter.items():
            parameter.copy_(distributed.like(weights[name], parameter))


def _named(rows: Sequence[Document]) -> str:
    return first_few([row.where for row in rows], MAX_NAMED, "rows")
