"""[AO] 2.4, 2.6, 3.2: auto-encoders as generative models, and what backpropagation in them ascends.

The oracle is a pair of tables over all bits, q(h | x) and P(x | h), built state by state.  Parameters may be
complex there, so its derivatives are exact by the complex step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import Array, array_namespace
from ...backends.enumerating import expect
from ...reference.boltzmann import gibbs, likelihood
from ...reference.boltzmann.rbm import RBM
from ...reference.directed.layers import Sigmoid
from ...reference.layerwise import criteria, marginal, passes, stacks
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from ...reference.trees import leaves, rebuild
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, ensure, tolerance
from ..oracle.layerwise import Numbers, dual_bound, log_lik, numbers
from ..strategies import arrays, binary_rows, hundredths, laws, rbms, weights
from . import brute
from .brute import like, row, states
from .layerwise_marginal import GAP, explained


class Encoder(NamedTuple):
    """An auto-encoder and a law of the data over all x."""

    theta: AutoEncoder
    data: Any  # (2^V,)


@st.composite
def encoders(draw: DrawFn, *, deep: bool = False, scale: float = 2.0, saturation: float = 40.0) -> Encoder:
    """Auto-encoders x -> h -> x of different widths, with an h' on the way up where ``deep``."""
    V = draw(st.integers(1, 3))
    H = draw(st.integers(1, 3).filter(lambda H: H != V))
    up = (V, draw(st.integers(1, 2)), H) if deep and draw(st.booleans()) else (V, H)
    options = {"scale": scale, "saturation": saturation}

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(draw(weights(inputs, outputs, **options)), draw(weights(outputs, **options)))

    inference = tuple(dense(*sizes) for sizes in pairwise(up))
    return Encoder(AutoEncoder(inference, (dense(H, V),)), draw(laws(2**V)))


# --- the tables -------------------------------------------------------------------------------------------


def bits(inputs: Numbers, h: Numbers) -> Numbers:
    """Return prod_j s(a_j)^h_j s(-a_j)^(1 - h_j) for rows a of inputs and rows h of bits, (n, m)."""
    on, off = 1 / (1 + np.exp(-inputs)), 1 / (1 + np.exp(inputs))
    return np.where(h[None] == 1, on[:, None, :], off[:, None, :]).prod(axis=2)


def through(layers: Any, x: Numbers) -> Numbers:
    """Return the logits of the last layer, sigmoids between."""
    for k, layer in enumerate(layers):
        x = (x if k == 0 else 1 / (1 + np.exp(-x))) @ layer.W + layer.b
    return x


def units(theta: AutoEncoder) -> tuple[int, int]:
    """Return V and H."""
    return int(theta.generative[-1].b.shape[0]), int(theta.inference[-1].b.shape[0])


def tables(theta: AutoEncoder) -> tuple[Numbers, Numbers]:
    """Return q(h | x), a row for each x, and P(x | h), a column for each h; one generative layer."""
    V, H = units(theta)
    q = bits(through(theta.inference, states(V)), states(H))
    return q, bits(through(theta.generative, states(H)), states(V)).T


def remade(theta: AutoEncoder, fields: Iterable[Any]) -> AutoEncoder:
    """Return an auto-encoder of this shape with these arrays."""
    made: AutoEncoder = rebuild(theta, iter(fields))
    return made


def plain(theta: AutoEncoder) -> AutoEncoder:
    """Return the parameters as NumPy arrays."""
    return remade(theta, [numbers(x) for x in leaves(theta)])


def derivative(f: Any, theta: AutoEncoder) -> list[Numbers]:
    """Return the derivatives of f(theta), a number, by each array of parameters: complex step."""
    fields = list(leaves(theta))
    slopes = []
    for which, field in enumerate(fields):
        slope = np.zeros(field.shape)
        for at in np.ndindex(field.shape):
            moved = [x.astype(complex) for x in fields]
            moved[which][at] += 1e-30j
            slope[at] = f(remade(theta, moved)).imag / 1e-30
        slopes.append(slope)
    return slopes


def every(theta: AutoEncoder) -> Array:
    """Return all x, in the backend of the parameters."""
    W = theta.generative[-1].b
    return like(states(units(theta)[0]), W)


