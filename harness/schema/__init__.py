"""Data structures of tunegate, in the order of the data flow; import them from here.

All structs are frozen and keyword-only, and refuse unknown fields. Offsets are Unicode code points. The files, in
reading order: case, score, metric, gate, manifest.
"""

from harness.schema.case import (
    ACCEPTED,
    BASELINE,
    CANDIDATE,
    FLOOR,
    Case,
    Checkpoint,
    Completion,
    Prompt,
    Request,
    Sampling,
)
from harness.schema.gate import Gate, GateFile, Objective, Outcome, Verdict, combine_outcomes
from harness.schema.manifest import NO_MERGE, SCHEMA_VERSION, AcceptedInfo, Manifest, SuiteInfo
from harness.schema.metric import (
    Better,
    Comparison,
    ComparisonRow,
    Estimate,
    Metric,
    MetricRow,
    Metrics,
    Noise,
    NoiseFloor,
    Observation,
    Side,
)
from harness.schema.score import Record, RecordKey, Score, ScoreEvent, Scores, SourceSpan, Span, storable

__all__ = [
    "ACCEPTED",
    "BASELINE",
    "CANDIDATE",
    "FLOOR",
    "NO_MERGE",
    "SCHEMA_VERSION",
    "AcceptedInfo",
    "Better",
    "Case",
    "Checkpoint",
    "Comparison",
    "ComparisonRow",
    "Completion",
    "Estimate",
    "Gate",
    "GateFile",
    "Manifest",
    "Metric",
    "MetricRow",
    "Metrics",
    "Noise",
    "NoiseFloor",
    "Objective",
    "Observation",
    "Outcome",
    "Prompt",
    "Record",
    "RecordKey",
    "Request",
    "Sampling",
    "Score",
    "ScoreEvent",
    "Scores",
    "Side",
    "SourceSpan",
    "Span",
    "SuiteInfo",
    "Verdict",
    "combine_outcomes",
    "storable",
]
