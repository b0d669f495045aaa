"""Export a run's numbers for the Hugging Face Hub: `model-index` of a model card, and `.eval_results`.

Neither has a field for a threshold, and `.eval_results` none for an interval: those stay in report.json, and every
entry names the run. In `model-index` the arguments of a metric hold its interval. The types are huggingface_hub's own
(`EvalResult`, `EvalResultEntry`), which the library `datasets` depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import NothingJudged, UserError, extra_needed_by, first_line
from harness.runs.folder import Results, load_results
from harness.sanitize import shown
from harness.schema import CANDIDATE, Manifest, Metric, MetricRow, SuiteInfo
from reports import wording

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "text-generation"


def model_card(run: Path, dataset: str = "") -> Iterator[str]:
    """Export front matter for the model's README.md: a `model-index` with every metric over whole suites.

    Raises UserError without such a metric, and UserError or NothingJudged as `published` does.
    """
    with extra_needed_by("the format model-card", "hub", "huggingface_hub"):
        from huggingface_hub import ModelCardData
    stored = published(run)
    if not (entries := index(stored, dataset)):
        raise UserError(f"{run}: no metric was measured over a whole suite, so there is nothing to publish")
    card = ModelCardData(model_name=model_name(stored.manifest), eval_results=entries)
    yield f"---\n{card.to_yaml()}\n---\n"


def index(stored: Results, dataset: str = "") -> list[EvalResult]:
    """Return the entries of a `model-index`. The Hub groups them by dataset and its configuration: the suite."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=TASK,
            task_name=shown(suite.title),
            dataset_type=dataset or suite.name,
            dataset_name=shown(suite.name),
            dataset_config=shown(suite.name),
            dataset_args={"cases_sha256": suite.cases_hash, "run": shown(stored.manifest.run_id)},
            metric_type=metric.name,
            metric_name=wording.metric(metric.name, suite.shape),
            metric_value=row.estimate.value,
            metric_args={name: getattr(row.estimate, name) for name in ("low", "high", "level", "n", "clusters")},
        )
        for suite, metric, row in measured(stored)
    ]


def push(card: Path, repository: str, run: Path | None, attached: Sequence[Path] = ()) -> str:
    """Upload a model card as README.md of a repository on the Hub; return the address of the commit.

    With a run, the card's front matter gets its `model-index`; the file on disk stays. `attached` are files that the
    card shows. The token is the one of `hf auth login` or HF_TOKEN. Raises UserError where the Hub does not take it.
    """
    with extra_needed_by("--push", "hub"):
        from huggingface_hub import CommitOperationAdd, HfApi, ModelCard
        from huggingface_hub.errors import RepositoryNotFoundError
    stored = published(run) if run else None
    try:
        content = ModelCard(card.read_text("utf-8"))
        if stored and (entries := index(stored)):
            content.data["model_name"], content.data["eval_results"] = model_name(stored.manifest), entries
        files = [(card.name, str(content).encode()), *((file.name, file.read_bytes()) for file in attached)]
        commit = HfApi().create_commit(
            repository,
            [CommitOperationAdd(path_in_repo=name, path_or_fileobj=data) for name, data in files],
            commit_message="Update the model card with tunegate",
        )
    except RepositoryNotFoundError:
        raise UserError(
            f"--push {repository}: the Hub has no such model repository, or your login may not see it. Create it, and "
            "log in with `hf auth login` or set HF_TOKEN"
        ) from None
    except Exception as error:  # Its parser of cards and the HTTP library of its version raise their own.
        raise UserError(
            f"--push {repository}: not uploaded: {first_line(error).rstrip('.')}. {card} is written; correct this and "
            "run the same command again"
        ) from None
    return str(commit.commit_url)


def eval_results(run: Path, dataset: str = "") -> Iterator[str]:
    """Export a file for `.eval_results/` of the model's repository: the metrics that gates judge.

    A task of the Hub is a suite and a metric: its ID joins their names. Raises UserError without `dataset` or without
    a judged metric, and as `published` does.
    """
    with extra_needed_by("the format eval-results", "hub"):
        import yaml
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    if not dataset:
        raise UserError("--format eval-results needs --dataset OWNER/NAME: the Hub dataset that contains these cases")
    results = published(run)
    gated = {(verdict.suite, verdict.metric) for verdict in results.verdicts}
    entries = [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=wording.slug(f"{suite.name} {metric.name}"),
            value=row.estimate.value,
            date=results.manifest.ended,
            notes=f"{wording.metric(metric.name, suite.shape)}; tunegate run {shown(results.manifest.run_id)}",
        )
        for suite, metric, row in measured(results)
        if (suite.name, metric.name) in gated
    ]
    if not entries:
        raise UserError(f"{run}: no gate judged a metric over a whole suite, so there is nothing to publish")
    text: str = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)
    yield text


def published(run: Path) -> Results:
    """Load a run that may be published: a finished, sealed and unchanged evaluation.

    Raises UserError for a run of another kind, and NothingJudged for one that may claim no verdict.
    """
    results = load_results(run)
    if results.manifest.kind != "eval":
        raise UserError(f"{run}: a {results.manifest.kind} run, which has no scores. Name an evaluation")
    if not results.standing.is_claim:
        raise NothingJudged(f"{run}: {results.standing.reason}. Publish a finished, sealed and unchanged run")
    return results


def measured(results: Results, has_parts: bool = False) -> Iterator[tuple[SuiteInfo, Metric, MetricRow]]:
    """Yield the judged model's metrics over whole suites; a part of a suite does not represent it.

    With `has_parts`, include suites of which only a part was run.
    """
    metrics = {
        (suite.name, metric.name): (suite, metric)
        for suite in results.manifest.suites
        if has_parts or suite.asked == suite.cases
        for metric in suite.metrics
    }
    for row in results.metrics.metrics:
        known = metrics.get((row.suite, row.metric))
        if known and row.variant == CANDIDATE and row.slice is None and row.estimate.value is not None:
            yield *known, row


def model_name(manifest: Manifest) -> str:
    """Return the judged model's name, without folders of this machine."""
    judged = manifest.checkpoints.get(CANDIDATE)
    name = judged.name if judged else ""
    return shown(Path(name).name if Path(name).is_absolute() else name)
