"""Deep directed models against loops over every joint state, and differences of the likelihood."""

from itertools import product
from math import exp, log

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed.belief import (
    compose,
    joint_law,
    log_law,
    log_likelihood,
    log_likelihood_grad,
    posterior,
    sample,
    state_law,
)
from exactgen.reference.directed.layers import (
    Sigmoid,
    Table,
    log_conditional_table,
    state_numbers,
    states_above,
    states_below,
    table_layer,
)
from exactgen.reference.directed.products import law_of_means
from exactgen.reference.trees import leaves, rebuild

RNG = np.random.default_rng(5)
S32 = (np.array([[0.7, -1.1], [1.6, 0.9], [-0.6, 1.3]]), np.array([0.3, -0.5, -1.2]))  # 3 bits given 2
S23 = (np.array([[0.4, -0.8, 1.9], [1.2, 0.5, -0.7]]), np.array([-0.1, 0.6]))
S30 = (np.zeros((3, 0)), np.array([0.4, -1.0, 0.2]))  # 3 independent bits, on top
T54 = RNG.normal(size=(5, 4))
T43 = np.log(np.array([[0.2, 0.0, 0.5], [0.3, 0.0, 0.5], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]) + 1e-300)
T43[T43 < -600] = -np.inf
T31 = np.array([[0.1], [-0.7], [0.4]])
T81 = RNG.normal(size=(8, 1))
MACHINE = (
    np.array([[0.9, -0.4], [-1.1, 0.6], [0.2, 0.8]]),
    np.array([0.1, -0.3, 0.5]),
    np.array([0.7, -0.2]),
)

NETS = {
    "sigmoid, sigmoid, bits": [(Sigmoid, *S32), (Sigmoid, *S23), (Sigmoid, *S30)],
    "sigmoid, sigmoid, table": [(Sigmoid, *S32), (Sigmoid, *S23), (Table, T81)],
    "sigmoid, sigmoid, machine": [(Sigmoid, *S32), (Sigmoid, *S23), (RBM, *MACHINE)],
    "tables with zeros": [(Table, T54), (Table, T43), (Table, T31)],
    "table, sigmoid, bits": [(Table, T54), (Sigmoid, *S23), (Sigmoid, *S30)],
    "sigmoid, table, table": [(Sigmoid, *S32), (Table, T43), (Table, T31)],
    "one table": [(Table, T81)],
    "independent bits": [(Sigmoid, *S30)],
    "one machine": [(RBM, *MACHINE)],
}


@pytest.fixture(params=NETS)
def values(request):
    return NETS[request.param]


def build(values, arr):
    return tuple(kind(*(arr(x) for x in arrays)) for kind, *arrays in values)


def bits(number, units):
    return [number >> (units - 1 - i) & 1 for i in range(units)]


def brute_probability(kind, arrays, x, h):
    """P(x | h) of two numbered states, in plain Python."""
    if kind is Table:
        weights = [exp(v) for v in arrays[0][:, h]]
        return weights[x] / sum(weights)
    if kind is RBM:
        W, b, c = arrays

        def weight(v):
            total = 1.0
            for j in range(len(c)):
                total *= 1 + exp(c[j] + sum(v[i] * W[i, j] for i in range(len(b))))
            return total * exp(sum(v[i] * b[i] for i in range(len(b))))

        every = [weight(bits(s, len(b))) for s in range(2 ** len(b))]
        return every[x] / sum(every)
    W, b = arrays
    xs, hs, p = bits(x, len(b)), bits(h, W.shape[1]), 1.0
    for i in range(len(b)):
        on = 1 / (1 + exp(-(b[i] + sum(W[i, j] * hs[j] for j in range(W.shape[1])))))
        p *= on if xs[i] else 1 - on
    return p


def sizes(values):
    return [2 ** len(a[1]) if kind is not Table else a[0].shape[0] for kind, *a in values]


def brute_joint(values):
    shape = sizes(values)
    joint = np.zeros(shape)
    for states in product(*map(range, shape)):
        p = 1.0
        for (kind, *arrays), x, h in zip(values, states, (*states[1:], 0), strict=True):
            p *= brute_probability(kind, arrays, x, h)
        joint[states] = p
    return joint


def rows(values, arr, numbers):
    kind, *arrays = values[0]
    if kind is Table:
        return arr(numbers, dtype="int64")
    return arr([bits(s, len(arrays[1])) for s in numbers])


def test_joint_and_laws_are_those_of_loops(values, arr):
    net, joint = build(values, arr), brute_joint(values)
    assert [states_below(layer) for layer in net] == sizes(values)
    assert [states_above(layer) for layer in net] == [*sizes(values)[1:], 1]
    np.testing.assert_allclose(to_numpy(joint_law(net)), joint, rtol=1e-12, atol=1e-15)
    for k in range(len(net)):
        alone = joint.sum(axis=tuple(i for i in range(joint.ndim) if i != k))
        np.testing.assert_allclose(to_numpy(state_law(net[k:])), alone, rtol=1e-12, atol=1e-15)


