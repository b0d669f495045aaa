"""GitHub's REST API, as little of it as comments need. The token goes to one host only: no redirect is followed."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from harness.errors import NOT_JSON, UserError
from reports import figures
from reports.ci.log import inert

PUBLIC = "https://api.github.com"
PAGE = 100
MOST_PAGES = 50
MOST_BYTES = 64 << 20
TIMEOUT_S = 30
HINTS = {
    401: "The token is not valid; GITHUB_TOKEN must hold one",
    403: "The token may not do this; the job needs `permissions: pull-requests: write`",
    404: "Check --repo and --pr, and that the token may read the repository",
}


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib would send the token along."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class GitHub:
    """A client of one API address with one token."""

    def __init__(self, token: str, api_url: str = PUBLIC) -> None:
        """`api_url` is https, or http on this machine; anything else is a UserError, as is an empty token."""
        where = urlsplit(api_url)
        if where.scheme != "https" and not (where.scheme == "http" and where.hostname in ("127.0.0.1", "localhost")):
            raise UserError(f"GITHUB_API_URL is '{inert(api_url)}'. It must begin with https://, for the token's sake")
        if not token:
            raise UserError("no token: set GITHUB_TOKEN in the environment. It is read from nowhere else")
        self._token = token
        self._base = api_url.rstrip("/")
        self._opener = urllib.request.build_opener(_Stay)

    def call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """One request, and its answer decoded from JSON. Any failure is a UserError."""
        request = urllib.request.Request(
            self._base + path,
            method=method,
            data=None if body is None else msgspec.json.encode(body),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "tunegate",
            },
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                raw = answer.read(MOST_BYTES + 1)
            if len(raw) > MOST_BYTES:
                raise UserError(f"{method} {path}: the answer is larger than {figures.number(MOST_BYTES)} bytes")
            return msgspec.json.decode(raw)
        except urllib.error.HTTPError as error:
            hint = HINTS.get(error.code, "Nothing more was sent; run it again")
            raise UserError(
                f"{method} {path}: GitHub answered {error.code} {inert(str(error.reason))}. {hint}"
            ) from None
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise UserError(f"{method} {path}: GitHub was not reached: {inert(str(error))}. Run it again") from None
        except NOT_JSON:
            raise UserError(f"{method} {path}: the answer is no JSON. Check GITHUB_API_URL") from None

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page after page."""
        for number in range(1, MOST_PAGES + 1):
            found = self.call("GET", f"{path}?{urlencode({**query, 'per_page': str(PAGE), 'page': str(number)})}")
            yield from found
            if len(found) < PAGE:
                return
        raise UserError(
            f"GET {path}: more than {figures.number(MOST_PAGES * PAGE)} entries, which is more than are looked through"
        )
