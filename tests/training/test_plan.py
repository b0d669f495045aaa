"""The plan sees every row once a pass, whatever the packing and the number of devices."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from training.data import Document
from training.plan import order, pack, share, total_steps

lengths = st.lists(st.integers(2, 40), min_size=1, max_size=20)


def document(length, first=0):
    return Document(ids=list(range(first, first + length)), mask=[0] * (length - 1) + [1])


@given(rows=st.integers(1, 50), rows_per_step=st.integers(1, 9), epochs=st.integers(1, 3), seed=st.integers(0, 5))
def test_every_row_comes_once_a_pass(rows, rows_per_step, epochs, seed):
    steps = order(rows, rows_per_step, total_steps(rows, rows_per_step, epochs, None), seed, epochs)
    assert Counter(i for step in steps for i in step) == Counter(dict.fromkeys(range(rows), epochs))
    assert len(steps) == -(-rows * epochs // rows_per_step)


def test_max_steps_fills_every_step_and_passes_differ_in_order():
    steps = order(8, 4, 6, seed=1, epochs=None)
    assert [len(step) for step in steps] == [4] * 6
    assert steps[0] + steps[1] != steps[2] + steps[3]
    assert order(8, 4, 6, seed=2, epochs=None) != steps


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


@given(sizes=lengths, ranks=st.integers(1, 5))
def test_devices_share_a_step_evenly_and_fillers_weigh_nothing(sizes, ranks):
    micros = pack([document(size, first=100 * n) for n, size in enumerate(sizes)], 50)
    parts = [share(micros, rank, ranks) for rank in range(ranks)]
    assert len({len(part) for part in parts}) == 1
    real = [m.ids for part in parts for m in part if m.weight]
    assert sorted(real) == sorted(m.ids for m in micros)
