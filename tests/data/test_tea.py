"""Tea, checked against its description in words rather than against its generator."""

import math
from collections import Counter

import numpy as np
import pytest
from exactgen.data import independent_bernoulli_baseline, perfect_baseline, tea, tea_levels, tea_split


def images_from_words():
    """Every filling, written row by row from the bottom: a second construction without arrays."""
    found = set()
    for code in range(3**5):
        cups = [code // 3**k % 3 for k in range(5)]
        left = 50 - 5 * sum(cups)
        pot = "".join("#####" if 5 * row < left else "....." for row in range(10))  # from the bottom
        wet = "".join({0: "..........", 1: "#####.....", 2: "##########"}[cup] for cup in reversed(cups))
        rows = [pot[5 * r : 5 * r + 5] + wet[5 * r : 5 * r + 5] for r in range(10)]
        found.add("".join(reversed(rows)))
    return found


def test_tea_is_the_set_that_the_text_describes():
    rows = tea()
    assert rows.shape == (243, 100)
    assert rows.dtype == np.uint8
    assert {"".join(".#"[bit] for bit in row) for row in rows} == images_from_words()


def test_every_image_obeys_the_text():
    images = tea().reshape(243, 10, 10)
    assert len({image.tobytes() for image in images}) == 243
    assert np.all(images.sum(axis=(1, 2)) == 50)
    vessels = [images[:, :, :5], *(images[:, 2 * k : 2 * k + 2, 5:] for k in range(5))]
    for vessel in vessels:
        assert np.all(vessel == vessel[:, :, :1])  # the surface is level
        assert np.all(np.diff(vessel.astype(int), axis=1) >= 0)  # tea lies at the bottom


def test_levels_count_as_the_ledger_says():
    levels = tea_levels()
    assert np.all(levels.sum(axis=1) == 10)
    assert [Counter(levels[:, 0].tolist())[k] for k in range(11)] == [1, 5, 15, 30, 45, 51, 45, 30, 15, 5, 1]


def test_full_data_baseline_is_the_entropy_of_the_marginals():
    def entropy(p):
        return -sum(q * math.log(q) for q in (p, 1 - p) if q)

    reached = np.cumsum([1, 5, 15, 30, 45, 51, 45, 30, 15, 5]) / 243  # row k of the pot is dry this often
    expected = -5 * sum(entropy(p) for p in reached) - 50 * entropy(1 / 3)
    assert expected == pytest.approx(-48.039837, abs=5e-7)
    assert independent_bernoulli_baseline(tea(), tea(), smoothing=0.0) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("seed", [None, 0, 7])
def test_split_uses_every_image_once(seed):
    data = tea_split(seed)
    assert [part.shape for part in data[:3]] == [(81, 100)] * 3
    rows = np.concatenate(data[:3])
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in tea()}
    assert data.provenance.counts == (81, 81, 81)
    assert str(seed) in data.provenance.reading


def test_unshuffled_thirds_differ_in_the_first_cup():
    for cup, part in enumerate(tea_split(None)[:3]):
        assert np.all(part.reshape(81, 10, 10)[:, :2, 9].sum(axis=1) == cup)


def test_perfect_baseline_is_the_printed_one():
    assert round(perfect_baseline(243), 2) == -5.49
