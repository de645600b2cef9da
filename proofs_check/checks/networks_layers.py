"""Networks: layers and their composition, convolution, softmax, backpropagation and auto-encoders."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import scipy
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...backends.enumerating import expect
from ...reference import laws
from ...reference.networks import errors, layers, nets
from ...reference.networks.images import Correlation, Kernel
from ...reference.networks.layers import Dense, FullyConnected
from ...reference.networks.nets import mlp
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, ensure
from ..oracle import networks as oracle
from ..oracle.boltzmann import like
from ..oracle.derivative import derivative
from ..strategies import arrays, functions, hundredths
from ..strategies import laws as law_tables
from ..strategies.networks import AutoEncoder, Network, auto_encoders, mlps

# --- layers -----------------------------------------------------------------------------------------------


@check(
    "SH.sec2.2b",
    "AL.ch1.dense",
    of=nets,
    cases=mlps(most_layers=1),
    evidence=DEFINITION,
    rejects=("bias-forgotten", "bias-after-activation", "activations-forgotten"),
)
def a_layer_is_an_activated_affine_map(impl: Implementation, net: Network, plain: Network) -> None:
    """f(u) = g(W u + b), one value per output unit.

    Rows are samples here, so W is (inputs, outputs) as in [AL], the transpose of [SH]'s; g acts on each unit
    (the text calls it real-valued on a vector, and then uses it so).
    """
    y = impl.forward(mlp(*net.activations), net.layers, net.x)[-1]
    agree(y, oracle.output(*plain), "output of the layer", of=("SH.sec2.2b", "AL.ch1.dense"))


@check(
    "SH.sec2.2a",
    "AL.fig1.1",
    of=nets,
    cases=mlps(),
    evidence=DEFINITION,
    rejects=("first-layer-skipped", "activations-reversed", "bias-forgotten"),
)
def a_network_is_the_composition_of_its_layers(impl: Implementation, net: Network, plain: Network) -> None:
    """The output is f_L(... f_1(x)), and each of the L - 1 hidden values the input of the next layer.

    Three hidden layers, as in the figure, are four maps.
    """
    values = impl.forward(mlp(*net.activations), net.layers, net.x)[::2]
    expected = oracle.values(*plain)
    ensure(len(values) == len(expected), "number of values", of="AL.fig1.1", actual=len(values))
    for k, value in enumerate(expected):
        agree(values[k], value, f"input of layer {k + 1}", of="AL.fig1.1")
    agree(values[-1], expected[-1], "output", of="SH.sec2.2a")


class Images(NamedTuple):
    """Images and a kernel that fits into them."""

    images: Any  # (n, R, S, C)
    kernel: Any  # (h, w, C, O)


@st.composite
def image_cases(draw: st.DrawFn) -> Images:
    """Up to two images of up to two channels."""
    n, h, w, channels, outputs = (draw(st.integers(1, most)) for most in (2, 2, 3, 2, 2))
    R, S = draw(st.integers(h, 4)), draw(st.integers(w, 3))
    entries = st.integers(-3, 3).map(float)
    return Images(
        draw(arrays((n, R, S, channels), entries)), draw(arrays((h, w, channels, outputs), entries))
    )


@check(
    "AL.ch1.conv",
    of=nets,
    cases=image_cases(),
    evidence=EXACTLY,
    rejects=("kernel-flipped", "weights-not-shared", "pixels-reversed"),
)
def convolution_is_a_constrained_dense_layer(impl: Implementation, case: Images, plain: Images) -> None:
    """A convolution layer is linear: a dense layer of weights that are shared and mostly zero.

    W[(a, b, c), (r, s, o)] = k[a - r, b - s, c, o], zero where that leaves the kernel.  What deep learning
    calls convolution is correlation: signal processing's convolution with the kernel flipped.
    """
    images, kernel = plain
    (n, R, S, C), (h, w, _, outputs) = images.shape, kernel.shape
    theta = Kernel(case.kernel, 0 * case.kernel[0, 0, 0, :])
    y = to_numpy(impl.forward((Correlation(),), (theta,), case.images)[-1])
    for k, o in product(range(n), range(outputs)):
        convolved = [
            scipy.signal.convolve2d(images[k, ..., c], kernel[::-1, ::-1, c, o], mode="valid")
            for c in range(C)
        ]
        agree(y[k, ..., o], sum(convolved), f"flipped convolution of image {k}, output {o}")
    places = list(product(range(R - h + 1), range(S - w + 1), range(outputs)))
    expected = np.zeros((R, S, C, len(places)))
    for (column, (r, s, o)), i, j, c in product(enumerate(places), range(h), range(w), range(C)):
        expected[r + i, s + j, c, column] = kernel[i, j, c, o]
    W = expected.reshape(R * S * C, -1)
    agree(
        impl.jacobian((Correlation(),), (theta,), case.images[:1, ...])[0, ...],
        W,
        "weight of the dense layer",
    )
    flat = like(images.reshape(n, -1), case.images)
    dense = impl.forward(
        (FullyConnected(),), (Dense(like(W, flat), like(np.zeros(W.shape[1]), flat)),), flat
    )[-1]
    agree(dense, y.reshape(n, -1), "dense layer")


class Classified(NamedTuple):
    """Logits and a target law."""

    logits: Any  # (K,)
    target: Any  # (K,)


@check(
    "AL.ch1.softmax",
    of=(layers, errors, laws),
    cases=st.integers(1, 4).flatmap(lambda k: st.builds(Classified, functions(k), law_tables(k))),
    evidence=EXACTLY,
    rejects=(
        "softmax-not-normalised",
        "powers-of-two",
        "laws:cross-entropy-reversed",
        "laws:kl-for-cross-entropy",
        "cross-entropy-of-wrong-sign",
    ),
)
def softmax_and_cross_entropy(impl: Implementation, case: Classified, plain: Classified) -> None:
    """softmax = exp(v) / Z, H(p, q) = -sum p log q; together they are the loss; H(p, q) - H(p, p) = KL >= 0.

    A smooth maximum: softmax(t v) tends to the indicator of the largest entry, shared among equal ones.
    """
    v, t = plain
    q = np.exp(v) / np.exp(v).sum()
    agree(impl.softmax(case.logits), q, "softmax")
    by_hand = -math.fsum(a * math.log(b) for a, b in zip(t, q, strict=True) if a > 0)
    agree(impl.cross_entropy(case.target, like(q, case.logits)), by_hand, "H(t, softmax(v))")
    fused = impl.softmax_cross_entropy(case.logits[None, :], case.target[None, :])
    agree(fused[0], by_hand, "loss of the logits")
    own = -math.fsum(a * math.log(a) for a in t if a > 0)
    agree(impl.cross_entropy(case.target, case.target), own, "H(t, t)")
    at_most(own, by_hand, "H(t, t), against H(t, q)")
    largest = v > v.max() - 1e-9
    sharp = 1e5 * (case.logits - array_namespace(case.logits).max(case.logits))
    agree(impl.softmax(sharp), largest / largest.sum(), "softmax of large logits")


@check(
    "AL.eq1.13",
    of=nets,
    cases=mlps(most_layers=3),
    evidence=EXACTLY,
    rejects=("rows-averaged", "slopes-forgotten", "gradients-reversed"),
)
def backpropagation_is_the_chain_rule(impl: Implementation, net: Network, plain: Network) -> None:
    """[f(g(x))]' = f'(g(x)) g'(x), layer by layer from last to first, against the complex step.

    The rectifier has derivative 0 at its kink here.  (The prime is Lagrange's notation, not Newton's.)
    """
    form = mlp(*net.activations)
    values = impl.forward(form, net.layers, net.x)
    gradient, dx = impl.pullback(form, net.layers, values, array_namespace(net.x).ones_like(values[-1]))
    theta, activations, x = plain
    exact = derivative(lambda theta: oracle.output(theta, activations, x).sum(), theta)
    agree(gradient, exact, "gradient by the parameters")
    by_input = derivative(lambda x: oracle.output(theta, activations, x).sum(), x)
    agree(dx, by_input, "gradient by the input")


# --- auto-encoders ----------------------------------------------------------------------------------------


def _squared_error(plain: AutoEncoder, row: Any, target: Any) -> float:
    found = oracle.output(plain.layers, plain.activations, [row])[0]
    return math.fsum((a - b) ** 2 for a, b in zip(found, target, strict=True))


@check(
    "AL.eq1.14",
    of=errors,
    cases=auto_encoders(),
    evidence=EXACTLY,
    rejects=("norm-for-its-square", "units-averaged"),
    uncovered="the optional R(theta) = |theta|^2",
)
def reconstruction_error(impl: Implementation, case: AutoEncoder, plain: AutoEncoder) -> None:
    """E_X |f(x) - x|^2, over a law of X; zero for the identity, the solution to avoid."""
    each = to_numpy(impl.reconstruction_error(mlp(*case.activations), case.layers, case.x)).astype(float)
    of_x, by_hand = plain.law.sum(axis=1), [_squared_error(plain, row, row) for row in plain.x]
    agree(of_x @ each, math.fsum(of_x * np.array(by_hand)), "reconstruction error")
    agree(each, np.array(by_hand), "error of each row")
    eye = np.eye(plain.x.shape[1])
    identity = Dense(like(eye, case.x), like(0 * eye[0], case.x))
    found = impl.reconstruction_error((FullyConnected(),), (identity,), case.x)
    agree(found, np.zeros(len(plain.x)), "reconstruction error of the identity")


@check(
    "AL.eq1.15",
    of=errors,
    cases=auto_encoders(),
    evidence=EXACTLY,
    rejects=("noisy-target", "noise-missing", "noise-on-the-target"),
)
def denoising_error(impl: Implementation, case: AutoEncoder, plain: AutoEncoder) -> None:
    """E_(X, noise) |f(X + noise) - X|^2, over a joint law of X and noise, for auto-encoders of any layers."""
    total, expected = 0.0, []
    for (i, x), (j, e) in product(enumerate(plain.x), enumerate(plain.noise)):
        form, rows = mlp(*case.activations), (case.x[i : i + 1, :], case.noise[j : j + 1, :])
        total += float(plain.law[i, j]) * float(impl.denoising_error(form, case.layers, *rows)[0])
        expected.append(plain.law[i, j] * _squared_error(plain, x + e, x))
    agree(total, math.fsum(expected), "denoising error")


@check(
    "AL.eq1.15",
    of=errors,
    cases=st.tuples(hundredths(-2, 2), st.sampled_from((0.5, 1.0, 2.0))),
    evidence=EXACTLY,
    rejects=("noisy-target", "noise-missing", "noise-on-the-target"),
)
def denoising_error_of_a_linear_map(impl: Implementation, case: tuple[float, float]) -> None:
    """For X ~ N(0, 1), noise ~ N(0, s^2) and f(x) = w x it is (w - 1)^2 + w^2 s^2.

    So the identity costs s^2, and the best linear map is 1 / (1 + s^2).  Two Gauss-Hermite nodes are exact.
    """
    w, s = case

    def error_of(slope: Any, rng: Any) -> Any:
        clean, added = (rng.normal(slope.shape, like=slope) for _ in range(2))
        layer = Dense(slope[:1, :], 0 * slope[0, :])  # every replica has the same slope
        return impl.denoising_error((FullyConnected(),), (layer,), clean, s * added)

    def mean_error(slope: float) -> float:
        return float(expect(error_of, np.array([[slope]]), nodes=2).mean()[0])

    agree(mean_error(w), (w - 1) ** 2 + w**2 * s**2, "mean denoising error")
    agree(mean_error(1.0), s**2, "mean denoising error of the identity")
    best = mean_error(1 / (1 + s**2))
    agree(best, s**2 / (1 + s**2), "mean denoising error of the best linear map")
    at_most(best, mean_error(w), "mean denoising error of 1 / (1 + s^2)", slack=1e-9)
