"""A run's numbers in the two forms of Hugging Face's hub: `model-index` of a model card, and `.eval_results`.

Neither has a field for an interval, for n or for a bar: those stay in report.json, and every entry names the run. The
shapes are huggingface_hub's own (`EvalResult`, `EvalResultEntry`), which comes with the library `datasets`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import NothingJudged, UserError
from harness.runs.folder import Results, load_results
from harness.sanitize import shown
from harness.schema import CANDIDATE, Manifest, Metric, MetricRow, SuiteInfo
from reports import wording

TASK = "text-generation"


def model_card(run: Path, dataset: str = "") -> Iterator[str]:
    """Front matter for the README.md of the judged model: a `model-index` with every metric over its whole suites."""
    from huggingface_hub import EvalResult, ModelCardData

    found = published(run)
    results = [
        EvalResult(
            task_type=TASK,
            task_name=shown(suite.title),
            dataset_type=dataset or suite.name,
            dataset_name=shown(suite.name),
            dataset_args={"cases_sha256": suite.cases_hash, "run": shown(found.manifest.run_id)},
            metric_type=metric.name,
            metric_name=wording.metric(metric.name, suite.shape),
            metric_value=row.estimate.value,
        )
        for suite, metric, row in measured(found)
    ]
    card = ModelCardData(model_name=model_name(found.manifest), eval_results=results)
    yield f"---\n{card.to_yaml()}\n---\n"


def eval_results(run: Path, dataset: str = "") -> Iterator[str]:
    """A file for `.eval_results/` of the judged model's repository: the metrics that gates judge.

    A task of the hub is a suite and a metric: the task's id joins their names.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    if not dataset:
        raise UserError("--format eval-results needs --dataset OWNER/NAME: the hub's dataset that holds these cases")
    found = published(run)
    gated = {(verdict.suite, verdict.metric) for verdict in found.verdicts}
    entries = [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=wording.slug(f"{suite.name} {metric.name}"),
            value=row.estimate.value,
            date=found.manifest.ended,
            notes=f"{wording.metric(metric.name, suite.shape)}; tunegate run {shown(found.manifest.run_id)}",
        )
        for suite, metric, row in measured(found)
        if (suite.name, metric.name) in gated
    ]
    if not entries:
        raise UserError(f"{run}: no gate judged a metric over a whole suite. Nothing can be published")
    text: str = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)
    yield text


def published(run: Path) -> Results:
    """A run whose numbers may be shown to others: an evaluation, as it was sealed. Any other is a UserError."""
    found = load_results(run)
    if found.manifest.kind != "eval":
        raise UserError(f"{run}: a {found.manifest.kind} run, which holds no scores. Name an evaluation")
    if not found.standing.is_claim:
        raise NothingJudged(f"{run}: {found.standing.reason}. Publish a finished, sealed and unchanged run")
    return found


def measured(found: Results) -> Iterator[tuple[SuiteInfo, Metric, MetricRow]]:
    """Metrics of the judged model over its whole suites; part of a suite says nothing of the whole."""
    metrics = {
        (suite.name, metric.name): (suite, metric)
        for suite in found.manifest.suites
        if suite.asked == suite.cases
        for metric in suite.metrics
    }
    for row in found.metrics.metrics:
        known = metrics.get((row.suite, row.metric))
        if known and row.variant == CANDIDATE and row.slice is None and row.estimate.value is not None:
            yield *known, row


def model_name(manifest: Manifest) -> str:
    """What the judged model is called, without folders of this machine."""
    judged = manifest.checkpoints.get(CANDIDATE)
    name = judged.name if judged else ""
    return shown(Path(name).name if Path(name).is_absolute() else name)