def averaged(data: Numbers, values: Numbers) -> float:
    """Return the mean over the data that occur."""
    return float(sum(p * v for p, v in zip(data, values, strict=True) if p > 0))


# --- mistakes ---------------------------------------------------------------------------------------------


def off_only(theta: AutoEncoder) -> AutoEncoder:
    """Return the auto-encoder without biases of h."""
    *below, last = theta.inference
    return theta._replace(inference=(*below, last._replace(b=0 * last.b)))


def mirrored(theta: AutoEncoder) -> AutoEncoder:
    """Return the auto-encoder that takes h for its complement on the way up."""
    *below, last = theta.inference
    return theta._replace(inference=(*below, Dense(-last.W, -last.b)))


def upwards(quantity: Any, change: Any) -> Any:
    """Return a quantity of an auto-encoder whose inference is changed."""
    return lambda theta, x, **options: quantity(change(theta), x, **options)


# --- the inference of an auto-associator, and the law it induces (eq. 21-24) ------------------------------


@check(
    "AO.eq21",
    "AO.eq22",
    "AO.eq23",
    "AO.eq24",
    of=(passes, stacks, criteria),
    cases=encoders(),
    evidence=DEFINITION,
    mutants={
        "no hidden biases": {"inference_means": upwards(passes.inference_means, off_only)},
        "the probability of zero": {"inference_means": upwards(passes.inference_means, mirrored)},
        "the mean unit in place of the mean law": {
            "aggregate_logits": lambda logits, *, form, weights: criteria.aggregate_logits(
                (weights @ logits)[None, :], form=form
            )
        },
        "all data counted alike": {
            "aggregate_logits": lambda logits, *, form, weights: criteria.aggregate_logits(logits, form=form)
        },
    },
)
def inference_is_factorised_and_induces_a_law_of_x(impl: Implementation, case: Encoder) -> None:
    """q(h|x) = prod_j q(h_j|x), sigmoid units; P(x) = sum_h P(x|h) sum_y q(h|y) P_D(y), a law."""
    theta, data = plain(case.theta), numbers(case.data)
    q, A = tables(theta)
    x = every(case.theta)
    means = impl.inference_means(case.theta, x)
    agree(means, q @ states(units(theta)[1]), "q(h_j = 1 | x)", rtol=1e-9)
    logits = like(through(theta.inference, states(units(theta)[0])), x)
    q_D = impl.aggregate_logits(logits, form="bits", weights=case.data)
    agree(q_D, data @ q, "q_D", rtol=1e-9)
    agree(A @ numbers(q_D), np.einsum("xh,yh,y->x", A, q, data), "P(x), in one go or two", rtol=1e-9)
    agree((A @ numbers(q_D)).sum(), 1.0, "mass of P(x)")


# --- the diagonal terms (eq. 25) --------------------------------------------------------------------------

SUM_PASS = {
    "q(h|x) left out of the sum": {
        "log_sum_pass": upwards(
            passes.log_sum_pass,
            lambda t: t._replace(
                inference=(*t.inference[:-1], Dense(0 * t.inference[-1].W, 0 * t.inference[-1].b))
            ),
        )
    },
    "sigmoid of the wrong sign on the way up": {"log_sum_pass": upwards(passes.log_sum_pass, mirrored)},
}


