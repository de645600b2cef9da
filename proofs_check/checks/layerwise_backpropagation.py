"""[AO] 2.4, 2.6, 3.2: what becomes of h in an auto-encoder, and what backpropagation through it ascends."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import Outcomes, expect
from ...reference.boltzmann import gibbs, likelihood
from ...reference.boltzmann.rbm import RBM
from ...reference.directed.layers import Sigmoid
from ...reference.layerwise import passes, stacks
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from ...reference.trees import leaves, rebuild
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..oracle import boltzmann
from ..oracle.boltzmann import like, states
from ..oracle.derivative import derivative
from ..oracle.directed import bits
from ..oracle.layerwise_autoencoders import log_bits, mean_pass, sum_pass, tables, through, units
from ..strategies.boltzmann import rbms
from ..strategies.common import arrays, binary_rows, hundredths
from ..strategies.layerwise_autoencoders import Encoder, encoders, pairs_of_encoders

UNCOVERED = "whether drawing h, or not, affects performance"


def every(theta: AutoEncoder) -> Any:
    """Return all x, in the backend of the parameters."""
    return like(states(units(theta)[0]), theta.generative[-1].b)


def mean_of(f: Any, x: Any, *, tied: bool = False) -> Any:
    """Return the mean of a pass over rows, as a function of an auto-encoder or of tied weights."""
    return lambda theta: f(untied(theta) if tied else theta, x).mean()


# --- what becomes of h (footnote 3) -----------------------------------------------------------------------


@check(
    "AO.fn3",
    of=passes,
    cases=encoders(saturation=4.0),
    examples=30,
    evidence=EXACTLY,
    rejects=(
        "law-of-hidden-uniform",
        "inference-mirrored",
        "means-for-samples",
        "thresholded",
        "inverted-comparison",
        "hidden-rounded",
        "draw-for-the-mean",
        "weights-tied",
        "zeros-ignored",
        "units-averaged",
        "sigmoid-taken-twice",
        "squared-error",
        "wrong-sign",
        "bits-for-nats",
    ),
    uncovered=UNCOVERED,
)
def three_passes_differ_in_what_becomes_of_h(impl: Implementation, case: Encoder, plain: Encoder) -> None:
    """P(y|x) at y = x: summed over h, at a draw of h, at the mean of h; the first is the mean of the second.

    So E log of the second is below log of the first.  The third is either: for one unit each, a fair h and
    outputs s(4 h + b), the sum over h is larger for b = -6, where s is convex, and smaller for b = 2.
    """
    for b, sign in ((-6.0, 1), (2.0, -1)):
        one, up, down = (like(t, case.data) for t in ([[1.0]], [[0.0]], [[4.0]]))
        example = AutoEncoder((Dense(up, up[0, :]),), (Dense(down, like([b], case.data)),))
        more = float((impl.log_sum_pass(example, one) - impl.log_mean_pass(example, one))[0])
        at_most(0.04, sign * more, f"by how much the larger of the two is above the other, b = {b:g}")
    theta, x = plain.theta, every(case.theta)
    q, A = tables(theta)
    exact = (A * q).sum(axis=1)
    agree(impl.log_sum_pass(case.theta, x), np.log(exact), "summed over h")
    draws = expect(lambda rows, rng: impl.log_sampled_pass(case.theta, rows, rng=rng)[0], x)
    agree(draws.mean(array_namespace(x).exp), exact, "mean over draws of h")
    agree(draws.mean(), (q * np.log(A)).sum(axis=1), "mean log over draws of h")
    at_most(draws.mean(), np.log(exact), "mean log over draws against the log of the sum", slack=1e-9)
    at_its_mean = mean_pass(theta, states(units(theta)[0]))
    agree(impl.log_mean_pass(case.theta, x), at_its_mean, "h at its mean")


def mean_drawn_grad(impl: Implementation, theta: AutoEncoder, x: Any) -> AutoEncoder:
    """Return the exact mean of backpropagation through a draw."""
    draws = expect(lambda rng: tuple(leaves(impl.log_sampled_pass_grad(theta, x, rng=rng))))
    return rebuild(theta, (Outcomes(part, draws.log_weight).mean()[0, ...] for part in draws.values))


def straight_through(theta: AutoEncoder, x: Any) -> AutoEncoder:
    """Return the mean of backpropagation through a draw: the mean error at h goes on as its mean's."""
    q = bits(through(theta.inference, x), states(units(theta)[1]))
    h = states(units(theta)[1])

    def reconstruction(generative: Any) -> Any:
        log_p = log_bits(x[:, None, :], through(generative, h)[None])
        return (q * log_p).sum(axis=1).mean()

    errors = x[:, None, :] - 1 / (1 + np.exp(-through(theta.generative, h)[None]))
    error = np.einsum("nh,nhv,jv->nj", q, errors, theta.generative[0].W)

    def inferred(inference: Any) -> Any:
        return (error / (1 + np.exp(-through(inference, x)))).sum(axis=1).mean()

    return AutoEncoder(derivative(inferred, theta.inference), derivative(reconstruction, theta.generative))


