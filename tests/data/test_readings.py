"""The statements of docs/datasets.md about Tea, by a second computation; the pictures are drawn."""

import numpy as np
import pytest
from exactgen.data import readings, tea


def test_tea_spread_agrees_with_splits_of_another_generator():
    """Laplace fits, 400 splits: two independent means of deviation 1.1 differ by less than 0.5 (6 s.e.)."""
    rng = np.random.default_rng(11)
    values = []
    for _ in range(400):
        rows = tea()[rng.permutation(243)].astype(float)
        p = (rows[:81].sum(axis=0) + 1) / 83
        values.append(np.mean(np.log(np.where(rows[81:162] == 1, p, 1 - p)).sum(axis=1)))
    spread = next(s for s in readings.tea_spreads(draws=400) if s.reading == "add 1")
    assert spread.mean == pytest.approx(np.mean(values), abs=0.5)
    assert spread.mean == pytest.approx(-48.84, abs=0.4)
    assert 0.2 < spread.below < 0.5
    assert spread.finite == 1


def test_no_unshuffled_tea_split_gives_the_printed_number():
    found = readings.tea_candidates()
    assert len(found) == 3 * 2 * 2 * 6 * len(readings.FITS)
    assert abs(found[0][1] - readings.TEA_PRINTED) > 0.01


@pytest.mark.usefixtures("real_digits")
def test_pictures_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    readings.draw_figures(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tea.png", "cmnist.png"}