@check(
    "AO.eq25",
    "AO.sec2.4b",
    "AO.sec2.4c",
    "AO.sec0a",
    "AO.sec4a",
    of=(passes, stacks, marginal),
    cases=encoders(deep=True),
    examples=30,
    evidence=EXACTLY,
    mutants={
        **SUM_PASS,
        "P_D(x) forgotten": {
            "criterion": lambda theta, x, *, weights: weights @ passes.log_sum_pass(theta, x)
        },
        "the log of summed likelihoods, not the sum of logs": {
            "criterion": lambda theta, x, *, weights: array_namespace(x).log(
                (weights * weights) @ array_namespace(x).exp(passes.log_sum_pass(theta, x))
            )
        },
        "all data counted alike": {"criterion": lambda theta, x, *, weights: passes.criterion(theta, x)},
    },
)
def diagonal_terms_bound_the_criterion(impl: Implementation, case: Encoder) -> None:
    """P(x) >= sum_h P(x|h) q(h|x) P_D(x) for each x; the mean of logs is <= U_{D,q} <= U_D.

    [AO] says "the sum of likelihoods"; what bounds eq. 10 is the mean of their logarithms, as meant.  The
    factor P_D(x) is a constant of the parameters, but without it nothing is bounded.
    """
    theta, data = plain(case.theta), numbers(case.data)
    q, A = tables(theta)
    x = every(case.theta)
    diagonal = (A * q).sum(axis=1)
    passed = numbers(impl.log_sum_pass(case.theta, x))
    agree(passed, np.log(diagonal), "log sum_h P(x|h) q(h|x)", rtol=1e-9, atol=1e-9)
    at_most(np.exp(passed) * data, A @ (data @ q), "diagonal terms against P(x)")
    value = impl.criterion(case.theta, x, weights=case.data)
    agree(value, averaged(data, np.log(diagonal * np.where(data > 0, data, 1))), "criterion", rtol=1e-9)
    at_most(value, log_lik(A, data, data @ q), "criterion against that of eq. 10 at the same q")
    best = impl.best_marginal(explained(like(A, x)), weights=case.data, tolerance=tolerance(GAP))
    agree(best.log_likelihood, dual_bound(A, data, numbers(best.Q)), "U_D", rtol=0, atol=1e-9)
    at_most(value, best.log_likelihood, "criterion against U_D")


@check(
    "AO.sec2.4d",
    of=(
        passes,
        stacks,
    ),
    cases=encoders(),
    examples=40,
    evidence=EXACTLY,
    mutants={
        "P_D(x) forgotten": {
            "criterion": lambda theta, x, *, weights: weights @ passes.log_sum_pass(theta, x)
        },
        "sigmoid of the wrong sign on the way up": {"criterion": upwards(passes.criterion, mirrored)},
        "all data counted alike": {"criterion": lambda theta, x, *, weights: passes.criterion(theta, x)},
    },
)
def diagonal_loses_the_share_of_other_data(impl: Implementation, case: Encoder) -> None:
    """eq. 10 - eq. 25 = E log(1 + rho(x)), so at most E rho: rho = other data's part of P(x) over its own.

    It vanishes as the inference inverts the generation: where h is a copy of x, both by weights +-w, rho is
    at most 2^V times max(1/P_D) e^{-w/2} here.
    """
    theta, data = plain(case.theta), numbers(case.data)
    x = every(case.theta)

    def gap(at: AutoEncoder, own: Numbers) -> tuple[float, Numbers]:
        q, A = tables(own)
        some = data > 0
        whole, diagonal = (A @ (data @ q))[some], ((A * q).sum(axis=1) * data)[some]
        difference = log_lik(A, data, data @ q) - float(impl.criterion(at, x, weights=case.data))
        return difference, (whole - diagonal) / diagonal

    loss, rho = gap(case.theta, theta)
    agree(loss, data[data > 0] @ np.log1p(rho), "difference of the criteria", rtol=1e-7, atol=1e-9)
    at_most(loss, data[data > 0] @ rho, "difference against E rho")
    V = units(theta)[0]
    for w in (10.0, 30.0):
        sharp = Dense(w * np.eye(V), np.full(V, -w / 2))
        own = AutoEncoder((sharp,), (sharp,))
        loss, rho = gap(remade(own, [like(f, x) for f in leaves(own)]), own)
        least = 2**V / data[data > 0].min() * math.exp(-w / 2)
        at_most(rho, least, f"rho of a copying code, w = {w:g}")
        at_most(loss, least, f"difference of the criteria for a copying code, w = {w:g}", slack=1e-9)


