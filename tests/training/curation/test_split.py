"""Splitting keeps documents and near copies whole, is decided by seed and content alone, and loses no row."""

import json
import random

import pytest

from harness.errors import UserError
from tests.training.curation.conftest import edited, prose, row
from training.curation.check import CheckSettings
from training.curation.clean import clean
from training.curation.review import review
from training.curation.split import SplitSettings, split
from training.data.rows import load_rows, shared_rows


def read(paths):
    return {path.stem: path.read_text("utf-8").splitlines() for path in paths if path.suffix == ".jsonl"}


def parts_of(paths):
    """Part by row."""
    return {line: part for part, lines in read(paths).items() for line in lines}


def near_pairs(count):
    """Each text with a near copy of it."""
    texts = [prose(n, 80) for n in range(count)]
    return [row(text) for text in texts] + [row(edited(text, 40)) for text in texts]


def test_near_copies_and_documents_stay_together(write_jsonl, tmp_path):
    named = [{**row(prose(f"{n}/{k}", 40)), "cluster": f"contract {n}"} for n in range(30) for k in range(3)]
    rows = [*near_pairs(30), *named]
    found, paths = split([str(write_jsonl(rows))], tmp_path / "out", SplitSettings(validation=0.2, test=0.1))
    part = parts_of(paths)
    lines = [json.dumps(one) for one in rows]
    assert sorted(part) == sorted(set(lines)) and len(lines) == sum(map(len, read(paths).values()))
    assert all(part[lines[n]] == part[lines[n + 30]] for n in range(30))
    assert all(len({part[lines[60 + 3 * n + k]] for k in range(3)}) == 1 for n in range(30))
    assert (found.groups, found.largest) == (60, 3)
    counts = {name: len(some) for name, some in read(paths).items()}
    assert 27 < counts["validation"] <= 30 and 12 < counts["test"] <= 15


def test_a_part_of_an_earlier_split_is_not_left_next_to_new_rows(write_jsonl, tmp_path):
    file, out = str(write_jsonl(near_pairs(30))), tmp_path / "out"
    split([file], out, SplitSettings(test=0.2))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(
        UserError, match=r"test\.jsonl is from an earlier split, and its rows may be in train\.jsonl now"
    ):
        split([file], out, SplitSettings(seed=1))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(("old", "new", "answer"), [("Read this", "READ THIS", "bill"), ("mail", "mail,", "Bill.")])
def test_rows_that_training_refuses_as_copies_stay_together(write_jsonl, tmp_path, old, new, answer):
    """Only one of them begins as the prompts of its task do, so only its text is compared without their lines."""
    rows = [row(f"Read this mail and sort it:\n{prose(n, 8)}", "bill") for n in range(40)]
    rows.append(row(rows[7]["instruction"].replace(old, new), answer))
    file = str(write_jsonl(rows))
    for seed in range(12):
        paths = split([file], tmp_path / "out", SplitSettings(seed=seed))[1]
        train, validation = (load_rows([str(path)]) for path in paths[:2])
        assert shared_rows(train, validation) == [], seed


def test_a_chain_of_near_copies_stays_together(write_jsonl, tmp_path):
    text = prose("chain", 80)
    chain = [text]
    for at in range(0, 80, 8):
        chain.append(edited(chain[-1], at))
    rows = [*(row(one) for one in chain), *(row(prose(n, 80)) for n in range(40))]
    _, paths = split([str(write_jsonl(rows))], tmp_path / "out", SplitSettings(validation=0.5, seed=3))
    part = parts_of(paths)
    assert len({part[json.dumps(row(one))] for one in chain}) == 1


