"""Does tuning beat the untuned model with eight examples in its prompt?

    python -m benchmarks.examples_in_prompt [--only legal/citations] [--examples 8] [--against RUN]

For every suite: training rows, drawn with a fixed seed from its own generator, stand before each test case as earlier
turns of the conversation, as a user would show a model what is wanted. Where the model's context would not hold them,
shorter rows are taken. The answers go through the suite's scorers and gates; the runs with their reports stay in
`--out`. With `--against`, a run of a tuned model on the suite is the other side, paired by case: the difference is the
model's minus the examples'.

Public suites need TUNEGATE_DATA. About ten minutes a suite on two CPU cores.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import rivals
from benchmarks.domain_adapters import METRICS, write_rows
from harness.checkpoints.bundled_model import EMBEDDED
from harness.checkpoints.resolve import resolve
from harness.engines import EngineConfig, open_engine
from harness.schema import CANDIDATE, Request, Sampling
from harness.suites.prompts import Message, Renderer, messages
from harness.suites.suite import Suite

SUITES = METRICS | {"legal/paragraphs": ("clause_recall", "clause_precision", "false_alarm_rate")}
"""By suite, the metrics that are shown."""
TOKENS = 200_000
"""Of training rows to draw from: those that the adapters learn from."""
SEED = 7


def pairs(suite: str) -> list[list[Message]]:
    """Prompt and answer of a suite's training rows, in the order in which its generator draws them."""
    with TemporaryDirectory() as folder:
        write_rows(suite, Path(folder), TOKENS)
        lines = (Path(folder) / "train.jsonl").read_text("utf-8").splitlines()
    return [[each for each in json.loads(line)["messages"] if each["role"] != "system"] for line in lines]


def examples(rows: Sequence[list[Message]], count: int, room: int, renderer: Renderer) -> list[Message]:
    """Draw `count` rows, as turns in random order, of at most `room` tokens in all.

    Rows in random order are taken while each leaves enough room for as many of the shortest as are still missing.
    """
    lengths = [len(renderer.training(row)[0]) for row in rows]
    order = list(range(len(rows)))
    random.Random(SEED).shuffle(order)
    chosen: list[int] = []
    for at in order:
        others = sorted(lengths[other] for other in order if other not in chosen and other != at)
        if len(chosen) < count and lengths[at] + sum(others[: count - len(chosen) - 1]) <= room:
            chosen.append(at)
            room -= lengths[at]
    return [message for at in chosen for message in rows[at]]


def asked(suite: Suite, shown: Sequence[Message], renderer: Renderer) -> list[Request]:
    """One request a case: system message, examples, then the case."""
    sampling = Sampling(max_tokens=suite.max_tokens, stop_ids=renderer.stop_ids, **suite.structure)
    requests = []
    for case in suite.cases:
        *system, user = messages(suite.template, case)
        ids = renderer.prompt([*system, *shown, user]).ids
        requests.append(Request(key=case.id, ids=ids, sampling=sampling, variant=CANDIDATE))
    return requests


def answers(name: str, count: int, engine: EngineConfig) -> dict[str, str]:
    """The untuned model's answers by case, with examples in every prompt."""
    suite, base = rivals.suite_of(name), resolve(EMBEDDED)
    renderer = Renderer(base.path)
    longest = max(len(request.ids) for request in asked(suite, [], renderer))
    room = renderer.max_positions - longest - suite.max_tokens
    shown = examples(pairs(name), count, room, renderer)
    requests = asked(suite, shown, renderer)
    length = max(len(request.ids) for request in requests) + suite.max_tokens
    print(f"{name}: {len(shown) // 2} examples, prompts of at most {length:,} tokens with their answers", flush=True)
    opened = open_engine(engine, {CANDIDATE: base}, max_model_len=length)
    try:
        found = {completion.key: completion for completion in opened.generate(requests)}
    finally:
        opened.close()
    if failed := [each for each in found.values() if each.finish_reason == "error"]:
        raise SystemExit(f"{name}: {len(failed)} of {len(found)} answers failed, the first: {failed[0].error}")
    return {key: completion.text for key, completion in found.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = rivals.parser(__doc__, Path("runs/examples"))
    parser.add_argument("--examples", type=int, default=8, help="in each prompt")
    parser.add_argument("--engine", default="vllm", help="vllm or transformers")
    args = parser.parse_args(arguments)
    engine = EngineConfig(name=args.engine)
    rivals.report("examples", SUITES, args, lambda name: answers(name, args.examples, engine))


if __name__ == "__main__":
    main()