@check(
    "AO.sec2.4e",
    of=(criteria, marginal),
    cases=[np.array(b, float).reshape(2, 2, 2) for b in product((0, 1), repeat=8)],
    evidence=EXACTLY,
    mutants={
        "one datum's q in place of the mean": {"aggregate": lambda q, *, weights: q[0, :]},
        "the last datum's weight alone": {"aggregate": lambda q, *, weights: (q[0, :] + 3 * q[-1, :]) / 4},
    },
)
def diagonal_is_exact_only_where_no_state_is_shared(impl: Implementation, case: Array) -> None:
    """All supports of P(x|h) and q(h|y), two data and two states: eq. 24 is its diagonal iff none is shared.

    That is, no h with q(h|y) > 0 generates another datum.  So if q holds every state that can generate a
    datum, no state generates both.
    """
    generates, infers = numbers(case)
    if infers.any(axis=1).all():
        q = infers / infers.sum(axis=1, keepdims=True)
        A = np.vstack([generates, 2 - generates.sum(axis=0)]) / 2  # a third value takes the rest
        half = like([0.5, 0.5], case)
        q_D = numbers(impl.aggregate(like(q, case), weights=half))
        diagonal = (A[:2] * q).sum(axis=1) / 2
        shared = any(A[x, h] * q[y, h] > 0 for x, y, h in product(range(2), repeat=3) if x != y)
        exact = bool((np.abs(A[:2] @ q_D - diagonal) < 1e-12).all())
        ensure(exact != shared, "exact where nothing is shared", expected=not shared, actual=exact)
        if exact and (infers >= generates.astype(bool)).all():
            ensure(not generates.all(axis=0).any(), "a state that generates both data")


# --- what becomes of h (footnote 3), and what backpropagation ascends (3.2) -------------------------------


def mean_pass(theta: AutoEncoder, x: Numbers) -> Any:
    """Return log P(x | h at its mean): minus the cross-entropy of the outputs; complex welcome."""
    o = through((*theta.inference, *theta.generative), x)
    return -(x * np.log1p(np.exp(-o)) + (1 - x) * np.log1p(np.exp(o))).sum(axis=1)


def sum_pass(theta: AutoEncoder, x: Numbers) -> Any:
    """Return log sum_h P(x|h) q(h|x); complex welcome."""
    q, A = tables(theta)
    at = [row(t) for t in x]
    return np.log((A[at] * q[at]).sum(axis=1))


@check(
    "AO.fn3",
    of=(
        passes,
        stacks,
    ),
    cases=encoders(saturation=4.0),
    examples=30,
    evidence=EXACTLY,
    mutants={
        **SUM_PASS,
        "probabilities passed on where bits belong": {
            "log_sampled_pass": lambda theta, x, *, rng: (
                passes.log_mean_pass(theta, x) + 0 * passes.log_sampled_pass(theta, x, rng=rng)[0],
                passes.log_sampled_pass(theta, x, rng=rng)[1],
            )
        },
        "a draw where the mean belongs": {
            "log_mean_pass": lambda theta, x: passes.log_sampled_pass(theta, x, rng=3)[0]
        },
    },
)
def three_passes_differ_in_what_becomes_of_h(impl: Implementation, case: Encoder) -> None:
    """P(y|x) at y = x: summed over h, at a draw of h, at the mean of h; the first is the mean of the second.

    So E log of the second is below log of the first.  The third is either: for one unit each, a fair h and
    outputs s(4 h + b), the sum over h is larger for b = -6, where s is convex, and smaller for b = 2.
    Whether drawing h affects performance is not looked at.
    """
    theta = plain(case.theta)
    for b, sign in ((-6.0, 1), (2.0, -1)):
        one, up, down = (like(t, case.data) for t in ([[1.0]], [[0.0]], [[4.0]]))
        example = AutoEncoder((Dense(up, up[0, :]),), (Dense(down, like([b], case.data)),))
        more = float((impl.log_sum_pass(example, one) - impl.log_mean_pass(example, one))[0])
        at_most(0.04, sign * more, f"by how much the larger of the two is above the other, b = {b:g}")
    x, own = every(case.theta), states(units(theta)[0])
    q, A = tables(theta)
    summed = impl.log_sum_pass(case.theta, x)
    agree(summed, np.log((A * q).sum(axis=1)), "summed over h", rtol=1e-8, atol=1e-9)
    draws = expect(lambda rows, rng: impl.log_sampled_pass(case.theta, rows, rng=rng)[0], x)
    agree(draws.mean(array_namespace(x).exp), np.exp(numbers(summed)), "mean over draws of h", rtol=1e-8)
    agree(draws.mean(), (q * np.log(A)).sum(axis=1), "mean log over draws of h", rtol=1e-8, atol=1e-9)
    at_most(draws.mean(), numbers(summed), "mean log over draws against the log of the sum", slack=1e-9)
    agree(impl.log_mean_pass(case.theta, x), mean_pass(theta, own), "h at its mean", rtol=1e-8, atol=1e-9)


