"""What moves when nothing changes: flips between passes and repeats, and the noise floor beside the limits."""

import msgspec

import reports
from harness.runs.folder import RunData, load_run
from harness.schema import Noise, NoiseFloor
from reports.render import markdown
from tests.reports.conftest import Writer
from tests.support.sample import make_checkpoint, make_manifest, make_record, make_suite

TWICE = {"baseline": make_checkpoint("org/m", "1"), "tuned": make_checkpoint("org/m", "1")}


def noise(floor: float) -> Noise:
    named = dict.fromkeys(Noise.__struct_fields__, "x") | {"run_id": "20261125-noise", "checkpoint": "org/m"}
    found = NoiseFloor(
        metric="clause_recall", level=0.8, change=0.0, low=-floor, high=floor / 2, cases=10, contracts=10, flips=2
    )
    return Noise(**(named | {"passes": [], "samples": 1, "floors": [found]}))  # type: ignore[arg-type]


def page_of(write_run: Writer, **more: object) -> str:
    return markdown.render(reports.build([load_run(write_run(**more))]))


def test_a_model_asked_twice_shows_its_floors_and_the_cases_that_flip(write_run: Writer) -> None:
    page = page_of(write_run, manifest=make_manifest(checkpoints=TWICE), verdicts=[])
    assert "## Repeats" in page
    assert "Run-to-run variation of legal/clauses" in page
    part = page[page.index("Cases of legal/clauses that flip between the passes") :]
    named = part[: part.index("\n##")]
    assert "lease-000" in named and "lease-001" in named and "lease-003" not in named
    assert "was not measured" not in page[page.index("## Limits") :]


def test_two_models_with_one_answer_a_case_have_no_repeats(run: RunData) -> None:
    page = markdown.render(reports.build([run]))
    assert "## Repeats" not in page
    assert "the run-to-run variation of its metrics was not measured" in page


def test_repeats_that_do_not_agree_are_named_for_each_model(write_run: Writer) -> None:
    records = [make_record(n, "tuned", "x", found=n != 2 or r == 1, repeat=r) for n in range(3) for r in (1, 2)]
    page = page_of(write_run, manifest=make_manifest(suites=[make_suite(samples=2)]), records=records)
    assert "flip between repeats, Tuned" in page and "flip between repeats, Baseline" not in page
    part = page[page.index("flip between repeats") :]
    assert "lease-002" in part[:400] and "lease-001" not in part[:400]


def test_the_floor_that_margins_were_held_against_is_a_limit(write_run: Writer) -> None:
    page = page_of(write_run, manifest=make_manifest(suites=[make_suite(noise=noise(0.012))]))
    limits = page[page.index("## Limits") :]
    assert "running org/m twice changed clause recall by up to 1.2 points (run 20261125-noise)" in limits


def test_a_floor_that_has_no_number_is_not_measured(write_run: Writer) -> None:
    without = msgspec.structs.replace(noise(0.012), floors=[])
    page = page_of(write_run, manifest=make_manifest(suites=[make_suite(noise=without)]))
    assert "legal/clauses: the run-to-run variation of its metrics was not measured." in page