GRADIENTS = (
    "output-slope-included",
    "hidden-slope-missing",
    "hidden-slope-doubled",
    "slope-of-activations",
    "code-slope-included",
    "law-of-inference-normalised-late",
    "inference-for-posterior",
    "gradient-stops-at-hidden",
    "biases-not-updated",
    "inference-bias-not-updated",
    "generative-bias-not-updated",
    "biases-summed",
)


@check(
    "AO.fn3",
    of=passes,
    cases=encoders(saturation=4.0),
    evidence=EXACTLY,
    rejects=(
        *GRADIENTS,
        "errors-through-inference-weights",
        "weights-tied",
        "hidden-rounded",
        "means-for-samples",
        "thresholded",
        "inverted-comparison",
        "uniform-data-weights",
        "data-factor-outside",
        "logarithm-of-the-mean",
        "logarithm-of-the-sum",
    ),
    uncovered=UNCOVERED,
)
def each_pass_has_its_gradient(impl: Implementation, case: Encoder, plain: Encoder) -> None:
    """Backpropagation is the gradient of the pass at the mean; that of the sum, and of a draw, are others.

    Through a draw the inference layers follow the derivative of its mean: the mean direction is exact.
    """
    (theta, data), x = plain, every(case.theta)
    rows = states(units(theta)[0])
    exact = derivative(mean_of(mean_pass, rows), theta)
    agree(impl.log_mean_pass_grad(case.theta, x), exact, "h at its mean")
    exact = derivative(lambda at: data @ sum_pass(at, rows), theta)
    found = impl.log_sum_pass_grad(case.theta, x, weights=case.data)
    agree(found, exact, "summed over h")
    drawn = mean_drawn_grad(impl, case.theta, x[-1:, :])
    agree(drawn, straight_through(theta, rows[-1:]), "through a draw")


@check(
    "AO.fn3",
    of=passes,
    cases=encoders(deep=True, saturation=4.0),
    evidence=EXACTLY,
    rejects=(*GRADIENTS, "gradient-stops-below-hidden"),
    uncovered=UNCOVERED,
)
def gradients_reach_the_layers_below(impl: Implementation, case: Encoder, plain: Encoder) -> None:
    """The same of both passes, with a layer between x and h."""
    theta, x = plain.theta, every(case.theta)
    rows = states(units(theta)[0])
    for name, of, f in (
        ("h at its mean", impl.log_mean_pass_grad, mean_pass),
        ("summed over h", impl.log_sum_pass_grad, sum_pass),
    ):
        exact = derivative(mean_of(f, rows), theta)
        agree(of(case.theta, x), exact, name)


# --- what backpropagation ascends (3.2) -------------------------------------------------------------------


class Tied(NamedTuple):
    """Tied weights, and rows of x."""

    machine: RBM
    x: Any  # (n, V)


