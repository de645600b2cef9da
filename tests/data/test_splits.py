import numpy as np
import pytest
from exactgen.data import split


def test_parts_are_disjoint_rows_in_the_sizes_asked_for():
    rows = np.arange(10)[:, None] * np.ones(3, dtype=int)
    parts = split(rows, (4, 3, 2), seed=5)
    assert [part.shape for part in parts] == [(4, 3), (3, 3), (2, 3)]
    assert len({int(row[0]) for part in parts for row in part}) == 9


def test_no_seed_keeps_the_order():
    parts = split(np.arange(6), (1, 2, 3), seed=None)
    assert [part.tolist() for part in parts] == [[0], [1, 2], [3, 4, 5]]


def test_a_seed_means_these_rows_for_good():
    """The numbers of MT19937 seed 0, as every NumPy since 1.7 gives them."""
    assert split(np.arange(10), (10, 0, 0), seed=0).train.tolist() == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]
    assert split(np.arange(10), (10, 0, 0), seed=1).train.tolist() != [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]


def test_parts_are_copies():
    rows = np.arange(6)
    split(rows, (2, 2, 2), seed=None).train[:] = 9
    assert rows.tolist() == list(range(6))


@pytest.mark.parametrize("sizes", [(1, 2), (3, -1, 1), (5, 5, 1)])
def test_impossible_sizes_are_named(sizes):
    with pytest.raises(ValueError, match="sizes") as caught:
        split(np.arange(10), sizes, seed=0)
    assert str(sizes) in str(caught.value)
