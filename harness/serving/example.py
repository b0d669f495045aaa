"""A request that a person can paste into a shell. The key stands in it as a variable."""

from __future__ import annotations

import json

from harness.serving.access import Access
from harness.serving.route import Route


def request(route: Route, access: Access) -> str:
    """A chat, greedy as the suites ask: servers sample by default."""
    body = json.dumps(
        {
            "model": route.name,
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 32,
            "temperature": 0,
        }
    )
    words = ["curl", f"{access.url}/v1/chat/completions", "-H 'Content-Type: application/json'"]
    if access.key_from:
        words.append(f'-H "Authorization: Bearer ${access.key_from}"')
    return " ".join([*words, f"-d '{body}'"])