class Tied(NamedTuple):
    """Tied weights, and rows of x."""

    machine: RBM
    x: Any  # (n, V)


def trained(machine: RBM, x: Any, grad: Any, *, steps: int, rate: float = 2.0) -> RBM:
    """Return tied weights after steps up a gradient."""
    for _ in range(steps):
        slope = stacks.tied_grad(grad(stacks.untie(machine), x))
        machine = RBM(*(field + rate * g for field, g in zip(machine, slope, strict=True)))
    return machine


@st.composite
def tied_weights(draw: DrawFn) -> Tied:
    """Tied weights, as drawn, or after 30 steps up eq. 25 of three data of two bits, to hundredths."""
    climbs = draw(st.booleans())
    V, H = (2, 1) if climbs else draw(st.sampled_from(((2, 1), (1, 2), (3, 1), (2, 3))))
    entries = st.integers(-2, 2).map(float) if climbs else hundredths(-3, 3)
    machine = RBM(*(draw(arrays(shape, entries)) for shape in ((V, H), (V,), (H,))))
    if climbs:
        x = np.delete(states(2), draw(st.integers(0, 3)), axis=0)
        machine = trained(machine, x, passes.log_sum_pass_grad, steps=30)
    else:
        x = draw(binary_rows(V))
    return Tied(RBM(*(np.round(field, 2) for field in machine)), x)


def mean_of(f: Any, x: Numbers, theta: AutoEncoder) -> Any:
    """Return the mean of a pass over rows."""
    return f(theta, x).mean()


def backpropagation_never_lowers_eq_25(impl: Implementation, case: Tied) -> None:
    """As printed: backpropagation with cross-entropy does not lower eq. 25, however short its steps.

    It is no matter of overshooting: steps half as long, twice as many, come to the same.
    """
    machine, x = case
    gains = []
    for rate, steps in ((1.0, 60), (0.5, 120)):
        after = trained(machine, x, impl.log_mean_pass_grad, steps=steps, rate=rate)
        start, end = (sum_pass(plain(stacks.untie(m)), x).mean() for m in (machine, after))
        gains.append(float(end - start))
    if abs(gains[0] - gains[1]) < 0.01:
        at_most(0.0, gains[1], "gain in eq. 25 (nats per row) by 120 steps of backpropagation", slack=0.05)


