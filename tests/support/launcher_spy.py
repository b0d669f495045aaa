"""`tunegate`, as a launcher or a fork starts it in each process, that tells what the process did into the folder TOLD.

STRIKE sends this process a signal before step STRIKE_AT, `[process, step]`; ROOM is the largest file it may write, and
GENERAL_TEXT the file of the general text. Under FSDP on a CPU it steps over accelerate's gate, which shards on
accelerators alone.
"""

import json
import os
import resource
from pathlib import Path


def rank():
    return int(os.environ["RANK"])


def tell(kind, what):
    with (Path(os.environ["TOLD"]) / f"{kind}-{rank()}").open("a") as file:
        file.write(json.dumps(what) + "\n")


def tell_answers():
    from harness.engines.transformers.generate import Answerer

    answers = Answerer.answers

    def told(self, model, requests):
        found = list(answers(self, model, requests))
        tell("answers", {completion.key: completion.text for completion in found})
        return found

    Answerer.answers = told


def strike():
    from training.loop import Loop

    step = Loop._step

    def struck(self, number, rows, rate):
        if [rank(), number] == json.loads(os.environ["STRIKE_AT"]):
            os.kill(os.getpid(), int(os.environ["STRIKE"]))
        return step(self, number, rows, rate)

    Loop._step = struck


def shard():
    import accelerate
    import torch
    from accelerate.state import AcceleratorState, PartialState

    from training import distributed, loop

    class OnProcessors(accelerate.Accelerator):
        def __init__(self, **settings):
            super().__init__(**settings)
            for state in (AcceleratorState, PartialState):
                state._shared_state["distributed_type"] = accelerate.DistributedType.FSDP
            AcceleratorState._shared_state["fsdp_plugin"] = accelerate.FullyShardedDataParallelPlugin()

    put = loop.put

    def told(adapter, weights):
        tell("sharded", [type(tensor).__name__ for tensor in adapter.values()])
        put(adapter, weights)

    loop.SAVE_EVERY_S = 3600.0 * rank()  # Whether it is time to save is no question of one's own clock.
    if not torch.accelerator.is_available():
        accelerate.Accelerator = OnProcessors
        distributed.problems = lambda config: []
    loop.put = told


def main():
    from accelerate.state import AcceleratorState

    from training.data import tokenize

    AcceleratorState._reset_state(reset_partial_state=True)  # A fork has what its parent trained with.
    tell_answers()
    tokenize.GENERAL_TEXT = Path(os.environ["GENERAL_TEXT"])
    if "STRIKE" in os.environ:
        strike()
    if "ACCELERATE_USE_FSDP" in os.environ:
        shard()
    if "ROOM" in os.environ:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["ROOM"]),) * 2)
    from tunegate.cli import main as cli_main

    tunegate = cli_main.main

    def told():
        try:
            tunegate()
        except SystemExit as left:
            tell("left", left.code)
            raise

    cli_main.main = told
    cli_main.command()  # It ends the process without taking apart what the threads of the group still hold.


if __name__ == "__main__":
    main()
