"""One HTTP request to a server that was started here, without retries and past every proxy. Knows no check."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

PROBE_S = 120.0
"""Longest wait for one answer."""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def probe(url: str, key: str | None = None, body: Any = None, timeout_s: float = PROBE_S) -> tuple[int, Any]:
    """Status and JSON of one request, a POST where there is a body; status 0 where nothing answers."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    sent = None if body is None else json.dumps(body).encode()
    try:
        with _direct.open(urllib.request.Request(url, sent, headers), timeout=timeout_s) as answer:
            return answer.status, _read(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _read(error.read())
    except (OSError, HTTPException):
        return 0, None


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
