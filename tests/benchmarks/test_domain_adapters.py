"""`make adapter SUITE=...` is a thin target: which suites have an adapter, and where it is."""

import importlib.util
import json
import shlex
import tomllib
from pathlib import Path

import pytest

from tests.benchmarks.test_injected import load
from tests.docs.stand_in import make

adapters = load("domain_adapters")


def test_every_suite_with_an_adapter_is_shipped_and_has_a_target() -> None:
    shipped = Path(__file__).parents[2] / "evalsuites"
    assert [suite for suite in adapters.METRICS if not (shipped / suite / "gates.toml").is_file()] == []
    assert make(["adapter", "SUITE=legal/clauses"]) == ""


@pytest.mark.parametrize("suite", ["legal/clause", ""])
def test_another_suite_is_one_line_with_those_that_have_one(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        adapters.main(["--only", suite, "--train-only"])
    said = capsys.readouterr().err
    assert (left.value.code, said.count("\n")) == (4, 1)
    assert said.startswith(f"{suite or 'no suite'}: expected one of legal/clauses, ")


def test_the_last_line_is_the_folder_of_the_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(adapters, "train", lambda suites, folder, setting: folder / "runs" / "r1")
    adapters.main(["--only", "legal/clauses", "--train-only", "--out", str(tmp_path)])
    assert capsys.readouterr().out == f"adapter: {tmp_path / 'legal-clauses' / 'runs' / 'r1' / 'adapter'}\n"


def test_options_reach_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(adapters, "python", lambda *words: ran.append(words))
    asked_of_rows: list[str] = []

    def write_rows(suite: str, folder: Path, tokens: int, setting: adapters.Setting) -> int:
        asked_of_rows.extend([setting.untuned, *shlex.split(setting.rows)])
        return tokens // 100

    monkeypatch.setattr(adapters, "write_rows", write_rows)
    run = tmp_path / "legal-clauses" / "runs" / "r1"
    run.mkdir(parents=True)
    (run / "MANIFEST.sha256").touch()
    merged = tmp_path / "merged"
    merged.mkdir()
    given = {"base": merged, "replay": 40, "rate": 5e-4, "seed": 8, "tokens": 4000}
    words = [f"--{name}={value}" for name, value in given.items()]
    adapters.main(
        [
            "--only",
            "legal/clauses",
            "--train-only",
            "--out",
            str(tmp_path),
            *words,
            "--rows=--without sale",
            "--first-layer=29",
        ]
    )
    assert asked_of_rows == [adapters.EMBEDDED, "--without", "sale"]
    config = tomllib.loads((tmp_path / "legal-clauses" / "train.toml").read_text("utf-8"))
    assert (
        config["lora"]["target_modules"][0] == "layers.29.self_attn.q_proj"
        and len(config["lora"]["target_modules"]) == 7
    )
    assert (config["base"], config["optim"]["lr"]) == (str(merged), 5e-4)
    assert (config["train"]["seed"], config["train"]["validate_every"]) == (8, (40 + 40) // 4 // 3)
    assert ran[0][-2:] == ("--rows", "40")


def test_another_model_is_tuned_replayed_and_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(adapters, "python", lambda *words: ran.append(words))
    monkeypatch.setattr(
        adapters, "write_rows", lambda suite, folder, tokens, setting: ran.append((setting.untuned,)) or 40
    )
    monkeypatch.setattr(adapters, "results", lambda suites, judged: [])
    monkeypatch.setattr(adapters, "training", lambda suites, trained: [])
    compared: list[str] = []
    monkeypatch.setattr(adapters, "compare", lambda *args: compared.append(args[3]))
    run = tmp_path / "legal-clauses" / "runs" / "r1"
    run.mkdir(parents=True)
    (run / "MANIFEST.sha256").touch()
    larger = tmp_path / "larger"
    larger.mkdir()
    adapters.main(["--only", "legal/clauses", "--untuned", str(larger), "--out", str(tmp_path)])
    config = tomllib.loads((tmp_path / "legal-clauses" / "train.toml").read_text("utf-8"))
    assert ran[0] == (str(larger),) and ran[1][:3] == (
        "evalsuites.general.basics.replay",
        "--checkpoint",
        str(larger),
    )
    assert (config["base"], compared) == (str(larger), [str(larger)])


def test_every_suite_has_a_module_for_its_rows() -> None:
    assert [suite for suite in adapters.METRICS if importlib.util.find_spec(adapters.rows_module(suite)) is None] == []


def test_rows_and_cases_are_written(tmp_path: Path) -> None:
    count = adapters.write_rows("policy/handbook", tmp_path, tokens=2000, setting=adapters.Setting(validation_rows=9))
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text("utf-8").splitlines()]
    assert 0 < count == len(rows) and all(row["messages"][-1]["role"] == "assistant" for row in rows)
    lines = {name: (tmp_path / f"{name}.jsonl").read_text("utf-8").splitlines() for name in ("validation", "dev_cases")}
    assert {name: len(texts) for name, texts in lines.items()} == {"validation": 9, "dev_cases": adapters.DEV_CASES}


def test_the_metric_of_several_suites_cannot_choose(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        adapters.main(["--select", "--together"])
    assert (left.value.code, capsys.readouterr().err.count("\n")) == (4, 1)
