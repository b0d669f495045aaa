"""Engine options as a user wrote them, checked together and turned into one `EngineConfig`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

from harness.engines.base import ENGINES, traits_of
from harness.engines.config import LORA_CHOICES, EngineConfig, Servers
from harness.engines.openai.config import NO_SERVER, fault, shown
from harness.errors import UserError, refuse_all


def engine_config(
    name: str | None,
    *,
    engines: int | None = None,
    tensor_parallel_size: int = 1,
    lora: str = "auto",
    script: str | Path | None = None,
    no_answer_cache: bool = False,
    url: Iterable[str] | None = None,
    served_model: str | None = None,
    served_baseline: str | None = None,
    trust_server: bool = False,
) -> EngineConfig:
    """Build the configuration of the engine `name`, with the options of the command line.

    Servers are `engine_config("openai", url=["http://host:8000"], served_model="clauses", served_baseline="base")`. The
    checkpoints then name the tokenizers.

    Raises:
        UserError: An option does not fit the engine.
    """
    if name is not None and name not in ENGINES:
        raise UserError(f"--engine {name}: expected one of: {', '.join(ENGINES)}")
    traits = traits_of(name)
    if lora not in LORA_CHOICES:
        raise UserError(f"--lora {lora}: expected one of: {', '.join(LORA_CHOICES)}")
    for option, number in (("--engines", engines), ("--tensor-parallel-size", tensor_parallel_size)):
        if number is not None and number < 1:
            raise UserError(f"{option} {number}: expected 1 or more")
    if engines is not None and not traits.starts_engines:
        raise UserError(f"--engines {engines}: only for --engine ray. Add it, or leave --engines out")
    if tensor_parallel_size != 1 and not traits.splits_models:
        raise UserError(
            f"--tensor-parallel-size {tensor_parallel_size}: only for --engine vllm. Leave it out, or start a vLLM "
            "server with it and use --engine openai"
        )
    server_options = {
        "--url": url,
        "--served-model": served_model,
        "--served-baseline": served_baseline,
        "--trust-server": trust_server,
    }
    stray = [] if traits.needs_url else [option for option, value in server_options.items() if value]
    if stray:
        raise UserError(f"{', '.join(stray)}: only for servers. Add --engine openai, or leave it out")
    servers = None
    if traits.needs_url:
        servers = Servers(
            urls=_checked(url),
            model=served_model,
            baseline=served_baseline,
            trust=trust_server,
        )
    return EngineConfig(
        name=name,
        lora=lora,
        engines=engines,
        tensor_parallel=tensor_parallel_size,
        servers=servers,
        use_cache=not no_answer_cache,
        script=Path(script) if script else None,
    )


ENGINE_OPTIONS = tuple(option for option in inspect.signature(engine_config).parameters if option != "name")
"""Parameters of `engine_config`, except for the engine; the options have the same names with dashes."""


def _checked(urls: Iterable[str] | None) -> tuple[str, ...]:
    """Return distinct base URLs without `/v1`. Raises UserError for URLs that cannot be servers'."""
    listed = [url.strip() for url in urls or ()]
    if not listed:
        raise UserError(NO_SERVER)
    refuse_all([f"--url {shown(url)}: {why}" for url in listed if (why := fault(url))], "servers")
    return tuple(dict.fromkeys(url.rstrip("/").removesuffix("/v1").rstrip("/") for url in listed))
