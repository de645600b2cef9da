"""Contrastive divergence against loops over every state, and against the exact law of its own draws."""

import itertools
import math

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import HostStream
from exactgen.reference.boltzmann.contrastive import (
    DOCUMENT,
    HIDDEN_CHAIN,
    Variant,
    cd_step,
    expected_cd_step,
    expected_pcd_step,
    pcd_step,
)
from exactgen.reference.boltzmann.likelihood import log_likelihood_grad
from exactgen.reference.boltzmann.rbm import RBM

VARIANTS = [Variant(*how) for how in itertools.product(("mean", "sample"), repeat=3)]
PERSISTENT = [v._replace(chain=layer) for v in VARIANTS for layer in ("visible", "hidden")]
W = np.array([[0.7, -1.2], [0.4, 0.9], [-1.5, 0.3]])
B, C = np.array([0.2, -0.4, 0.6]), np.array([-0.3, 0.5])
DATA = np.array([[1, 0, 1], [0, 1, 1]])
CHAINS = {
    "visible": np.array([[0, 0, 1], [1, 1, 1], [1, 1, 1], [1, 0, 0]]),
    "hidden": np.array([[0, 1], [1, 1], [1, 1], [0, 0]]),
}


@pytest.fixture
def theta(xp):
    return RBM(xp(W), xp(B), xp(C))


# --- an oracle without arrays: dictionaries of laws over tuples of bits ---------------------------


def p_on(inputs):
    return [1 / (1 + math.exp(-x)) for x in inputs]


def up(v):
    return p_on([C[j] + sum(v[i] * W[i, j] for i in range(3)) for j in range(2)])


def down(h):
    return p_on([B[i] + sum(W[i, j] * h[j] for j in range(2)) for i in range(3)])


def push(law, means, units):
    """Return the law of the next layer: independent units with these means given each state."""
    out = {}
    for state, weight in law.items():
        p = means(state)
        for x in itertools.product((0, 1), repeat=units):
            q = math.prod(pi if xi else 1 - pi for pi, xi in zip(p, x, strict=True))
            out[x] = out.get(x, 0.0) + weight * q
    return out


def brute_statistics(law):
    """Return the mean of (v h^T, v, h), h the mean given v, over a law of v (binary or not)."""
    total = [np.zeros((3, 2)), np.zeros(3), np.zeros(2)]
    for v, weight in law.items():
        h = up(v)
        for i in range(3):
            total[1][i] += weight * v[i]
            for j in range(2):
                total[0][i, j] += weight * v[i] * h[j]
        for j in range(2):
            total[2][j] += weight * h[j]
    return total


def empirical(rows):
    law = {}
    for row in rows:
        law[tuple(map(int, row))] = law.get(tuple(map(int, row)), 0.0) + 1 / len(rows)
    return law


def brute_expected(data, chains, k, variant):
    """Return the expected direction; chains that carry h are told by their width."""
    law = empirical(chains)
    hidden = law if np.shape(chains)[1] == 2 else push(law, up, 2)
    for _ in range(k - 1):
        hidden = push(push(hidden, down, 3), up, 2)
    law = push(hidden, down, 3)
    if variant.negative_visible == "mean":
        law = {tuple(down(h)): weight for h, weight in hidden.items()}
    return [d - m for d, m in zip(brute_statistics(empirical(data)), brute_statistics(law), strict=True)]


def assert_same(direction, expected, atol=1e-13):
    for got, want in zip(direction, expected, strict=True):
        np.testing.assert_allclose(to_numpy(got), want, atol=atol, rtol=0)


# --- exact expectations ---------------------------------------------------------------------------


@pytest.mark.parametrize("variant", PERSISTENT)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_expected_steps_are_those_of_loops_over_states(xp, theta, k, variant):
    cd = expected_cd_step(theta, xp(DATA), k=k, variant=variant)
    assert_same(cd, brute_expected(DATA, DATA, k, variant))
    chains = CHAINS[variant.chain]
    pcd = expected_pcd_step(theta, xp(DATA), xp(chains), k=k, variant=variant)
    assert_same(pcd, brute_expected(DATA, chains, k, variant))