@st.composite
def tied_weights(draw: DrawFn) -> Tied:
    """Tied weights and rows: any small ones, or three rows beside the code that tells them apart best."""
    if draw(st.booleans()):
        centre = RBM(np.array([[-3.5], [5.5]]), np.array([3.0, -2.0]), np.array([-1.0]))
        moved = (x + draw(arrays(x.shape, hundredths(-0.5, 0.5))) for x in centre)
        return Tied(RBM(*(np.round(x, 2) for x in moved)), np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
    V, H = draw(st.sampled_from(((2, 1), (1, 2), (3, 1), (2, 3))))
    machine = RBM(*(draw(arrays(shape, hundredths(-3, 3))) for shape in ((V, H), (V,), (H,))))
    return Tied(machine, draw(binary_rows(V)))


def untied(machine: RBM) -> AutoEncoder:
    """Return the auto-encoder of tied weights; complex welcome."""
    return AutoEncoder((Dense(machine.W, machine.c),), (Dense(machine.W.T, machine.b),))


def backpropagation_ascends_eq_25(impl: Implementation, case: Tied, plain: Tied) -> None:
    """As printed: the direction of backpropagation with cross-entropy ascends eq. 25."""
    step = impl.tied_grad(impl.log_mean_pass_grad(impl.untie(case.machine), case.x))
    slope = derivative(mean_of(sum_pass, plain.x, tied=True), plain.machine)
    along = sum(float((to_numpy(a) * b).sum()) for a, b in zip(step, slope, strict=True))
    at_most(0.0, along, "derivative of eq. 25 along the step of backpropagation")


@check(
    "AO.sec3.2a",
    of=(passes, stacks),
    cases=tied_weights(),
    examples=60,
    evidence=EXACTLY,
    printed=backpropagation_ascends_eq_25,
    correction=(
        "backpropagation with cross-entropy ascends E_D log P(x | h = E_q h), with the hidden units at their "
        "means; its step may descend eq. 25.  The two agree where q(h|x) is certain.  "
        "The gradient of eq. 25 is E_r h - E_q h at the logits of h, r(h|x) ~ P(x|h) q(h|x), and so on down"
    ),
    rejects=(
        "units-averaged",
        "inference-for-posterior",
        "hidden-means-for-sum",
        "sum-outside-the-logarithm",
        "best-state-for-sum",
        "logarithm-missing",
        "generative-use-only",
        "inference-use-only",
        "uses-averaged",
        "biases-summed",
        "sum-for-mean",
        "divided-twice",
        "wrong-sign",
    ),
)
def backpropagation_ascends_the_pass_at_the_mean(impl: Implementation, case: Tied, plain: Tied) -> None:
    """Both gradients by the complex step, tied and not; with q certain the two passes are one function."""
    theta = impl.untie(case.machine)
    for name, of, f in (
        ("backpropagation", impl.log_mean_pass_grad, mean_pass),
        ("the gradient of eq. 25", impl.log_sum_pass_grad, sum_pass),
    ):
        found = of(theta, case.x)
        exact = derivative(mean_of(f, plain.x), untied(plain.machine))
        agree(found, exact, name)
        exact = derivative(mean_of(f, plain.x, tied=True), plain.machine)
        agree(impl.tied_grad(found), exact, f"{name}, weights tied")
    (up,) = theta.inference
    certain = theta._replace(inference=(Dense(200 * up.W, 200 * up.b + 100.0),))
    inputs = 200 * (plain.x @ plain.machine.W + plain.machine.c) + 100.0
    if np.abs(inputs).min() >= 50:
        agree(impl.log_mean_pass(certain, case.x), impl.log_sum_pass(certain, case.x), "q certain")


# --- the series of which auto-associators keep the first term (2.4) ---------------------------------------


@check(
    "AO.sec2.4a",
    of=(gibbs, likelihood, passes, stacks),
    cases=st.tuples(rbms(saturation=2.0), st.integers(2, 5)),
    evidence=EXACTLY,
    rejects=("a-sweep-less", "gradient-of-the-cost", "draw-for-the-mean"),
    uncovered=(
        "that the first term leads: nothing makes it the largest; what is stacked, and that the topmost law "
        "is left without a model"
    ),
)
def gradient_is_a_series_along_the_gibbs_chain(
    impl: Implementation, case: tuple[RBM, int], plain: tuple[RBM, int]
) -> None:
    """d log P(x_1) = sum_{s<t} E[d log P(x_s|h_s) + d log P(h_s|x_s+1)] + E d log P(x_t), for every x_1.

    The last term vanishes as x_t forgets x_1.  The first one, h_1 at its mean, is what backpropagation gives
    the generative layer of the tied auto-encoder.
    """
    (theta, t), own = case, plain[0]
    up, down = np.exp(boltzmann.log_up(own)), np.exp(boltzmann.log_down(own))
    of_up, of_down = (derivative(f, own) for f in (boltzmann.log_up, boltzmann.log_down))
    of_visible, rows = derivative(boltzmann.log_visible, own), states(own.b.size)
    x = like(rows, theta.b)
    for start, law in enumerate(np.eye(len(rows))):
        at_end = impl.gibbs_law(theta, like(law, theta.b), steps=t - 1)
        end = impl.log_likelihood_grad(theta, x, weights=at_end)
        whole = impl.log_likelihood_grad(theta, x, weights=like(law, theta.b))
        for name in RBM._fields:
            series, current = to_numpy(getattr(end, name)).astype(float), law
            for _ in range(t - 1):
                pairs = current[:, None] * up  # of x_s and h_s
                after = pairs.sum(axis=0)[:, None] * down  # of h_s and x_s+1
                series = series + np.einsum("xh,hx...->...", pairs, getattr(of_down, name))
                series = series + np.einsum("hx,xh...->...", after, getattr(of_up, name))
                current = after.sum(axis=0)
            agree(getattr(whole, name), series, f"gradient in {name}, x_1 = {start}", rtol=1e-7, atol=1e-8)
        exact = tuple(part[start] for part in of_visible)
        agree(tuple(whole), exact, f"gradient, x_1 = {start}", rtol=1e-7, atol=1e-8)
        h = 1 / (1 + np.exp(-(rows[start] @ own.W + own.c)))
        error = rows[start] - 1 / (1 + np.exp(-(own.W @ h + own.b)))
        (found,) = impl.log_mean_pass_grad(impl.untie(theta), x[start : start + 1, :]).generative
        agree(found, Dense(np.outer(h, error), error), "first term, h at its mean")


# --- sizes (3.2) and fine-tuning (2.6) --------------------------------------------------------------------


@check(
    "AO.sec3.2b",
    of=stacks,
    cases=st.tuples(*(st.integers(1, 5) for _ in range(4))).filter(lambda n: len(set(n)) == 4),
    evidence=EXACTLY,
    rejects=("inference-counted", "biases-not-counted"),
)
def inference_is_not_counted(impl: Implementation, case: tuple[int, ...]) -> None:
    """V a + V + (a b + a + b) for V visible and a hidden units and a top of a and b, however rich q is."""
    V, a, b, rich = case
    like_this = np.zeros(1)
    top = RBM(np.zeros((a, b)), np.zeros(a), np.zeros(b))
    for up in ((V, a), (V, rich, a)):
        theta = impl.initial(up, (a, V), deviation=1.0, like=like_this, rng=1)
        net = impl.generative_net(theta)
        count = impl.parameter_count((*net, top))
        agree(count, V * a + V + a * b + a + b, f"parameters with inference of sizes {up}")
        same = len(net) == 1 and isinstance(net[0], Sigmoid) and tuple(net[0].W.shape) == (V, a)
        ensure(same, "shape of P(x|h), the same for both")


@check(
    "AO.sec2.6a",
    "AO.fig1",
    of=(passes, stacks),
    cases=pairs_of_encoders(),
    evidence=EXACTLY,
    rejects=("h1-thresholded", "upper-layer-lost"),
    uncovered={"AO.fig1": "the layer-wise training before it"},
)
def joined_auto_encoders_are_one(impl: Implementation, case: Any, plain: Any) -> None:
    """All inference layers as one q(h2|x), h1 at its mean; all generative ones as one P(x|h2), h1 summed out.

    Their diagonal criterion is log sum_h2 P(x|h2) q(h2|x): what fine-tuning of all layers at once trains.
    """
    first, second, x = case
    low, high, rows = plain
    K, H = high.inference[0].b.size, low.inference[0].b.size
    q = bits(through((*low.inference, *high.inference), rows), states(K))
    to_h1, to_x = bits(through(high.generative, states(K)), states(H)), through(low.generative, states(H))
    P = (to_h1 @ bits(to_x, rows)).T
    joined, both = impl.join([first, second]), ("AO.sec2.6a", "AO.fig1")
    passed = impl.log_sum_pass(joined, x)
    agree(passed, np.log((P * q).sum(axis=1)), "criterion of all layers", of=both)
    agree(impl.inference_means(joined, x), q @ states(K), "q(h2 = 1 | x)", of=both)
