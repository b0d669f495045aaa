"""Write replay rows: general requests with a checkpoint's own answers.

python -m evalsuites.general.basics.replay --checkpoint MODEL --out replay.jsonl

Training on them together with a task's rows preserves a model's general answers. Every third request is in the suite's
prompt, the others are without it. With `--brief`, all are, and the model learns to answer as it does after examples of
brief answers, which is context distillation (Askell et al. 2021, arXiv 2112.00861).
"""

import argparse
import itertools
import math
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from evalsuites.training_rows import write_rows
from harness.engines.base import traits_of
from harness.engines.config import EngineConfig
from harness.engines.dispatch import Dispatcher
from harness.errors import UserError
from harness.evaluation.plan import judge_checkpoint
from harness.evaluation.requests import PlannedRequest, longest
from harness.progress.progress import Progress
from harness.schema import CANDIDATE, Case, Completion, Sampling
from harness.suites.prompts import Message, PlainRenderer, Renderer, load_template, messages
from harness.threads import before_torch

FOLDER = Path(__file__).parent
BANK = FOLDER / "replay.toml"
NOT_SLOTS = ("kind", "text")
ROWS = 300
MAX_TOKENS = 64
"""Most tokens of an answer; training on answers that are cut would teach a model never to end."""
SUITE_FORM, BARE = "suite", "bare"
FORMS = (SUITE_FORM, BARE, BARE)
"""Forms that the prompts of a request take in turn."""
SOURCE = "replay"
FIRST_SPARE, SPARE = 1.5, 1.2
"""Prompts per missing row: in the first batch, and then times the prompts that a row has taken so far."""

Answers = Callable[[Sequence[PlannedRequest]], Mapping[str, Completion]]
"""Runs some prompts; returns completions by case id."""


class Replay(Struct, frozen=True, kw_only=True):
    """Replay rows of a checkpoint, and the answers that were dropped."""

    rows: list[dict[str, object]]
    """Chat rows, in the order in which their prompts were drawn."""
    dropped: dict[str, int]
    """Number of answers that make no row, by reason."""

    @property
    def losses(self) -> str:
        """The number of dropped answers and the reasons, as text."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.dropped.items()))
        return f"{sum(self.dropped.values())} answers dropped{reasons and f': {reasons}'}"


def prompts() -> list[list[Case]]:
    """Every prompt of the bank, request by request."""
    requests = tomllib.loads(BANK.read_text("utf-8"))["request"]
    return [_fill(number, request) for number, request in enumerate(requests, 1)]


def _fill(number: int, request: Mapping[str, Any]) -> list[Case]:
    """A request with every combination of its slots' values."""
    slots = {name: values for name, values in request.items() if name not in NOT_SLOTS}
    combined = itertools.product(*slots.values())
    return [
        Case(
            id=f"replay-{number:02d}-{at:02d}",
            input={"question": request["text"].format(**dict(zip(slots, values, strict=True)))},
            expected=[],
            cluster=f"replay-{number:02d}",
            tags={"kind": request["kind"], "form": FORMS[(number + at) % len(FORMS)]},
        )
        for at, values in enumerate(combined, 1)
    ]


def draw(seed: int) -> list[Case]:
    """All prompts in an order of the seed's: each request once, then each a second time, and so on."""
    rng = random.Random(seed)
    requests = prompts()
    for prompts_of in requests:
        rng.shuffle(prompts_of)
    rng.shuffle(requests)
    turns = itertools.zip_longest(*requests)
    return [case for turn in turns for case in turn if case is not None]


def chat(case: Case) -> list[Message]:
    """The messages of a prompt in its form."""
    if case.tags["form"] == SUITE_FORM:
        return messages(load_template(FOLDER / "prompt.jinja"), case)
    return [{"role": "user", "content": case.input["question"]}]


def brief_examples() -> list[Message]:
    """Questions with brief answers, as turns of a conversation."""
    pairs = tomllib.loads(BANK.read_text("utf-8"))["example"]
    return [
        {"role": role, "content": pair[key]}
        for pair in pairs
        for role, key in (("user", "question"), ("assistant", "answer"))
    ]


