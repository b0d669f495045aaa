"""Judge a finished run again from its stored records and scores, with the current gates.

A run with other cases, another prompt or other scorers than the current suite is an error, never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, structs

from harness.baseline.compare import compare_with_baselines, prompt_hashes, with_baseline, without_stale
from harness.errors import UserError
from harness.evaluation.noise_file import read_floors, with_floors
from harness.evaluation.rescore import of_suites, stale, stale_verdicts, suites_in
from harness.evaluation.run import estimate_and_judge
from harness.formatting import count
from harness.gates.config import load_suite_gates, suites_with_bars
from harness.runs.folder import RunData, load_sealed
from harness.runs.score_events import batches, scored_again, with_later
from harness.schema import ACCEPTED, CANDIDATE
from harness.suites.suite import Suite


class Regated(Struct, frozen=True, kw_only=True):
    """A run judged again."""

    run: RunData
    """The run with its new estimates and verdicts, and what changed; the folder is unchanged."""
    before: RunData
    """The run as stored in its folder."""
    not_judged: list[str]
    """Suites of the run that were not given, and suites with gates that are not in the run."""


def regate(run_path: Path, suites: Sequence[Suite], bars: Path | None, baseline: str | None = None) -> Regated:
    """Judge the given suites. Raises UserError for a changed run, and for any `baseline` but the accepted one."""
    if baseline not in (None, ACCEPTED):
        raise UserError(f"--baseline {baseline}: no model is run here. Only '{ACCEPTED}' can be compared with")
    before = load_sealed(run_path, "judged again")
    run = with_later(before)
    infos, chosen = suites_in(run, suites)
    gates = {suite.name: load_suite_gates(suite, bars) for suite in chosen}
    scorers = _scorers(run)
    changed = {s.name: why for s in chosen if (why := stale(infos[s.name], s, scorers[s.name]))}
    fresh = [suite for suite in chosen if suite.name not in changed]
    prompts = prompt_hashes((s, r) for s, r in run.answers() if r.variant == CANDIDATE)
    tuned = run.manifest.checkpoints.get(CANDIDATE)
    comparison = compare_with_baselines(chosen, gates, baseline, bars, prompts, tuned.tokenizer_digest if tuned else "")
    run = with_baseline(without_stale(run, scorers), comparison)
    run = structs.replace(run, manifest=with_floors(run.manifest, read_floors(chosen, bars), scorers))
    if later := scored_again(run_path, of_suites(before, gates).answers()):
        run.manifest.notes.append(
            f"{count(later, 'score')} {'is' if later == 1 else 'are'} of a later `tunegate rescore`."
        )
    metrics, verdicts = estimate_and_judge(fresh, gates, run.manifest, run.answers())
    verdicts += stale_verdicts(chosen, gates, changed)
    lacking = [name for name in infos if name not in gates]
    lacking += [name for name in suites_with_bars(bars) if name not in infos]
    return Regated(
        run=structs.replace(of_suites(run, gates), metrics=metrics, verdicts=verdicts),
        before=before,
        not_judged=lacking,
    )


def _scorers(run: RunData) -> dict[str, str]:
    """Return the hash of the scorers behind each suite's scores: the run's own, or those that scored it again."""
    hashes = {info.name: info.scorers_hash for info in run.manifest.suites}
    for batch in batches(run.path):
        if batch.about.get("kind") == "code":
            hashes |= batch.about.get("scorers", {})
    return hashes
