"""OpenTelemetry spans of a run: what took how long and how it ended; never prompts, answers or texts of errors.

They go to the tracer provider of the embedding program, else by OTLP over HTTP to where OpenTelemetry's own environment
variables say. Without either, nothing is imported and nothing is recorded.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import how_to_install

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

EXPORTER = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PREFIX = "tunegate."
"""Of the names of attributes."""


class Attributes(Protocol):
    """Sets attributes of a span."""

    def __call__(self, **attributes: str | int | float | Sequence[str]) -> None: ...


@contextmanager
def span(name: str, **attributes: str | int | float | Sequence[str]) -> Iterator[Attributes]:
    """Record a span until the block ends, inside the span around it; yields what sets more attributes.

    An exception gives it the status ERROR with the exception's type, not its text, which may quote a case.
    """
    tracer = _tracer()
    if tracer is None:
        yield lambda **more: None
        return
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as opened:
        _set(opened, attributes)
        try:
            yield lambda **more: _set(opened, more)
        except BaseException as error:
            opened.set_status(StatusCode.ERROR, type(error).__name__)
            raise


class SuiteSpans:
    """One span for each suite and model whose answers arrive in any order: from the wait for its first to its last."""

    def __init__(self, name: str) -> None:
        self._name, self._tracer, self._waits_since = name, _tracer(), time.time_ns()
        self._parts: dict[tuple[str, str], tuple[Span, dict[str, float]]] = {}
        self._ends: dict[tuple[str, str], int] = {}

    def add(self, suite: str, model: str, **counts: float) -> None:
        """Add one answer's `counts` to the attributes of the span of its suite and model."""
        if self._tracer is None:
            return
        key = suite, model
        if key not in self._parts:
            self._parts[key] = self._tracer.start_span(self._name, start_time=self._waits_since), {}
        sums = self._parts[key][1]
        for name, count in counts.items():
            sums[name] = sums.get(name, 0) + count
        self._waits_since = self._ends[key] = time.time_ns()

    def close(self) -> None:
        """End every span at its last answer."""
        for (suite, model), (opened, sums) in self._parts.items():
            _set(opened, {"suite": suite, "model": model} | sums)
            opened.end(self._ends[suite, model])


def _set(opened: Span, attributes: dict[str, Any]) -> None:
    opened.set_attributes({PREFIX + name: value for name, value in attributes.items()})


def _tracer() -> Tracer | None:
    if _is_asked_for():
        _provide()
    trace = sys.modules.get("opentelemetry.trace")
    return trace.get_tracer("tunegate") if trace else None


def _is_asked_for() -> bool:
    exporter = os.environ.get(EXPORTER, "")
    return "otlp" in exporter if exporter else any(os.environ.get(name) for name in ENDPOINTS)


@cache
def _provide() -> None:
    """Send spans by OTLP, unless the program has its own provider. A missing package is said once and stops no run."""
    import logging

    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        text = f"no spans are sent: the package '{error.name}' is not installed. {how_to_install('otel')}"
        print(text, file=sys.stderr, flush=True)
        return
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)  # It warns of every attempt.
        service = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "tunegate")})
        provider = TracerProvider(resource=service)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
