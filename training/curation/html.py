"""Shows a review as one HTML file: no script, no request, every value escaped. Equal reviews give equal bytes."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from training.curation.review import Review
from training.curation.sample import shown
from training.curation.terminal import EXAMPLES

HERE = Path(__file__).parent


def render(review: Review) -> str:
    """The whole page."""
    style = (HERE / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    unit, before, after = review.size
    return environment.get_template("report.html.jinja").render(
        review=review,
        unit=unit,
        size=(before, after),
        examples=EXAMPLES,
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )


def _visible(value: Any) -> Any:
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value
