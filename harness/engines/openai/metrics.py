"""Read from a vLLM server's published counters how many tokens it computed.

The counters include the requests of all clients and are reset by a restart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PATH = "/metrics"
NAMES = {
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:generation_tokens_total": "generated_tokens",
    "vllm:prefix_cache_queries_total": "prefix_queries",
    "vllm:prefix_cache_hits_total": "prefix_hits",
}
LINE = re.compile(r"([\w:]+)(?:\{[^}]*\})? (\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?)", re.ASCII)


def read(text: str) -> dict[str, float]:
    """Parse the counters of a page in Prometheus' text format, summed over engines and models; {} without any."""
    counters: dict[str, float] = {}
    for line in text.splitlines():
        match = LINE.fullmatch(line.strip())
        if match and match[1] in NAMES:
            name = NAMES[match[1]]
            counters[name] = counters.get(name, 0.0) + float(match[2])
    return counters


class Counters:
    """Tokens that one server counted during a run."""

    def __init__(self) -> None:
        self._last: Mapping[str, float] | None = None
        self._total: dict[str, float] = {}

    def look(self, counters: Mapping[str, float]) -> None:
        """Add a reading; counting begins at the first one."""
        if not counters:
            return
        for name, value in counters.items() if self._last is not None else ():
            before = (self._last or {}).get(name, 0.0)
            self._total[name] = self._total.get(name, 0.0) + (value - before if value >= before else value)
        self._last = counters

    def describe(self) -> dict[str, float | int | None]:
        """Return the tokens of all clients since the first reading; {} if the server published none."""
        if not self._total:
            return {}
        queries, hits = self._total.get("prefix_queries", 0.0), self._total.get("prefix_hits", 0.0)
        return {
            "prompt_tokens": int(self._total.get("prompt_tokens", 0)),
            "generated_tokens": int(self._total.get("generated_tokens", 0)),
            "prefix_hit_rate": round(hits / queries, 4) if queries else None,
        }