def test_posterior_and_likelihood_are_those_of_loops(values, arr):
    net, joint = build(values, arr), brute_joint(values)
    numbers = [4, 0, 2, 4]
    x = rows(values, arr, numbers)
    evidence = joint.reshape(len(joint), -1).sum(axis=1)
    np.testing.assert_allclose(
        to_numpy(log_likelihood(net, x)), [log(evidence[s]) for s in numbers], rtol=1e-12
    )
    expected = np.stack([joint[s] / evidence[s] for s in numbers])
    np.testing.assert_allclose(to_numpy(posterior(net, x)), expected, rtol=1e-11, atol=1e-15)


def test_gradient_is_a_difference_quotient(values, arr):
    net, numbers, weights = build(values, arr), [4, 0, 2, 4], np.array([0.4, 0.1, 0.0, 0.5])
    x, step = rows(values, arr, numbers), 1e-5
    grad = log_likelihood_grad(net, x, weights=arr(weights))
    assert [type(g) for g in grad] == [type(layer) for layer in net]
    flat = [np.array(to_numpy(p)) for p in leaves(net)]
    for k, g in enumerate(leaves(grad)):
        g = to_numpy(g)
        assert g.shape == flat[k].shape
        for at in np.ndindex(*g.shape):
            if flat[k][at] == -np.inf:
                assert g[at] == 0
                continue
            ends = []
            for sign in (1, -1):
                moved = [p.copy() for p in flat]
                moved[k][at] += sign * step
                ends.append(to_numpy(log_likelihood(rebuild(net, map(arr, moved)), x)) @ weights)
            assert g[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-9)


def test_split_at_any_layer(values, arr):
    """[AO] 1.1: the layers below a split are one conditional table, those above it a model of h^(k)."""
    net = build(values, arr)
    for k in range(1, len(net)):
        whole = state_law((compose(net[:k]), *net[k:]))
        np.testing.assert_allclose(to_numpy(whole), to_numpy(state_law(net)), rtol=1e-12, atol=1e-15)


def test_ancestral_samples_have_the_joint_law(arr):
    """Every outcome of the sampler with its probability: the law is exact, not estimated."""
    for name in ("sigmoid, sigmoid, bits", "tables with zeros", "table, sigmoid, bits"):
        net = build(NETS[name], arr)
        outcomes = expect(lambda *, rng, net=net: sample(net, samples=1, rng=rng))
        weight = np.exp(to_numpy(outcomes.log_weight))[0]
        found = np.zeros([states_below(layer) for layer in net])
        numbers = [
            to_numpy(state_numbers(layer, v[:, 0, ...]))
            for layer, v in zip(net, outcomes.values, strict=True)
        ]
        np.add.at(found, tuple(numbers), weight)
        np.testing.assert_allclose(found, brute_joint(NETS[name]), rtol=1e-11, atol=1e-15)


def test_sample_shapes_and_machine_on_top(arr):
    net = build(NETS["sigmoid, sigmoid, machine"], arr)
    draws = sample(net, samples=7, rng=np.random.default_rng(1))
    assert [tuple(d.shape) for d in draws] == [(7, 3), (7, 2), (7, 3)]
    assert all(set(np.unique(to_numpy(d))) <= {0.0, 1.0} for d in draws)


def test_law_of_means_is_a_mixture_of_products(arr):
    means, weights = RNG.random((4, 3)), np.array([0.1, 0.2, 0.3, 0.4])
    means[0, 0], means[1, 2] = 0, 1
    expected = [
        sum(
            weights[n] * np.prod([means[n, j] if b else 1 - means[n, j] for j, b in enumerate(bits(s, 3))])
            for n in range(4)
        )
        for s in range(8)
    ]
    np.testing.assert_allclose(to_numpy(law_of_means(arr(means), arr(weights))), expected, rtol=1e-13)


def test_impossible_values(arr):
    net = (Table(arr([[0.0, 0.0], [-np.inf, 0.0], [-np.inf, -np.inf]])), Table(arr([[0.0], [-np.inf]])))
    np.testing.assert_array_equal(
        to_numpy(log_likelihood(net, arr([0, 1, 2], dtype="int64"))), [0, -np.inf, -np.inf]
    )
    with pytest.raises(ValueError, match="row 1 has probability zero"):
        log_likelihood_grad(net, arr([0, 2], dtype="int64"))
    with pytest.raises(ValueError, match="row 0 has probability zero"):
        posterior(net, arr([1], dtype="int64"))
    # A row of weight zero does not count.
    grad = log_likelihood_grad(net, arr([0, 2], dtype="int64"), weights=arr([1.0, 0.0]))
    assert all(np.isfinite(to_numpy(g)).all() for g in leaves(grad))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([(Sigmoid, *S32), (Sigmoid, *S32)], r"net\[0\] has 4 states above it, net\[1\] has 8 below"),
        ([(Sigmoid, *S32)], "must end in a layer with one state above"),
        ([], "at least one layer"),
        ([(Sigmoid, S32[0], S23[1])], r"net\[0\].b must have shape \(3\)"),
        ([(Table, np.full((2, 1), -np.inf))], r"net\[0\].logits must have a finite largest"),
        ([(Table, np.full((2, 1), np.nan))], r"net\[0\].logits must have a finite largest"),
        ([(Sigmoid, np.full((3, 0), 0.0), np.array([0, np.inf, 0]))], r"net\[0\].b must hold finite"),
    ],
)
def test_layers_that_do_not_fit_are_named(values, message, arr):
    with pytest.raises(ValueError, match=message):
        state_law(build(values, arr))


