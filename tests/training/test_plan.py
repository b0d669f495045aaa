"""The plan sees every row once a pass, whatever the packing and the number of devices."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.batching import SHORTEST_PREFIX, SPREAD, common_prefix, groups_of, order, pack, planned, share
from training.config import Train
from training.data.tokenize import Document

lengths = st.lists(st.integers(2, 40), min_size=1, max_size=20)


def document(length, first=0):
    return Document(ids=list(range(first, first + length)), mask=[0] * (length - 1) + [1])


@given(rows=st.integers(1, 50), rows_per_step=st.integers(1, 9), epochs=st.integers(1, 3), seed=st.integers(0, 5))
def test_every_row_comes_once_a_pass(rows, rows_per_step, epochs, seed):
    settings = Train(rows_per_step=rows_per_step, epochs=epochs, seed=seed)
    steps = order(rows, settings)
    assert Counter(i for step in steps for i in step) == Counter(dict.fromkeys(range(rows), epochs))
    assert planned(rows, settings) == (len(steps), rows * epochs) and len(steps) == -(-rows * epochs // rows_per_step)


def test_a_share_of_an_epoch_that_is_less_than_a_row_trains_on_one():
    assert len(order(100, Train(epochs=0.004))) == 1


def test_max_steps_fills_every_step_and_passes_differ_in_order():
    steps = order(8, Train(rows_per_step=4, max_steps=6, seed=1))
    assert [len(step) for step in steps] == [4] * 6
    assert steps[0] + steps[1] != steps[2] + steps[3]
    assert order(8, Train(rows_per_step=4, max_steps=6, seed=2)) != steps


@given(groups=st.lists(st.integers(0, 4), min_size=1, max_size=40), size=st.integers(1, 5), epochs=st.integers(1, 3))
def test_grouped_steps_have_every_row_once_a_pass_and_rarely_mix(groups, size, epochs):
    rows = len(groups)
    steps = order(rows, Train(rows_per_step=size, epochs=epochs, seed=3), groups)
    assert Counter(i for step in steps for i in step) == Counter(dict.fromkeys(range(rows), epochs))
    assert [len(step) for step in steps[:-1]] == [size] * (len(steps) - 1)
    pure = sum(len({groups[i] for i in step}) == 1 for step in steps)
    assert pure >= sum(count // size for count in Counter(groups).values()) * epochs - epochs


@given(
    grouped=st.lists(st.integers(0, 4), max_size=40),
    spread=st.integers(0, 30),
    size=st.integers(1, 5),
    epochs=st.integers(1, 2),
)
def test_spread_rows_come_evenly_between_those_of_groups(grouped, spread, size, epochs):
    groups = [*grouped, *[SPREAD] * spread] or [SPREAD]
    rows = len(groups)
    steps = order(rows, Train(rows_per_step=size, epochs=epochs, seed=3), groups)
    assert Counter(i for step in steps for i in step) == Counter(dict.fromkeys(range(rows), epochs))
    first = [sum(groups[i] == SPREAD for i in step) for step in steps[: rows // size]]
    if first and spread <= len(first) * size:
        assert max(first) - min(first) <= 1


def test_replay_rows_belong_to_no_group_and_share_no_pass_with_others():
    rows = [document(12, first=n % 2 * 100) for n in range(6)]
    replay = [msgspec.structs.replace(row, is_distilled=True) for row in rows[:2]]
    assert groups_of([*rows, *replay], Train(group_prefix=True)).count(SPREAD) == 2
    assert sorted((m.is_distilled, len(m.lengths)) for m in pack([*rows, *replay], 1000)) == [(False, 6), (True, 2)]


@given(sizes=lengths, pack_tokens=st.integers(0, 60))
def test_packing_keeps_every_document_whole(sizes, pack_tokens):
    documents = [document(size, first=100 * n) for n, size in enumerate(sizes)]
    micros = pack(documents, pack_tokens)
    found = []
    for micro in micros:
        starts = [at for at, position in enumerate(micro.positions) if position == 0]
        ends = [*starts[1:], len(micro.ids)]
        assert [end - start for start, end in zip(starts, ends, strict=True)] == micro.lengths
        assert micro.answers == [end - 1 for end in ends]
        assert len(micro.ids) <= pack_tokens or len(starts) == 1
        found += [micro.ids[start:end] for start, end in zip(starts, ends, strict=True)]
    assert sorted(found) == sorted(d.ids for d in documents)


@given(
    heads=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60), st.integers(2, 30)), min_size=1, max_size=24),
    pack_tokens=st.integers(1, 400),
)
def test_packing_by_beginnings_keeps_every_document_whole(heads, pack_tokens):
    """A document begins as one of four texts does, as far as it goes, and ends in its own way."""
    documents = []
    for number, (text, shared, own) in enumerate(heads):
        ids = [*range(1000 * text, 1000 * text + shared), *range(10_000 + 100 * number, 10_000 + 100 * number + own)]
        documents.append(Document(ids=ids, mask=[0] * (len(ids) - 1) + [1]))
    found, learnt = [], 0
    for micro in pack(documents, pack_tokens, share_prefix=True):
        head, at = micro.ids[: micro.prefix], micro.prefix
        for length in micro.lengths:
            found.append([*head, *micro.ids[at : at + length]])
            assert micro.positions[at : at + length] == list(range(micro.prefix, micro.prefix + length))
            at += length
            assert at - 1 in micro.answers
        assert at == len(micro.ids) and micro.positions[: micro.prefix] == list(range(micro.prefix))
        learnt += len(micro.answers)
    assert sorted(found) == sorted(d.ids for d in documents) and learnt == len(documents)


def test_rows_of_two_kinds_share_each_their_own_beginning():
    """Four excerpts of one instruction, three of another, and two requests that begin like nothing else."""
    heads = [range(40)] * 4 + [range(500, 560)] * 3 + [range(900, 910), range(950, 980)]
    documents = [
        Document(ids=[*head, 2000 + n, 2100 + n, 2], mask=[0] * len(head) + [0, 1, 1]) for n, head in enumerate(heads)
    ]
    micros = pack(documents, 512, share_prefix=True)
    assert sorted((m.prefix, len(m.lengths)) for m in micros) == [(0, 2), (40, 4), (60, 3)]
    assert sum(len(m.ids) for m in micros) == 40 + 60 + 10 + 30 + 3 * 9


def test_the_token_before_an_answer_is_never_shared():
    head = list(range(40, 64))
    assert common_prefix([Document(ids=[*head, 5, 2], mask=[0] * len(head) + [1, 1])] * 2) == len(head) - 1


@pytest.mark.parametrize("documents", [[document(29)], [document(SHORTEST_PREFIX + 1), document(29)]])
def test_rows_with_little_in_common_share_nothing(documents):
    assert common_prefix(documents) == 0
    assert all(m.prefix == 0 for m in pack(documents, 512, share_prefix=True))


def test_a_beginning_that_saves_little_gets_no_pass_of_its_own():
    heads = [range(20)] * 2 + [range(900, 930)] * 2
    documents = [Document(ids=[*head, 2000 + n, 2], mask=[0] * len(head) + [0, 1]) for n, head in enumerate(heads)]
    assert [(m.prefix, len(m.lengths)) for m in pack(documents, 512, share_prefix=True)] == [(0, 4)]


def test_many_rows_that_begin_alike_by_degrees_are_packed_in_little_time():
    documents = [Document(ids=[*range(n), 5000 + n, 2], mask=[0] * (n + 1) + [1]) for n in range(1, 1500)]
    micros = pack(documents, 4096, share_prefix=True)
    assert sum(len(m.answers) for m in micros) == len(documents)


@given(sizes=lengths, ranks=st.integers(1, 5))
def test_devices_share_a_step_evenly_and_fillers_weigh_nothing(sizes, ranks):
    micros = pack([document(size, first=100 * n) for n, size in enumerate(sizes)], 50)
    parts = [share(micros, rank, ranks) for rank in range(ranks)]
    assert len({len(part) for part in parts}) == 1
    real = [m.ids for part in parts for m in part if m.weight]
    assert sorted(real) == sorted(m.ids for m in micros)