@check(
    "AO.sec3.2a",
    of=(
        passes,
        stacks,
    ),
    cases=tied_weights(),
    examples=40,
    evidence=EXACTLY,
    printed=backpropagation_never_lowers_eq_25,
    correction=(
        "backpropagation with cross-entropy ascends E_D log P(x | h = E_q h), with the hidden units at their "
        "means; from near a maximum of eq. 25 it may lower eq. 25.  The two agree where q(h|x) is certain.  "
        "The gradient of eq. 25 is E_r h - E_q h at the logits of h, r(h|x) ~ P(x|h) q(h|x), and so on down"
    ),
    mutants={
        "mean over units in place of their sum": {
            "log_mean_pass_grad": lambda theta, x: remade(
                theta, [g / (1 + x.shape[1]) for g in leaves(passes.log_mean_pass_grad(theta, x))]
            )
        },
        "the posterior r taken for q": {
            "log_sum_pass_grad": lambda theta, x: remade(
                theta, [0 * g for g in leaves(passes.log_sum_pass_grad(theta, x))]
            )
        },
        "the mean passed for the sum": {"log_sum_pass_grad": passes.log_mean_pass_grad},
        "tied weights counted once": {
            "tied_grad": lambda grad: RBM(grad.inference[0].W, grad.generative[0].b, grad.inference[0].b)
        },
    },
)
def backpropagation_ascends_the_pass_at_the_mean(impl: Implementation, case: Tied) -> None:
    """Both gradients by the complex step, tied and not; with q certain the two passes are one function."""
    theta, x = stacks.untie(case.machine), numbers(case.x)
    own = plain(theta)
    for name, of, f in (
        ("backpropagation", impl.log_mean_pass_grad, mean_pass),
        ("the gradient of eq. 25", impl.log_sum_pass_grad, sum_pass),
    ):
        exact = derivative(partial(mean_of, f, x), own)
        found = of(theta, case.x)
        for part, slope in zip(leaves(found), exact, strict=True):
            agree(part, slope, name, rtol=1e-8, atol=1e-10)
        W, c, W_down, b = exact
        for part, slope in zip(impl.tied_grad(found), (W + W_down.T, b, c), strict=True):
            agree(part, slope, f"{name}, weights tied", rtol=1e-8, atol=1e-10)
    (up,) = theta.inference
    certain = theta._replace(inference=(Dense(200 * up.W, 200 * up.b + 100.0),))
    if np.abs(through(plain(certain).inference, x)).min() >= 50:
        agree(impl.log_mean_pass(certain, case.x), impl.log_sum_pass(certain, case.x), "q certain", atol=1e-9)


# --- the series of which auto-associators keep the first term (2.4) ---------------------------------------


@check(
    "AO.sec2.4a",
    of=(gibbs, likelihood, passes, stacks),
    cases=st.tuples(rbms(saturation=2.0), st.integers(2, 5)),
    evidence=EXACTLY,
    mutants={
        "a sweep less": {
            "gibbs_law": lambda theta, law, *, steps: gibbs.gibbs_law(theta, law, steps=steps - 1)
        },
        "the gradient of the cost": {
            "log_likelihood_grad": lambda theta, x, *, weights: RBM(
                *(-g for g in likelihood.log_likelihood_grad(theta, x, weights=weights))
            )
        },
        "a draw of h where its mean belongs": {
            "log_mean_pass_grad": lambda theta, x: passes.log_sampled_pass_grad(theta, x, rng=1)
        },
    },
)
def gradient_is_a_series_along_the_gibbs_chain(impl: Implementation, case: Any) -> None:
    """d log P(x_1) = sum_{s<t} E[d log P(x_s|h_s) + d log P(h_s|x_s+1)] + E d log P(x_t), for every x_1.

    The last term vanishes as x_t forgets x_1.  The first one, h_1 at its mean, is what backpropagation gives
    the generative layer of the tied auto-encoder.  It is the leading term; nothing makes it the largest.
    """
    theta, t = case
    own = brute.numbers(theta)
    up, down = np.exp(brute.log_up(own)), np.exp(brute.log_down(own))
    of_up, of_down = (brute.gradient(f, own) for f in (brute.log_up, brute.log_down))
    x = like(states(own.b.size), theta.b)
    for start, law in enumerate(np.eye(2**own.b.size)):
        at_end = impl.gibbs_law(theta, like(law, theta.b), steps=t - 1)
        end = impl.log_likelihood_grad(theta, x, weights=at_end)
        whole = impl.log_likelihood_grad(theta, x, weights=like(law, theta.b))
        for name in RBM._fields:
            series, current = numbers(getattr(end, name)), law
            for _ in range(t - 1):
                pairs = current[:, None] * up  # of x_s and h_s
                after = pairs.sum(axis=0)[:, None] * down  # of h_s and x_s+1
                series = series + np.einsum("xh,hx...->...", pairs, getattr(of_down, name))
                series = series + np.einsum("hx,xh...->...", after, getattr(of_up, name))
                current = after.sum(axis=0)
            agree(getattr(whole, name), series, f"gradient in {name}, x_1 = {start}", rtol=1e-7, atol=1e-8)
        row_ = states(own.b.size)[start]
        h = 1 / (1 + np.exp(-(row_ @ own.W + own.c)))
        error = row_ - 1 / (1 + np.exp(-(own.W @ h + own.b)))
        (down_grad,) = impl.log_mean_pass_grad(stacks.untie(theta), x[start : start + 1, :]).generative
        agree(down_grad.W, np.outer(h, error), "first term, h at its mean, by the weights", rtol=1e-8)
        agree(down_grad.b, error, "first term, h at its mean, by the biases", rtol=1e-8)