def test_the_seed_and_the_content_decide_and_not_the_order(write_jsonl, tmp_path):
    rows = near_pairs(40)
    mixed = random.Random(1).sample(rows, len(rows))
    first = parts_of(split([str(write_jsonl(rows))], tmp_path / "a", SplitSettings(seed=5))[1])
    again = split([str(write_jsonl(rows))], tmp_path / "b", SplitSettings(seed=5))[1]
    other = parts_of(split([str(write_jsonl(mixed, "mixed.jsonl"))], tmp_path / "c", SplitSettings(seed=5))[1])
    assert first == parts_of(again) == other
    assert first != parts_of(split([str(write_jsonl(rows))], tmp_path / "d", SplitSettings(seed=6))[1])
    assert [p.read_bytes() for p in again] == [(tmp_path / "a" / p.name).read_bytes() for p in again]


def test_the_manifest_holds_hashes_and_counts(write_jsonl, tmp_path):
    import hashlib

    path = write_jsonl(near_pairs(20))
    _, paths = split([str(path)], tmp_path / "out", SplitSettings())
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert facts["inputs"][0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    for output in facts["outputs"]:
        written = (tmp_path / "out" / output["file"]).read_bytes()
        assert output["sha256"] == hashlib.sha256(written).hexdigest()
        assert output["rows"] == facts["rows"][output["file"].removesuffix(".jsonl")] == len(written.splitlines())
    assert (facts["joined_by_near_copies"], facts["groups"], facts["settings"]["seed"]) == (20, 20, 0)
    assert len(load_rows([str(p) for p in paths if p.suffix == ".jsonl"])) == 40


def test_the_data_card_of_cleaned_rows_goes_with_their_parts(write_jsonl, tmp_path):
    path, out = write_jsonl(near_pairs(20)), tmp_path / "out"
    card = path.with_name("data_card.md")
    card.write_text("# Data card\n", "utf-8")
    _, paths = split([str(path)], out, SplitSettings())
    assert out / card.name in paths and (out / card.name).read_bytes() == card.read_bytes()
    card.unlink()
    _, paths = split([str(path)], out, SplitSettings())
    assert out / card.name not in paths and not (out / card.name).exists()


@pytest.mark.parametrize(("settings", "message"), [
    ({"validation": 1.5}, "--validation is 1.5; expected a share"),
    ({"validation": 0.0}, "leave nothing to split"),
    ({"validation": 0.6, "test": 0.5}, "leave nothing to split"),
    ({"by": "document"}, "40 rows name no document, the first is"),
])  # fmt: skip
def test_settings_that_cannot_be_met_are_one_line(write_jsonl, tmp_path, settings, message):
    with pytest.raises(UserError, match=message) as refused:
        split([str(write_jsonl(near_pairs(20)))], tmp_path / "out", SplitSettings(**settings))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_one_document_cannot_be_split(write_jsonl, tmp_path):
    rows = [{**row(prose(n)), "source": "one"} for n in range(30)]
    with pytest.raises(UserError, match="the 30 rows are 1 groups that must stay whole, the largest of 30"):
        split([str(write_jsonl(rows))], tmp_path / "out", SplitSettings())
    found, _ = split([str(write_jsonl(rows))], tmp_path / "out", SplitSettings(by="input"))
    assert found.groups == 30
    replay = [one | {"source": "replay"} for one in rows]
    assert split([str(write_jsonl(replay))], tmp_path / "out", SplitSettings())[0].groups == 30


def test_an_input_is_never_written_over(write_jsonl, tmp_path):
    path = write_jsonl(near_pairs(20))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"train\.jsonl is an input file"):
        split([str(path)], tmp_path, SplitSettings())
    assert path.read_bytes() == before


def test_the_manifest_of_cleaned_rows_is_never_written_over(write_jsonl, tmp_path):
    found = review([str(write_jsonl(near_pairs(20), "mails.jsonl"))], CheckSettings(actions={"contamination": "skip"}))
    written = clean(found, tmp_path / "out")
    before = written[-1].read_bytes()
    with pytest.raises(UserError, match=r"manifest\.json there says that `tunegate data split` wrote it"):
        split([str(written[0])], tmp_path / "out", SplitSettings())
    assert written[-1].read_bytes() == before
