"""Auto-encoder stacks against loops over states, complex steps and PyTorch's autograd."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import HostStream
from exactgen.reference.boltzmann.gibbs import gibbs_kernel
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed import belief
from exactgen.reference.directed.products import law_of_means
from exactgen.reference.layerwise import passes, stacks
from exactgen.reference.layerwise.stacks import AutoEncoder
from exactgen.reference.networks.layers import Dense
from exactgen.reference.optimizers import adam, sgd
from exactgen.reference.states import state_index
from exactgen.reference.training.fit import begin, fit
from exactgen.reference.trees import leaves, rebuild

X = [[0.0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [0, 1, 1, 0, 1], [1, 0, 0, 1, 1]]
WEIGHTS = [0.5, 0.2, 0.3, 0.0]


def layer(rng: np.random.Generator, inputs: int, outputs: int, xp: Any = np.asarray) -> Dense:
    return Dense(xp(rng.normal(size=(inputs, outputs))), xp(rng.normal(size=outputs)))


def aeri(xp: Any = np.asarray) -> AutoEncoder:
    """x (5) -> h' (4) -> h (3) -> x."""
    rng = np.random.default_rng(1)
    return AutoEncoder((layer(rng, 5, 4, xp), layer(rng, 4, 3, xp)), (layer(rng, 3, 5, xp),))


def deep(xp: Any = np.asarray) -> AutoEncoder:
    """x (5) -> 4 -> h (2), and h -> 3 -> x: what fine-tuning sees."""
    rng = np.random.default_rng(2)
    return AutoEncoder(
        (layer(rng, 5, 4, xp), layer(rng, 4, 2, xp)), (layer(rng, 2, 3, xp), layer(rng, 3, 5, xp))
    )


def tied(xp: Any = np.asarray) -> RBM:
    rng = np.random.default_rng(3)
    return RBM(xp(rng.normal(size=(5, 3))), xp(rng.normal(size=5)), xp(rng.normal(size=3)))


# --- brute force, in plain NumPy ---------------------------------------------------------------------------


