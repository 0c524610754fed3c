import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from o1_assets.reward.tree import StepSequence, batches, pack, pack_steps

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(sequences, st.integers(4, 20))
def test_every_sequence_is_found_whole_in_one_row_and_sees_exactly_itself(given_sequences, limit):
    rows = pack(given_sequences, limit)
    found = {}
    for row in rows:
        seen = row.visible()
        for index, path in row.paths.items():
            assert index not in found
            found[index] = [row.tokens[i] for i in path]
            assert [row.positions[i] for i in path] == list(range(len(path)))
            for depth, node in enumerate(path):
                assert sorted(np.flatnonzero(seen[node])) == sorted(path[: depth + 1])
    assert found == dict(enumerate(given_sequences))


@settings(max_examples=60, deadline=None)
@given(sequences, st.integers(4, 20))
def test_only_a_sequence_longer_than_the_limit_makes_a_row_longer_than_the_limit(given_sequences, limit):
    for row in pack(given_sequences, limit):
        assert len(row) <= max(limit, max(len(given_sequences[i]) for i in row.paths))


def test_a_shared_prefix_stands_once():
    (row,) = pack([[1, 2, 3], [1, 2, 4], [1, 2, 3]])
    assert len(row) == 4
    assert row.paths[0].tolist() == row.paths[2].tolist()


def test_a_token_that_ends_a_step_of_one_sequence_alone_stands_twice():
    """A solution that was cut off within a step is read there, and not in the middle of another's longer step."""
    whole, cut_off = StepSequence((1, 2, 3), 1, (2,)), StepSequence((1, 2), 1, (1,))
    (row,) = pack_steps([whole, cut_off])
    assert sorted(row.tokens) == [1, 2, 2, 3]
    assert [row.tokens[i] for i in row.paths[0]] == [1, 2, 3] and [row.tokens[i] for i in row.paths[1]] == [
        1,
        2,
    ]
    (row,) = pack_steps([whole, whole])
    assert row.tokens == [1, 2, 3]


def test_batches_hold_every_row_once_within_the_token_budget():
    rows = pack([[i] * (i + 1) for i in range(20)], 1)
    chosen = list(batches(rows, 40))
    assert sorted(i for batch in chosen for i in batch) == list(range(20))
    assert all(len(batch) * max(len(rows[i]) for i in batch) <= 40 for batch in chosen)
