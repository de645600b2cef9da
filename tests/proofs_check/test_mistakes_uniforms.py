"""Uniform numbers that are decided by Bernoulli draws: each is one number, however often it is used."""

import numpy as np
import pytest
from exactgen.backends.enumerating import expect
from exactgen.proofs_check.mistakes import load
from exactgen.proofs_check.mistakes.uniforms import Uniforms
from exactgen.proofs_check.oracle.boltzmann import independent, law_of_outcomes
from exactgen.reference.boltzmann import rbm

P, Q = np.array([[0.3, 0.9]]), np.array([[0.5, 0.2]])


def law_of(function):
    outcomes = expect(lambda rng: function(rng))
    return law_of_outcomes(outcomes.values, np.exp(outcomes.log_weight[0]))


def test_a_number_used_once_is_uniform():
    law = law_of(lambda rng: Uniforms((1, 2), like=P).below(P, rng))
    np.testing.assert_allclose(law, independent([0.7, 0.3], [0.1, 0.9]), atol=1e-15)


def test_a_number_used_twice_is_the_same_number():
    def twice(rng):
        u = Uniforms((1, 2), like=P)
        return np.stack([u.below(P, rng), u.below(Q, rng)], axis=-1)

    # u < .3 and u < .5: both, the second only, none; u < .9 and u < .2: both, the first only, none.
    first, second = [0.5, 0.2, 0.0, 0.3], [0.1, 0.0, 0.7, 0.2]
    np.testing.assert_allclose(law_of(twice), independent(first, second), atol=1e-15)


def test_thresholds_beyond_the_unit_interval_decide_without_a_draw():
    outcomes = expect(lambda rng: Uniforms((1, 3), like=P).below(np.array([[-1.0, 3.0, np.nan]]), rng))
    mean = np.tensordot(np.exp(outcomes.log_weight[0]), outcomes.values, axes=1)
    np.testing.assert_array_equal(mean, [[0, 1, 0]])


def test_numbers_that_are_put_back_are_known():
    def again(rng):
        u = Uniforms((1, 1), like=P)
        part = u.first(2)
        x = part.below(P, rng)
        u.put_back(part)
        return np.stack([x, u.below(P, rng)], axis=-1)

    law = law_of(again).reshape(2, 2, 2, 2)
    np.testing.assert_allclose(law[0, 0].sum() + law[1, 1].sum(), 1)
    np.testing.assert_allclose(law[:, :, 1, 1].sum() + law[:, :, 0, 0].sum(), 1)


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("uniform-shared-by-units", np.kron([0.1, 0.6, 0.0, 0.3], [0.1, 0.6, 0.0, 0.3])),
        ("uniform-shared-by-rows", [0.07, 0, 0, 0, 0, 0.63, 0, 0, 0, 0, 0.03, 0, 0, 0, 0, 0.27]),
        ("inverted-comparison", np.kron(*2 * [np.kron([0.3, 0.7], [0.9, 0.1])])),
        ("thresholded", np.eye(16)[0b0101]),
    ],
)
def test_wrong_draws_have_their_laws(name, law):
    wrong = next(m for m in load("boltzmann") if m.label == name)
    with wrong.made():
        found = law_of(lambda rng: rbm.draw_hidden(np.repeat(P, 2, axis=0), rng))
    np.testing.assert_allclose(found, law, atol=1e-15)