def outer_rows(values):
    """Return per-row statistics of (data, model) flattened side by side."""
    v, (_, info) = values
    sides = []
    for rows, h in ((v, info.h_data), (info.v_model, info.h_model)):
        rows, h = to_numpy(rows), to_numpy(h)
        sides += [(rows[:, :, None] * h[:, None, :]).reshape(len(rows), -1), rows, h]
    return np.concatenate(sides, axis=1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("k", [1, 2])
def test_cd_over_all_its_draws_has_the_expected_direction(theta, xp, k, variant):
    v = xp(DATA)
    outcomes = expect(lambda rows, rng: (rows, cd_step(theta, rows, k=k, rng=rng, variant=variant)), v)
    rows = outer_rows(outcomes.values)
    weight = np.exp(to_numpy(outcomes.log_weight))
    mean = np.einsum("io,iox->x", weight, rows.reshape(*weight.shape, -1)) / len(DATA)
    data, model = mean[: 6 + 3 + 2], mean[6 + 3 + 2 :]
    contrast = np.split(data - model, [6, 9])
    contrast[0] = contrast[0].reshape(3, 2)
    assert_same(expected_cd_step(theta, v, k=k, variant=variant), contrast)


@pytest.mark.parametrize("variant", PERSISTENT)
def test_pcd_over_all_its_draws_has_the_expected_direction(variant):
    """Two data rows and one chain: nothing can be averaged over the rows of the wrong phase."""
    theta, v, chains = RBM(W, B, C), DATA * 1.0, CHAINS[variant.chain][:1] * 1.0
    outcomes = expect(lambda rng: pcd_step(theta, v, chains, k=1, rng=rng, variant=variant))
    direction, info = outcomes.values
    weight = np.exp(outcomes.log_weight[0])
    np.testing.assert_allclose(weight.sum(), 1, rtol=1e-13)
    mean = [np.tensordot(weight, field, axes=1) for field in direction]
    assert_same(expected_pcd_step(theta, v, chains, k=1, variant=variant), mean)
    # The chains advance by the Gibbs kernel of their layer, whatever the variant contrasts.
    law = empirical(chains)
    law = push(push(law, up, 2), down, 3) if variant.chain == "visible" else push(push(law, down, 3), up, 2)
    for state, p in law.items():
        here = np.all(info.chains[:, 0, :] == np.array(state), axis=1)
        np.testing.assert_allclose(weight @ here, p, rtol=1e-12)


def test_a_drawn_negative_h_is_what_the_hidden_chain_carries(xp, theta):
    """One draw beside the v of the chain, not two: the statistics are those of the chain's own pairs."""
    variant = HIDDEN_CHAIN._replace(negative_hidden="sample")
    _, info = pcd_step(theta, xp(DATA), xp(CHAINS["hidden"]), k=2, rng=HostStream(8), variant=variant)
    np.testing.assert_array_equal(to_numpy(info.h_model), to_numpy(info.chains))


def layer_law(layer):
    """Return the exact law of one layer of the machine, by its pairs."""
    pairs = [(v, h) for v in itertools.product((0, 1), repeat=3) for h in itertools.product((0, 1), repeat=2)]
    weights = [math.exp(np.array(v) @ W @ np.array(h) + B @ v + C @ h) for v, h in pairs]
    law = {}
    for pair, weight in zip(pairs, weights, strict=True):
        state = pair[layer == "hidden"]
        law[state] = law.get(state, 0.0) + weight / sum(weights)
    return law


def averaged(xp, theta, law, k, variant):
    """Return the mean over a law of where a single chain stands of the expected direction."""
    total = [np.zeros((3, 2)), np.zeros(3), np.zeros(2)]
    for state, p in law.items():
        step = expected_pcd_step(theta, xp(DATA), xp([state]), k=k, variant=variant)
        total = [t + p * to_numpy(field) for t, field in zip(total, step, strict=True)]
    return total


@pytest.mark.parametrize("variant", [DOCUMENT, HIDDEN_CHAIN])
@pytest.mark.parametrize("k", [1, 3])
def test_chains_drawn_from_the_machine_make_the_likelihood_gradient(xp, theta, k, variant):
    """[BA] eq. 8-10 with exact samples in place of the point estimate are [BA] eq. 7; a mean v is none."""
    law = layer_law(variant.chain)
    exact = [to_numpy(field) for field in log_likelihood_grad(theta, xp(DATA))]
    assert_same(averaged(xp, theta, law, k, variant), exact)
    mean_field = averaged(xp, theta, law, k, variant._replace(negative_visible="mean"))
    np.testing.assert_allclose(mean_field[1], exact[1], atol=1e-13)
    assert np.max(np.abs(mean_field[0] - exact[0])) > 1e-3


@pytest.mark.parametrize("k", [1, 3])
def test_a_chain_carries_v_or_the_h_drawn_from_it_alike(xp, theta, k):
    """Between two steps with the same parameters, where the chain is cut makes no difference."""
    at_v = expected_pcd_step(theta, xp(DATA), xp([[1, 0, 1]]), k=k, variant=DOCUMENT)
    law = push({(1, 0, 1): 1.0}, up, 2)
    assert_same(at_v, averaged(xp, theta, law, k, HIDDEN_CHAIN))


def test_many_steps_forget_the_data(xp, theta):
    exact = [to_numpy(field) for field in log_likelihood_grad(theta, xp(DATA))]
    assert_same(expected_cd_step(theta, xp(DATA), k=200), exact, atol=1e-12)


# --- one draw -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", PERSISTENT)
def test_the_direction_contrasts_the_rows_of_the_info(xp, theta, variant):
    v, chains = xp(DATA), xp(CHAINS[variant.chain])
    cd, cd_info = cd_step(theta, v, k=3, rng=HostStream(5), variant=variant)
    pcd, pcd_info = pcd_step(theta, v, chains, k=3, rng=HostStream(6), variant=variant)
    for direction, info in ((cd, cd_info), (pcd, pcd_info)):
        h, v_model, h_model = (to_numpy(info.h_data), to_numpy(info.v_model), to_numpy(info.h_model))
        expected = [
            sum(np.outer(a, x) for a, x in zip(DATA, h, strict=True)) / len(DATA)
            - sum(np.outer(a, x) for a, x in zip(v_model, h_model, strict=True)) / len(v_model),
            DATA.mean(axis=0) - v_model.mean(axis=0),
            h.mean(axis=0) - h_model.mean(axis=0),
        ]
        assert_same(direction, expected)
        beside = {
            "data": (DATA, h, variant.positive_hidden),
            "model": (v_model, h_model, variant.negative_hidden),
        }
        for rows, hidden, how in beside.values():
            if how == "mean":
                np.testing.assert_allclose(hidden, [up(row) for row in rows], atol=1e-14)
            else:
                assert set(np.unique(hidden)) <= {0, 1}
        if variant.negative_visible == "sample":
            assert set(np.unique(v_model)) <= {0, 1}
        else:
            assert np.all((v_model > 0) & (v_model < 1))
    assert len(to_numpy(cd_info.v_model)) == len(DATA)
    assert to_numpy(pcd_info.chains).shape == CHAINS[variant.chain].shape
    assert set(np.unique(to_numpy(pcd_info.chains))) <= {0, 1}


def test_float32_stays_float32(xp):
    theta, v = RBM(xp(W, "float32"), xp(B, "float32"), xp(C, "float32")), xp(DATA, "float32")
    for variant in (DOCUMENT, HIDDEN_CHAIN):
        chains = xp(CHAINS[variant.chain], "float32")
        direction, info = pcd_step(theta, v, chains, k=2, rng=3, variant=variant)
        expected = expected_pcd_step(theta, v, chains, k=2, variant=variant)
        for array in (*direction, *info, *expected):
            assert array.dtype == v.dtype
    assert_same(expected_cd_step(theta, v, k=2), brute_expected(DATA, DATA, 2, DOCUMENT), atol=1e-6)


def test_the_same_seed_draws_the_same_step(xp, theta):
    first, again = (cd_step(theta, xp(DATA), k=2, rng=11)[0] for _ in range(2))
    assert_same(first, [to_numpy(field) for field in again], atol=0)


def test_cd_has_no_chain_to_carry(xp, theta):
    carried, not_carried = (
        cd_step(theta, xp(DATA), k=2, rng=11, variant=variant) for variant in (HIDDEN_CHAIN, DOCUMENT)
    )
    for got, want in zip((*carried[0], *carried[1]), (*not_carried[0], *not_carried[1]), strict=True):
        np.testing.assert_array_equal(to_numpy(got), to_numpy(want))


# --- bad input ------------------------------------------------------------------------------------

NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v": np.zeros((0, 3))}, r"v must have shape \(n >= 1, 3\), got \(0, 3\)"),
        ({"v": np.zeros((2, 4))}, r"v must have shape \(n >= 1, 3\), got \(2, 4\)"),
        ({"v": np.zeros(3)}, "v must have shape"),
        ({"v": np.array([[0, 1, 0.5]])}, r"v must hold zeros and ones.*0\.5 at index \[0, 2\]"),
        ({"v": np.array([[0, NAN, 1]])}, r"v must hold zeros and ones.*nan at index \[0, 1\]"),
        ({"v": DATA.astype("float32")}, "v must have the dtype of the parameters"),
        ({"chains": np.zeros((0, 3))}, r"chains must have shape"),
        ({"chains": np.array([[2.0, 0, 0]])}, r"chains must hold zeros and ones"),
        (
            {"chains": np.zeros((4, 2))},
            r"chains \(visible rows\) must have shape \(n >= 1, 3\), got \(4, 2\)",
        ),
        (
            {"chains": np.zeros((4, 3)), "variant": HIDDEN_CHAIN},
            r"chains \(hidden rows\) must have shape \(n >= 1, 2\), got \(4, 3\)",
        ),
        (
            {"chains": np.array([[0, 0.5]]), "variant": HIDDEN_CHAIN},
            r"chains must hold zeros and ones.*0\.5 at index \[0, 1\]",
        ),
        ({"chains": np.zeros((4, 2), "float32"), "variant": HIDDEN_CHAIN}, "the dtype of the parameters"),
        (
            {"variant": DOCUMENT._replace(chain="mean")},
            "variant.chain must be one of 'visible', 'hidden', got 'mean'",
        ),
        ({"k": 0}, "k must be an integer of at least 1, got 0"),
        ({"k": 1.0}, "k must be an integer"),
        (
            {"variant": Variant("mean", "median", "mean")},
            "variant.negative_visible must be one of 'mean', 'sample'",
        ),
        ({"theta": RBM(W * NAN, B, C)}, "theta.W must hold finite numbers"),
        ({"theta": RBM(W, C, B)}, r"theta.b must have shape \(3\)"),
    ],
)
def test_bad_input_is_refused_by_name(change, message):
    given = {
        "theta": RBM(W, B, C),
        "v": DATA * 1.0,
        "chains": CHAINS["visible"] * 1.0,
        "k": 1,
        "variant": DOCUMENT,
    } | change
    options = {"k": given["k"], "variant": given["variant"]}
    calls = {
        pcd_step: (given["theta"], given["v"], given["chains"]),
        expected_pcd_step: (given["theta"], given["v"], given["chains"]),
    }
    if "chains" not in change:
        calls |= {cd_step: (given["theta"], given["v"]), expected_cd_step: (given["theta"], given["v"])}
    for step, arguments in calls.items():
        with pytest.raises(ValueError, match=message):
            step(*arguments, **options, **({} if "expected" in step.__name__ else {"rng": 0}))


def test_enumeration_that_would_not_fit_is_refused():
    theta = RBM(np.zeros((60, 30)), np.zeros(60), np.zeros(30))
    with pytest.raises(ValueError, match=r"states \([\d,]+ bytes"):
        expected_cd_step(theta, np.zeros((5, 60)), k=1)