def sig(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def law_of_bits(bits: Any, p: Any) -> Any:
    """The product of p where a bit is one, of 1 - p where it is zero; complex p are taken as they stand."""
    total = 1.0
    for bit, q in zip(bits, p, strict=True):
        total = total * (q if bit else 1 - q)
    return total


def run(layers: Any, x: Any) -> Any:
    for W, b in layers:
        x = sig(x @ W + b)
    return x


def generated(generative: Any, h: Any, x: Any) -> Any:
    """P(x | h): layers between are random bits, summed out."""
    (W, b), *below = generative
    p = sig(np.asarray(h, dtype=float) @ W + b)
    if not below:
        return law_of_bits(x, p)
    return sum(law_of_bits(g, p) * generated(below, g, x) for g in product((0, 1), repeat=len(b)))


def brute_sum(theta: AutoEncoder, x: Any) -> Any:
    q = run(theta.inference, x)
    states = product((0, 1), repeat=len(q))
    return np.log(sum(generated(theta.generative, h, x) * law_of_bits(h, q) for h in states))


def brute_mean(theta: AutoEncoder, x: Any) -> Any:
    return np.log(law_of_bits(x, run((*theta.inference, *theta.generative), x)))


def complex_step_grad(value: Any, theta: Any) -> Any:
    """The gradient of the mean over the rows, by Im f(theta + i s) / s with s so small that none is lost."""
    arrays = [np.asarray(to_numpy(a), dtype=complex) for a in leaves(theta)]
    grads = []
    for array in arrays:
        grad = np.zeros(array.shape)
        for at in np.ndindex(*array.shape):
            array[at] += 1e-30j
            shifted = rebuild(theta, iter(arrays))
            grad[at] = np.mean([np.imag(value(shifted, np.array(x))) for x in X]) / 1e-30
            array[at] -= 1e-30j
        grads.append(grad)
    return rebuild(theta, iter(grads))


def assert_close(found: Any, wanted: Any, rtol: float = 1e-11) -> None:
    for f, w in zip(leaves(found), leaves(wanted), strict=True):
        np.testing.assert_allclose(to_numpy(f), w, rtol=rtol, atol=1e-13)


# --- values and gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [aeri, deep, lambda xp=np.asarray: stacks.untie(tied(xp))])
def test_passes_are_the_sums_over_states(xp: Any, make: Any) -> None:
    theta, plain, x = make(xp), make(), xp(X)
    sums = to_numpy(passes.log_sum_pass(theta, x))
    np.testing.assert_allclose(sums, [brute_sum(plain, np.array(row)) for row in X], rtol=1e-12)
    means = to_numpy(passes.log_mean_pass(theta, x))
    np.testing.assert_allclose(means, [brute_mean(plain, np.array(row)) for row in X], rtol=1e-12)
    q, wanted = to_numpy(passes.inference_means(theta, x)), [run(plain.inference, np.array(row)) for row in X]
    np.testing.assert_allclose(q, wanted, rtol=1e-13)
    logits = to_numpy(passes.inference_logits(theta, x))
    np.testing.assert_allclose(logits, np.log(wanted) - np.log1p(-np.array(wanted)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [aeri, deep])
def test_backpropagation_is_the_derivative(xp: Any, make: Any) -> None:
    found = passes.log_mean_pass_grad(make(xp), xp(X))
    assert isinstance(found, AutoEncoder)
    assert_close(found, complex_step_grad(brute_mean, make()))


@pytest.mark.parametrize("make", [aeri, deep])
def test_gradient_of_the_sum_is_the_derivative(xp: Any, make: Any) -> None:
    assert_close(passes.log_sum_pass_grad(make(xp), xp(X)), complex_step_grad(brute_sum, make()))


def test_gradient_of_the_sum_through_two_codes_in_blocks(xp: Any, monkeypatch: Any) -> None:
    """h -> 3 -> 4 -> x, both codes summed out; a block of three rows, then the last one."""
    rng = np.random.default_rng(8)
    sizes = ((5, 2), (2, 3), (3, 4), (4, 5))
    plain = [layer(rng, *size) for size in sizes]
    theta = AutoEncoder((plain[0],), tuple(plain[1:]))
    monkeypatch.setattr(passes, "_BLOCK", 3 * 2**7)
    made = rebuild(theta, (xp(a) for a in leaves(theta)))
    assert_close(passes.log_sum_pass_grad(made, xp(X)), complex_step_grad(brute_sum, theta))


@pytest.mark.parametrize(("hidden", "brute"), [("mean", brute_mean), ("sum", brute_sum)])
def test_tied_gradient_counts_both_uses_of_a_weight(xp: Any, hidden: str, brute: Any) -> None:
    def of_tied(theta: RBM, x: Any) -> Any:
        return brute(AutoEncoder((Dense(theta.W, theta.c),), (Dense(theta.W.T, theta.b),)), x)

    direction, memory = passes.reconstruction_step(hidden)(tied(xp), xp(X), ("kept",), None)  # type: ignore[arg-type]
    assert memory == ("kept",)
    assert_close(direction, complex_step_grad(of_tied, tied()))


def test_a_draw_has_the_sum_as_its_exact_mean(xp: Any) -> None:
    theta, x = aeri(xp), xp(X)

    def pass_(rows: Any, *, rng: Any) -> Any:
        return passes.log_sampled_pass(theta, rows, rng=rng)[0][:, None]

    outcomes = expect(pass_, x)
    np.testing.assert_allclose(to_numpy(outcomes.total_weight), 1, rtol=1e-12)
    means = to_numpy(outcomes.mean(lambda values: xp.namespace.exp(values)))[:, 0]
    np.testing.assert_allclose(means, np.exp([brute_sum(aeri(), np.array(row)) for row in X]), rtol=1e-12)


def test_three_passes_are_three_numbers_and_jensen_orders_two() -> None:
    theta, x = aeri(), np.array(X)
    total, mean = passes.log_sum_pass(theta, x), passes.log_mean_pass(theta, x)
    outcomes = expect(lambda rows, *, rng: passes.log_sampled_pass(theta, rows, rng=rng)[0][:, None], x)
    drawn = outcomes.mean(lambda values: values)[:, 0]
    # log E P(x|h) >= E log P(x|h); and log P(x|.) is concave in the h it is given, so its mean is above too.
    assert np.all(total > drawn + 1e-3)
    assert np.all(mean > drawn + 1e-3)
    assert np.max(np.abs(total - mean)) > 1e-2


@pytest.mark.parametrize("make", [aeri, deep])
def test_sampled_backpropagation_is_the_straight_through_rule(make: Any) -> None:
    torch = pytest.importorskip("torch")
    theta, x = make(), np.array(X)
    found = passes.log_sampled_pass_grad(theta, x, rng=4)
    _, h = passes.log_sampled_pass(theta, x, rng=4)  # the same draw
    tensors = rebuild(theta, (torch.tensor(a, requires_grad=True) for a in leaves(theta)))
    mean = value = torch.tensor(x)
    for W, b in tensors.inference:
        mean = torch.sigmoid(mean @ W + b)
    value = torch.tensor(h) + mean - mean.detach()
    for W, b in tensors.generative[:-1]:
        value = torch.sigmoid(value @ W + b)
    logits = value @ tensors.generative[-1].W + tensors.generative[-1].b
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(x), reduction="sum")
    (-loss / len(X)).backward()
    assert_close(found, rebuild(theta, (tensor.grad.numpy() for tensor in leaves(tensors))))


def test_mean_pass_of_probabilities_is_the_expected_cross_entropy() -> None:
    theta, grey = deep(), np.array([[0.25, 0.5, 1.0, 0.0, 0.75]])
    p = run((*theta.inference, *theta.generative), grey)[0]
    wanted = np.sum(grey[0] * np.log(p) + (1 - grey[0]) * np.log(1 - p))
    np.testing.assert_allclose(passes.log_mean_pass(theta, grey), [wanted], rtol=1e-12)


@pytest.mark.parametrize("make", [aeri, deep])
def test_saturated_units_give_finite_numbers_and_gradients(xp: Any, make: Any) -> None:
    big = rebuild(make(xp), (300 * a for a in leaves(make(xp))))
    for value in (passes.log_sum_pass(big, xp(X)), passes.log_mean_pass(big, xp(X))):
        assert np.all(np.isfinite(to_numpy(value)))
    for grad in (passes.log_sum_pass_grad(big, xp(X)), passes.log_mean_pass_grad(big, xp(X))):
        assert all(np.all(np.isfinite(to_numpy(a))) for a in leaves(grad))


def test_what_is_too_small_for_a_product_is_summed_in_logarithms(xp: Any) -> None:
    """The code below can only be (1, 1, 1), to e^-800, and x wants zeros: against 50 digits."""
    mpmath = pytest.importorskip("mpmath")
    below, above = (
        Dense(np.full((3, 5), 400.0), np.full(5, -600.0)),
        Dense(np.zeros((1, 3)), np.full(3, 800.0)),
    )
    theta = AutoEncoder((Dense(np.zeros((5, 1)), np.zeros(1)),), (above, below))
    found = passes.log_sum_pass(rebuild(theta, (xp(a) for a in leaves(theta))), xp(np.zeros((1, 5))))
    with mpmath.workdps(50):
        off = 1 / (1 + mpmath.exp(800))
        total = sum(
            mpmath.binomial(3, k) * off ** (3 - k) * (1 - off) ** k / (1 + mpmath.exp(400 * k - 600)) ** 5
            for k in range(4)
        )
        assert float(to_numpy(found)[0]) == pytest.approx(float(mpmath.log(total)), rel=1e-13)
    grad = passes.log_sum_pass_grad(rebuild(theta, (xp(a) for a in leaves(theta))), xp(np.zeros((1, 5))))
    assert all(np.all(np.isfinite(to_numpy(g))) for g in leaves(grad))


# --- the criterion as a bound ------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_criterion_is_eq_25_and_bounds_the_likelihood_with_q_d(xp: Any, weights: Any) -> None:
    w = np.full(4, 0.25) if weights is None else np.array(weights)
    wanted = sum(
        share * (brute_sum(aeri(), np.array(row)) + np.log(share))
        for share, row in zip(w, X, strict=True)
        if share
    )
    found = float(passes.criterion(aeri(xp), xp(X), weights=None if weights is None else xp(weights)))
    assert found == pytest.approx(wanted, rel=1e-12)
    q_d = sum(
        share
        * np.array([law_of_bits(h, run(aeri().inference, np.array(row))) for h in product((0, 1), repeat=3)])
        for share, row in zip(w, X, strict=True)
    )
    states = list(product((0, 1), repeat=3))
    likelihood = sum(
        share
        * np.log(sum(q * generated(aeri().generative, h, row) for q, h in zip(q_d, states, strict=True)))
        for share, row in zip(w, X, strict=True)
    )
    assert found < likelihood


def test_eq_25_keeps_the_diagonal_of_the_one_step_law_of_the_machine() -> None:
    """[AO] 2.5: with tied weights sum_h P(x|h) q(h|x) is the diagonal of the machine's Gibbs kernel."""
    x = np.array(X)
    kernel = gibbs_kernel(tied())
    at = state_index(x, (2,) * 5)
    np.testing.assert_allclose(
        np.exp(passes.log_sum_pass(stacks.untie(tied()), x)), kernel[at, at], rtol=1e-12
    )


# --- stacks ------------------------------------------------------------------------------------------------


def test_join_is_inference_up_then_generation_down(xp: Any) -> None:
    rng = np.random.default_rng(5)
    first = AutoEncoder((layer(rng, 5, 6, xp), layer(rng, 6, 4, xp)), (layer(rng, 4, 5, xp),))
    second = AutoEncoder((layer(rng, 4, 2, xp),), (layer(rng, 2, 4, xp),))
    whole = stacks.join([first, second])
    assert [tuple(part.W.shape) for part in whole.inference] == [(5, 6), (6, 4), (4, 2)]
    assert [tuple(part.W.shape) for part in whole.generative] == [(2, 4), (4, 5)]
    up = passes.inference_means(second, passes.inference_means(first, xp(X)))
    np.testing.assert_allclose(to_numpy(passes.inference_means(whole, xp(X))), to_numpy(up), rtol=1e-14)
    with pytest.raises(ValueError, match="layers must chain: layer 1 takes 5 units, the one before gives 2"):
        stacks.join([second, first])


def mixed_stack(xp: Any = np.asarray) -> tuple[Any, ...]:
    """x (5) = 3 tied, 3 -> 4 -> 2 -> 3, and 2 = 1 tied."""
    rng = np.random.default_rng(9)
    rich = AutoEncoder((layer(rng, 3, 4, xp), layer(rng, 4, 2, xp)), (layer(rng, 2, 3, xp),))
    small = RBM(xp(rng.normal(size=(2, 1))), xp(rng.normal(size=2)), xp(rng.normal(size=1)))
    return tied(xp), rich, small


def flat(stack: Any) -> AutoEncoder:
    """The join, in plain NumPy; complex parameters welcome."""
    untied = [
        AutoEncoder((Dense(p.W, p.c),), (Dense(p.W.T, p.b),)) if isinstance(p, RBM) else p for p in stack
    ]
    return AutoEncoder(
        sum((p.inference for p in untied), ()), sum((p.generative for p in reversed(untied)), ())
    )


@pytest.mark.parametrize(("hidden", "brute"), [("mean", brute_mean), ("sum", brute_sum)])
def test_step_of_a_stack_is_the_derivative_by_every_part(xp: Any, hidden: str, brute: Any) -> None:
    """[AO] 2.6: all layers at once, tied weights (both uses of them) and an h' among them."""
    direction, _ = passes.reconstruction_step(hidden)(mixed_stack(xp), xp(X), (), None)  # type: ignore[arg-type]
    assert [type(part) for part in direction] == [RBM, AutoEncoder, RBM]
    wanted = complex_step_grad(lambda theta, x: brute(flat(theta), x), mixed_stack())
    assert_close(direction, wanted, rtol=1e-10)


def test_sampled_step_of_a_stack_is_that_of_its_join_in_parts(xp: Any) -> None:
    direction, _ = passes.reconstruction_step("sample")(mixed_stack(xp), xp(X), (), HostStream(3))
    whole = passes.log_sampled_pass_grad(stacks.join(mixed_stack(xp)), xp(X), rng=HostStream(3))
    first, rich, small = (rebuild(p, (to_numpy(a) for a in leaves(p))) for p in direction)
    up, down = (tuple(Dense(*map(to_numpy, part)) for part in half) for half in whole)
    assert_close(first, RBM(up[0].W + down[-1].W.T, down[-1].b, up[0].b))
    assert_close(rich, AutoEncoder(up[1:3], (down[1],)))
    assert_close(small, RBM(up[3].W + down[0].W.T, down[0].b, up[3].b))


def test_generative_net_is_a_directed_model_with_a_top(xp: Any) -> None:
    theta, top = deep(xp), RBM(xp([[0.3], [-1.2]]), xp([0.1, -0.4]), xp([0.7]))
    net = (*stacks.generative_net(theta), top)
    found = np.exp(to_numpy(belief.log_likelihood(net, xp(X))))
    weight = {
        h: sum(np.exp(np.dot(h, [0.1, -0.4]) + 0.7 * g + np.dot(h, [0.3, -1.2]) * g) for g in (0, 1))
        for h in product((0, 1), repeat=2)
    }
    total = sum(weight.values())
    wanted = [sum(w / total * generated(deep().generative, h, row) for h, w in weight.items()) for row in X]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_count_takes_generation_and_top_and_never_inference() -> None:
    top = RBM(np.zeros((3, 7)), np.zeros(3), np.zeros(7))
    rich, vanilla = stacks.generative_net(aeri()), stacks.generative_net(stacks.untie(tied()))
    assert stacks.parameter_count((*rich, top)) == (5 * 3 + 5) + (3 * 7 + 3 + 7)
    assert stacks.parameter_count((*rich, top)) == stacks.parameter_count((*vanilla, top))


def test_initial_weights_have_the_deviation_and_biases_are_zero(xp: Any) -> None:
    theta = stacks.initial((100, 400, 9), (9, 100), deviation=0.3, like=xp([0.0]), rng=6)
    W = np.concatenate([to_numpy(part.W).ravel() for part in (*theta.inference, *theta.generative)])
    # 44,500 normals: the standard deviation of their deviation is 0.3 / sqrt(2 * 44,500) = 0.001; 7 of it.
    assert abs(W.std() - 0.3) < 0.007
    assert all(not to_numpy(part.b).any() for part in (*theta.inference, *theta.generative))


@pytest.mark.parametrize("hidden", ["mean", "sample", "sum"])
def test_training_raises_the_pass_and_sampled_training_its_mean(hidden: str) -> None:
    x = np.array(X)
    for start in (stacks.initial((5, 4, 3), (3, 5), deviation=0.1, like=x, rng=1), tied()):
        optimizer = adam(0.02, mean_decay=0.9, square_decay=0.999, epsilon=1e-8)
        done = fit(
            begin(start, optimizer=optimizer),
            x,
            step=passes.reconstruction_step(hidden),
            optimizer=optimizer,
            batch_size=4,
            epochs=300,
            seed=1,
        ).theta
        assert type(done) is type(start)
        before, after = (
            float(np.mean(passes.log_sum_pass(stacks.untie(t) if isinstance(t, RBM) else t, x)))
            for t in (start, done)
        )
        assert after > before + 0.5


def test_fine_tuning_all_layers_beats_layer_after_layer() -> None:
    """[AO] 2.6: from the layer-wise optimum a small step along the joint gradient raises the joint pass."""
    x = np.array(X)
    first = stacks.initial((5, 3), (3, 5), deviation=0.3, like=x, rng=1)
    optimizer = sgd(0.5)

    def train(theta: AutoEncoder, rows: Any) -> AutoEncoder:
        start = begin(theta, optimizer=optimizer)
        step = passes.reconstruction_step("mean")
        done: AutoEncoder = fit(
            start, rows, step=step, optimizer=optimizer, batch_size=4, epochs=400, seed=1
        ).theta
        return done

    first = train(first, x)
    codes = passes.inference_means(first, x)
    second = train(stacks.initial((3, 2), (2, 3), deviation=0.3, like=x, rng=2), codes)
    whole = stacks.join([first, second])
    tuned = train(whole, x)
    assert np.mean(passes.log_mean_pass(tuned, x)) > np.mean(passes.log_mean_pass(whole, x)) + 0.1


# --- bad input ---------------------------------------------------------------------------------------------


def test_bad_input_is_named() -> None:
    for other, name in ((tied(), "RBM"), (mixed_stack(), "tuple")):
        with pytest.raises(TypeError, match=f"theta must be of type AutoEncoder, got {name}"):
            passes.criterion(other, np.array(X))
    rng, x = np.random.default_rng(0), np.array(X)
    with pytest.raises(ValueError, match="needs an inference and a generative layer"):
        passes.log_mean_pass(AutoEncoder((), (layer(rng, 3, 5),)), x)
    with pytest.raises(ValueError, match="layer 0 takes 4 units, the one before gives 5"):
        passes.log_sum_pass(AutoEncoder((layer(rng, 4, 3),), (layer(rng, 3, 5),)), x)
    with pytest.raises(TypeError, match=r"stack\[1\] must be AutoEncoder or RBM, got Dense"):
        stacks.join((aeri(), layer(rng, 3, 5)))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"stack\[0\] must be AutoEncoder or RBM, got ndarray"):
        passes.reconstruction_step("mean")(layer(rng, 5, 3), x, (), None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="grad must have the layers of the joined stack, 4 up and 3 down"):
        stacks.parts_grad(mixed_stack(), aeri())
    with pytest.raises(ValueError, match="hidden must be one of"):
        passes.reconstruction_step("activation")
    with pytest.raises(ValueError, match="x"):
        passes.log_mean_pass(aeri(), x[:, :4])
    wide = AutoEncoder((layer(rng, 5, 40),), (layer(rng, 40, 5),))
    with pytest.raises(ValueError, match="states"):
        passes.log_sum_pass(wide, x)


def test_law_of_h_is_the_mixture_of_the_rows_codes(xp: Any) -> None:
    """q_D of an AERI, which its top is to learn ([AO] eq. 11-12), from its means alone."""
    means = passes.inference_means(aeri(xp), xp(X))
    found = to_numpy(law_of_means(means, xp([0.25] * 4)))
    wanted = [
        np.mean([law_of_bits(h, run(aeri().inference, np.array(row))) for row in X])
        for h in product((0, 1), repeat=3)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