def asks(
    cases: Sequence[Case], renderer: Renderer | PlainRenderer, examples: Sequence[Message] = ()
) -> list[PlannedRequest]:
    """Plan one greedy request per prompt, with example turns before its question."""
    sampling = Sampling(max_tokens=MAX_TOKENS, stop_ids=renderer.stop_ids)
    return [
        PlannedRequest(
            suite=0,
            case=case,
            variant=CANDIDATE,
            repeat=1,
            ids=renderer.prompt([*turns[:-1], *examples, turns[-1]]).ids,
            sampling=sampling,
        )
        for case in cases
        for turns in [chat(case)]
    ]


def unfit(done: Completion) -> str | None:
    """Return why an answer makes no row, or None."""
    if done.finish_reason == "error":
        return "failed"
    if not done.text.strip():
        return "empty"
    return f"cut off at {MAX_TOKENS} tokens" if done.finish_reason == "length" else None


def collect(waiting: Sequence[PlannedRequest], rows: int, answers: Answers, examples: Sequence[Message] = ()) -> Replay:
    """Rows of the first `rows` prompts whose answers are fit, or of all there are, with the examples as their context.

    Answers that are more than was needed are neither rows nor dropped.
    """
    context = {"base_context": [*examples]} if examples else {}
    chosen: list[dict[str, object]] = []
    dropped: Counter[str] = Counter()
    while len(chosen) < rows and waiting:
        size = _batch(rows - len(chosen), len(chosen), dropped.total())
        now, waiting = waiting[:size], waiting[size:]
        done = answers(now)
        for ask in now:
            if len(chosen) == rows:
                break
            if reason := unfit(done[ask.case.id]):
                dropped[reason] += 1
                continue
            said = {"role": "assistant", "content": done[ask.case.id].text}
            chosen.append({"messages": [*chat(ask.case), said], "source": SOURCE, **context})
    return Replay(rows=chosen, dropped=dict(dropped))


def _batch(missing: int, chosen: int, dropped: int) -> int:
    """Prompts for the missing rows, and some more, because an engine starts again for each batch."""
    return math.ceil(missing * (SPARE * (chosen + dropped) / max(1, chosen) if dropped else FIRST_SPARE))


def replay(
    checkpoint: str, rows: int, seed: int, *, engine: EngineConfig, progress: Progress, brief: bool = False
) -> Replay:
    """Query the checkpoint, through the completion cache, until `rows` of its answers are fit to train on.

    With `brief`, every prompt is the suite's, and the checkpoint sees the brief examples first: the rows' context.
    """
    drawn = draw(seed)
    if brief:
        drawn = [structs.replace(case, tags=case.tags | {"form": SUITE_FORM}) for case in drawn]
    if not 1 <= rows <= len(drawn):
        raise UserError(f"--rows {rows}: expected a number from 1 to {len(drawn)}, the prompts of the bank")
    checkpoints = {CANDIDATE: judge_checkpoint(checkpoint, engine)}
    renderer = PlainRenderer() if traits_of(engine.name).is_scripted else Renderer(checkpoints[CANDIDATE].path)
    examples = brief_examples() if brief else []
    waiting = asks(drawn, renderer, examples)

    def answers(now: Sequence[PlannedRequest]) -> dict[str, Completion]:
        broker = Dispatcher(engine, checkpoints, max_model_len=longest(waiting), say=progress.say)
        result = {}
        with progress.stage(f"replay ({broker.says})", len(now)) as stage:
            for ask, done in broker.answers(now):
                result[ask.case.id] = done
                stage.answered(done, broker.was_cached)
        return result

    result = collect(waiting, rows, answers, examples)
    if not result.rows:
        raise UserError(f"{checkpoint}: {result.losses}, so there is no row. Expected a model that ends its answers")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Write general requests with a checkpoint's own greedy answers.")
    parser.add_argument("--checkpoint", required=True, help="the model that will be tuned: hub id, folder or alias")
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows to write; answers unfit to train on are replaced")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other prompts")
    parser.add_argument("--brief", action="store_true", help="teach the answers it gives after examples of brief ones")
    parser.add_argument("--engine", help="vllm, transformers or fake; default: vllm where it imports")
    args = parser.parse_args()
    before_torch()
    try:
        engine = EngineConfig(name=args.engine)
        result = replay(args.checkpoint, args.rows, args.seed, engine=engine, progress=Progress(), brief=args.brief)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    written = write_rows(args.out, result.rows)
    print(f"{written} rows in {args.out}; {result.losses}")
    if written < args.rows:
        print(f"{args.rows} rows were requested, but the bank has no more prompts")


if __name__ == "__main__":
    main()
