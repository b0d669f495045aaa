"""Spans of a run, read back from OpenTelemetry's own exporter in memory, and from what it posts by OTLP."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.mini import compare, evaluate, right, rows, write_script, write_suite

ROOT = Path(__file__).parents[3]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What an embedding program's own provider receives."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def by_name(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def test_a_comparison_has_a_span_for_each_stage_and_for_the_answers_of_each_suite_and_model(tmp_path, exported):
    made = compare(tmp_path)
    spans = exported.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    nesting = sorted((span.name, span.parent and names[span.parent.span_id]) for span in spans)
    assert nesting == sorted(
        [("run", None), *((name, "run") for name in ("plan", "answers", "gates", "writing"))]
        + [("generation", "answers")] * 2
    )
    (run,) = by_name(exported, "run")
    assert dict(run.attributes) == {
        "tunegate.run_id": made.path.name,
        "tunegate.suites": ("legal/mini",),
        "tunegate.cases": 40,
        "tunegate.models": ("fake:old", "fake:new"),
        "tunegate.outcome": "pass",
    }
    assert run.status.is_unset
    for span in by_name(exported, "generation"):
        model = span.attributes["tunegate.model"]
        variant = {"fake:new": "tuned", "fake:old": "baseline"}[model]
        completions = [record.completion for record in made.records if record.variant == variant]
        assert span.attributes["tunegate.suite"] == "legal/mini"
        assert span.attributes["tunegate.answers"] == len(completions) == 40
        assert span.attributes["tunegate.cached"] == 0
        assert span.attributes["tunegate.prompt_tokens"] == sum(c.prompt_tokens for c in completions)
        assert span.attributes["tunegate.output_tokens"] == sum(c.output_tokens for c in completions)
        assert span.attributes["tunegate.scoring_s"] > 0
        assert run.start_time <= span.start_time < span.end_time <= run.end_time


def test_no_span_quotes_a_prompt_or_an_answer(tmp_path, exported):
    compare(tmp_path)
    text = "".join(span.to_json() for span in exported.get_finished_spans())
    assert "Which clauses" not in text and "Contract" not in text
    assert "holdover" not in text and "nothing is listed" not in text


def test_an_error_is_the_status_of_its_spans_by_type_alone(tmp_path, exported, monkeypatch):
    def breaks(*args: object) -> None:
        raise RuntimeError("Contract 7 says sk-secret")

    monkeypatch.setattr("harness.evaluation.generate.make_record", breaks)
    write_suite(tmp_path)
    with pytest.raises(RuntimeError):
        evaluate(tmp_path, right(rows()))
    status = {
        span.name: (span.status.status_code.name, span.status.description) for span in exported.get_finished_spans()
    }
    assert status == {"plan": ("UNSET", None)} | dict.fromkeys(("answers", "run"), ("ERROR", "RuntimeError"))
    assert "Contract" not in "".join(span.to_json() for span in exported.get_finished_spans())


class Collector(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    received: list[ExportTraceServiceRequest]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def eval_command(root: Path, **environment: str) -> str:
    """Run `tunegate eval` with the fake engine in a process of its own; whether it imported OpenTelemetry."""
    write_suite(root)
    script = write_script(root, tuned=right(rows()))
    code = (
        "import sys\nfrom tunegate.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('imported:', any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    words = ["eval", "new", "--suite", "evalsuites", "--engine", "fake", "--script", str(script), "--no-answer-cache"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    kept |= {"PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=root, env=kept, capture_output=True, text=True)
    assert "report: " in done.stdout, done.stderr
    return done.stdout


def test_the_endpoint_receives_command_run_and_report_as_one_trace(tmp_path):
    Collector.received = []
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = eval_command(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "imported: True" in said
    resources = [resource for request in Collector.received for resource in request.resource_spans]
    spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    names = {span.span_id: span.name for span in spans}
    assert {(span.name, names.get(span.parent_span_id)) for span in spans} >= {
        ("eval", None),
        ("run", "eval"),
        ("generation", "answers"),
        ("report", "eval"),
    }
    assert len({span.trace_id for span in spans}) == 1
    services = [a.value.string_value for r in resources for a in r.resource.attributes if a.key == "service.name"]
    assert set(services) == {"tunegate"}


@pytest.mark.parametrize(
    "environment", [{}, {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}]
)
def test_nothing_is_imported_where_nobody_asks_for_spans(tmp_path, environment):
    assert "imported: False" in eval_command(tmp_path, **environment)


def test_a_missing_package_is_said_and_stops_no_run(tmp_path, monkeypatch, capfd):
    from harness.progress import tracing

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    tracing._provide.cache_clear()
    compare(tmp_path)
    tracing._provide.cache_clear()
    said = capfd.readouterr().err
    assert said.count("no spans are sent") == 1 and "pip install '.[otel]'" in said