def test_values_that_do_not_fit_are_named(arr):
    net = build(NETS["sigmoid, sigmoid, bits"], arr)
    with pytest.raises(ValueError, match="x must hold zeros and ones"):
        log_likelihood(net, arr([[0.5, 0, 1]]))
    with pytest.raises(ValueError, match=r"x must have shape \(n >= 1, 3\)"):
        log_likelihood(net, arr([[0.0, 1]]))
    with pytest.raises(ValueError, match="weights must sum to one"):
        log_likelihood_grad(net, arr([[0.0, 0, 1]]), weights=arr([0.5]))
    with pytest.raises(ValueError, match=r"x must hold indices in 0\.\.4"):
        log_likelihood(build(NETS["tables with zeros"], arr), arr([5], dtype="int64"))
    big = (Sigmoid(arr(np.zeros((20, 20))), arr(np.zeros(20))),)
    with pytest.raises(ValueError, match="conditional table has 1,099,511,627,776 states"):
        log_conditional_table(big[0])


def test_tables_of_probabilities(arr):
    A = np.array([[0.25, 0.0], [0.5, 1.0], [0.25, 0.0]])
    net = (table_layer(arr(A)), table_layer(arr([[0.4], [0.6]])))
    np.testing.assert_allclose(to_numpy(state_law(net)), A @ [0.4, 0.6], rtol=1e-14)
    with pytest.raises(ValueError, match="A must sum to one along axis 0"):
        table_layer(arr([[0.5, 0.5], [0.5, 0.6]]))
    with pytest.raises(ValueError, match="A must hold probabilities, none negative"):
        table_layer(arr([[1.5], [-0.5]]))


def test_single_precision(arr):
    values = NETS["sigmoid, sigmoid, bits"]
    net = tuple(kind(*(arr(x, dtype="float32") for x in arrays)) for kind, *arrays in values)
    x = arr([[1, 0, 0], [0, 1, 0]], dtype="float32")
    joint = brute_joint(values)
    found = log_likelihood(net, x)
    assert "float32" in str(found.dtype)
    np.testing.assert_allclose(to_numpy(found), np.log(joint.sum(axis=(1, 2))[[4, 2]]), rtol=2e-6)
    assert all("float32" in str(g.dtype) for g in leaves(log_likelihood_grad(net, x)))


def test_laws_in_logarithms_are_those_of_loops(values, arr):
    net = tuple(kind(*map(arr, arrays)) for kind, *arrays in values)
    joint = brute_joint(values)
    wanted = joint.reshape(joint.shape[0], -1).sum(axis=1)
    np.testing.assert_allclose(np.exp(to_numpy(log_law(net))), wanted, rtol=1e-12, atol=1e-300)


def test_a_code_whose_probability_underflows_still_explains_its_datum(arr):
    """P(h) = e^-800 of the only h that gives x; the others give it e^-1000.  So below a layer that copies."""
    W, b = np.array([[2000.0, 0.0], [0.0, 1.0], [0.0, -0.5]]), np.array([-1000.0, 0.2, 0.4])
    U, c = np.array([[2000.0, 3.0], [0.5, 2000.0]]), np.array([-1000.0, -1000.0])
    top = (np.zeros((2, 3)), np.array([-800.0, 0.3]), np.zeros(3))
    x, codes = np.array([1.0, 0.0, 1.0]), [np.array(h) for h in product((0.0, 1.0), repeat=2)]

    def log_bits(x, a):
        return x @ a - np.logaddexp(0, a).sum()

    below = [log_bits(x, W @ h + b) for h in codes]
    prior = [log_bits(h, top[1]) for h in codes]
    copied = [
        np.logaddexp.reduce([log_bits(h, U @ g + c) + p for g, p in zip(codes, prior, strict=True)])
        for h in codes
    ]
    machine, layer, copy = RBM(*map(arr, top)), Sigmoid(arr(W), arr(b)), Sigmoid(arr(U), arr(c))
    for net, above in (((layer, machine), prior), ((layer, copy, machine), copied)):
        wanted = np.logaddexp.reduce(np.add(below, above))
        assert -804 < wanted < -800
        np.testing.assert_allclose(to_numpy(log_likelihood(net, arr([x]))), [wanted], rtol=1e-12)