# --- sizes (3.2) and fine-tuning (2.6) --------------------------------------------------------------------


@check(
    "AO.sec3.2b",
    of=(
        passes,
        stacks,
    ),
    cases=st.tuples(*(st.integers(1, 5) for _ in range(4))).filter(lambda n: len(set(n)) == 4),
    evidence=EXACTLY,
    mutants={
        "inference counted too": {
            "generative_net": lambda theta: (*stacks.generative_net(theta), *theta.inference)
        },
        "biases not counted": {
            "parameter_count": lambda net: sum(math.prod(x.shape) for x in leaves(net) if x.ndim > 1)
        },
    },
)
def inference_is_not_counted(impl: Implementation, case: tuple[int, ...]) -> None:
    """V a + V + (a b + a + b) for V visible and a hidden units and a top of a and b, however rich q is."""
    V, a, b, rich = case
    like_this = np.zeros(1)
    top = RBM(np.zeros((a, b)), np.zeros(a), np.zeros(b))
    for up in ((V, a), (V, rich, a)):
        theta = stacks.initial(up, (a, V), deviation=1.0, like=like_this, rng=1)
        count = impl.parameter_count((*impl.generative_net(theta), top))
        agree(count, V * a + V + a * b + a + b, f"parameters with inference of sizes {up}")
    net = impl.generative_net(theta)
    ensure(
        len(net) == 1 and isinstance(net[0], Sigmoid) and tuple(net[0].W.shape) == (V, a),
        "shape of P(x|h), the same for both",
    )


@st.composite
def pairs_of_encoders(draw: DrawFn) -> tuple[AutoEncoder, AutoEncoder, Any]:
    """Two auto-encoders, the second for the code of the first, and rows of x."""
    V, H, K = draw(st.permutations((1, 2, 3)))

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(draw(weights(inputs, outputs)), draw(weights(outputs)))

    def encoder(below: int, above: int) -> AutoEncoder:
        return AutoEncoder((dense(below, above),), (dense(above, below),))

    return encoder(V, H), encoder(H, K), draw(binary_rows(V))


@check(
    "AO.sec2.6a",
    "AO.fig1",
    of=(
        passes,
        stacks,
    ),
    cases=pairs_of_encoders(),
    evidence=EXACTLY,
    mutants={
        "h1 thresholded on the way up": {
            "log_sum_pass": upwards(
                passes.log_sum_pass,
                lambda theta: theta._replace(
                    inference=(
                        Dense(90 * theta.inference[0].W, 90 * theta.inference[0].b),
                        *theta.inference[1:],
                    )
                ),
            )
        },
        "the upper layer's parameters lost": {
            "join": lambda stack: stacks.join([stack[0], remade(stack[1], [0 * f for f in leaves(stack[1])])])
        },
    },
)
def joined_auto_encoders_are_one(impl: Implementation, case: Any) -> None:
    """All inference layers as one q(h2|x), h1 at its mean; all generative ones as one P(x|h2), h1 summed out.

    Their diagonal criterion is log sum_h2 P(x|h2) q(h2|x): what fine-tuning of all layers at once trains.
    """
    first, second, x = case
    low, high = plain(first), plain(second)
    rows = numbers(x)
    K, H = high.inference[0].b.size, low.inference[0].b.size
    q = bits(through((*low.inference, *high.inference), rows), states(K))
    to_h1, to_x = bits(through(high.generative, states(K)), states(H)), through(low.generative, states(H))
    P = (to_h1 @ bits(to_x, rows)).T
    joined = impl.join([first, second])
    passed = impl.log_sum_pass(joined, x)
    agree(passed, np.log((P * q).sum(axis=1)), "criterion of all layers", rtol=1e-8, atol=1e-8)
    means = impl.inference_means(joined, x)
    agree(means, q @ states(K), "q(h2 = 1 | x)", rtol=1e-9)
