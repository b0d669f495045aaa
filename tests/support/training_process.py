"""The real command in processes of its own, as a user starts it, and what it leaves behind."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import torch

from harness.checkpoints.resolve import file_sha256
from harness.runs.folder import load_run
from tests.support import launcher_spy
from tests.support.command import Fork, run_tunegate
from tests.support.processes import free_port
from training.data import tokenize
from training.run import train
from tunegate.cli import main as cli

ROOT = Path(__file__).parents[2]
LIMIT_S = 600
"""A training that takes longer hangs."""
MEASURED = {"seconds", "tokens_per_s", "answer_tokens_per_s", "tflops_per_s", "peak_memory_mib"}
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def environment(**more):
    """This one's, without what a launcher would have set; one thread, for which a tiny model is too small already."""
    kept = {key: value for key, value in os.environ.items() if key not in LAUNCHED}
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GENERAL_TEXT": str(tokenize.GENERAL_TEXT)}
    return kept | own | more


def start(config, changed=None):
    """`tunegate train CONFIG` in a process of its own, running; `changed` is a class, a method and one in its place."""

    def command():
        if changed:
            setattr(*changed)
        cli.main()

    return Fork("tunegate", "train", str(config), cwd=config.parent, env=environment(), command=command)


def train_command(config):
    """`tunegate train CONFIG` in this process, to its end."""
    with one_thread():
        return run_tunegate("train", str(config), cwd=config.parent, env=environment())


TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "--redirects=3", "--log-dir=logs"]
TORCHRUN += ["--module"]
ACCELERATE = ["accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--main_process_port=0"]
ACCELERATE += ["--num_machines=1", "--mixed_precision=bf16", "--dynamo_backend=eager", "--tee=3", "--log_dir=logs"]
ACCELERATE += ["--module"]


class Launched:
    """What two processes of a launcher did, as spy.py tells it, and what each of them printed."""

    def __init__(self, folder, config, *, launcher=TORCHRUN, **more):
        folder.mkdir()
        command = [sys.executable, "-m", *launcher, "tests.support.launcher_spy", "train", str(config)]
        self.folder = folder
        told = environment(TOLD=str(folder), **more)
        process = subprocess.Popen(command, cwd=folder, env=told, stderr=subprocess.PIPE, text=True)
        try:
            _, self.launcher = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.terminate()  # The launcher ends the processes that hang before it ends itself.
            process.communicate()
            raise
        self.code = process.returncode

    @classmethod
    def forked(cls, folder, config, **more):
        """Two forks of this process, which load no libraries again; no launcher ends one when the other ends."""
        self = cls.__new__(cls)
        self.folder, self.launcher = folder, ""
        folder.mkdir()
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
        words = ["tunegate", "train", str(config)]
        forks = []
        for rank in ("0", "1"):
            told = environment(TOLD=str(folder), RANK=rank, LOCAL_RANK=rank, **address, **more)
            forks.append(Fork(*words, cwd=folder, env=told, command=launcher_spy.main))
        for rank, fork in enumerate(forks):
            fork.join(LIMIT_S)
            fork.kill()
            logs = folder / "logs" / "none" / "0" / str(rank)
            logs.mkdir(parents=True)
            for stream, text in zip(("stdout", "stderr"), fork.output(), strict=True):
                (logs / f"{stream}.log").write_text(text)
        return self

    def told(self, kind, process):
        file = self.folder / f"{kind}-{process}"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def left(self, process):
        """Exit code; None where it was killed."""
        return next(iter(self.told("left", process)), None)

    def printed(self, process, stream="stderr"):
        (file,) = self.folder.glob(f"logs/*/*/{process}/{stream}.log")
        return file.read_text().splitlines()


def wait_for(found, process):
    """The first true answer of `found` while the process runs."""
    end = time.monotonic() + LIMIT_S
    while not (answer := found()):
        assert process.poll() is None, f"ended before the moment came: {process.output()}"
        assert time.monotonic() < end, "the moment never came"
        time.sleep(0.002)
    return answer


@contextmanager
def one_thread():
    """As a command has them that starts with OMP_NUM_THREADS=1: threads decide in which order sums are made."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train_here(config, progress=lambda update: None):
    """Train in this process."""
    with one_thread():
        return train(config, progress=progress)


def losses(folder):
    """The log without what was measured of the machine."""
    return [{k: v for k, v in row.items() if k not in MEASURED} for row in load_run(folder).train_log]


def weights(folder):
    """Digest of the adapter."""
    return file_sha256(folder / "adapter" / "adapter_model.safetensors")


def only_run(root):
    """The one run folder below `root`."""
    (folder,) = root.glob("*/")
    return folder
