"""Every picture belongs to a statement of the ledger, is drawn without warnings, and shows what it claims."""

import numpy as np
import pytest
from exactgen.proofs_check import ledger
from exactgen.proofs_check.figures import FIGURES, figure, render
from matplotlib.figure import Figure

DRAWINGS = {draw.__name__: draw for draw in FIGURES.values()}


def lines(name: str) -> dict[str, np.ndarray]:
    axes = Figure().add_subplot()
    DRAWINGS[name](axes)
    return {line.get_label(): np.asarray(line.get_ydata(), float) for line in axes.get_lines()}


def test_pictures_belong_to_statements():
    assert set(FIGURES) <= set(ledger.load())
    with pytest.raises(ValueError, match=r"BA\.alg1 has two figures"):
        figure("BA.alg1")(lambda axes: None)


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_are_files_of_their_kind(suffix, magic):
    assert render(FIGURES["BA.alg1"], suffix).startswith(magic)


def test_the_bias_decays_with_the_second_eigenvalue():
    drawn = lines("bias_of_contrastive_divergence")
    bias = drawn.pop("|expected CD-k update - gradient|, exact")
    (power,) = drawn.values()
    assert bias[-1] > 1e-12, "above the floor of rounding"
    np.testing.assert_allclose(bias[-5:], power[-5:], rtol=0.01)


def test_the_brackets_close_in_on_log_z():
    drawn = lines("brackets_of_the_partition_function")
    exact = drawn["exact"][0]
    below, above = drawn["forward: below, in expectation"], drawn["reverse: above, in expectation"]
    # A fixed stream and gaps of many standard errors at few temperatures; closed to a tenth at the last.
    assert np.all(below[:3] < exact)
    assert np.all(above[:3] > exact)
    assert max(abs(below[-1] - exact), abs(above[-1] - exact)) < 0.1


def test_newton_s_method_gets_where_em_would_go():
    em, newton = lines("certificate_by_step").values()
    np.testing.assert_allclose(newton[:33], em[:33], rtol=1e-9)  # the first 32 steps are EM's
    assert newton[-1] <= 1e-12 < 1e-6 < em[-1]
    assert np.all(np.diff(em[50:]) < 0)
