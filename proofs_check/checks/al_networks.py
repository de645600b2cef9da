"""[AL] 1.2: convolution, softmax, backpropagation and auto-encoders."""

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
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..strategies import arrays, functions, hundredths
from ..strategies import laws as law_tables
from .brute import like
from .sh_networks import Network, mlps


class Images(NamedTuple):
    """Images and a kernel that fits into them."""

    images: Any  # (n, R, S)
    kernel: Any  # (h, w)


image_cases = st.tuples(
    st.integers(1, 2), st.integers(2, 4), st.integers(1, 3), st.integers(1, 2), st.integers(1, 3)
).flatmap(
    lambda s: st.builds(
        Images,
        arrays((s[0], s[1], max(s[2], s[4])), st.integers(-3, 3).map(float)),
        arrays((s[3], s[4]), st.integers(-3, 3).map(float)),
    )
)


@check(
    "AL.ch1.conv",
    of=(nets,),
    cases=image_cases,
    evidence=EXACTLY,
    mutants={
        "the kernel flipped, as signal processing convolves": {
            "forward": lambda net, theta, x: nets.forward(
                net, (theta[0]._replace(K=array_namespace(x).flip(theta[0].K, axis=(0, 1))),), x
            )
        },
        "weights not shared": {
            "jacobian": lambda net, theta, x: (
                nets.jacobian(net, theta, x) * like(np.arange(1, x[0, ...].size + 1)[:, None], x)
            )
        },
        "the image transposed": {
            "jacobian": lambda net, theta, x: array_namespace(x).flip(nets.jacobian(net, theta, x), axis=1)
        },
    },
)
def convolution_is_a_constrained_dense_layer(impl: Implementation, case: Images) -> None:
    """A convolution layer is linear: a dense layer of weights that are shared and mostly zero.

    W[(a, b), (r, s)] = k[a - r, b - s], zero where that leaves the kernel.  What deep learning calls
    convolution is correlation: signal processing's convolution with the kernel flipped.
    """
    images, kernel = to_numpy(case.images).astype(float), to_numpy(case.kernel).astype(float)
    theta = Kernel(case.kernel[:, :, None, None], 0 * case.kernel[0, :1])
    y = to_numpy(impl.forward((Correlation(),), (theta,), case.images[..., None])[-1])[..., 0]
    for image, out in zip(images, y, strict=True):
        agree(
            out,
            scipy.signal.convolve2d(image, kernel[::-1, ::-1], mode="valid"),
            "flipped convolution",
            atol=1e-9,
        )
    (R, S), (h, w) = images.shape[1:], kernel.shape
    W = impl.jacobian((Correlation(),), (theta,), case.images[:1, ..., None])[0, ...]
    places = list(product(range(R - h + 1), range(S - w + 1)))
    expected = np.zeros((R * S, len(places)))
    for (column, (r, s)), i, j in product(enumerate(places), range(h), range(w)):
        expected[(r + i) * S + s + j, column] = kernel[i, j]
    agree(W, expected, "weight of the dense layer")
    flat = array_namespace(case.images).reshape(case.images, (len(images), -1))
    layer = Dense(W, 0 * W[0, :])
    dense = nets.forward((FullyConnected(),), (layer,), flat)[-1]
    agree(dense, y.reshape(len(images), -1), "dense layer", atol=1e-9)


class Classified(NamedTuple):
    """Logits and a target law."""

    logits: Any  # (K,)
    target: Any  # (K,)


@check(
    "AL.ch1.softmax",
    of=(layers, errors, laws),
    cases=st.integers(1, 4).flatmap(lambda k: st.builds(Classified, functions(k), law_tables(k))),
    evidence=EXACTLY,
    mutants={
        "not normalised": {"softmax": lambda v: array_namespace(v).exp(v)},
        "powers of two": {"softmax": lambda v: layers.softmax(v * math.log(2))},
        "cross-entropy with its arguments exchanged": {
            "cross_entropy": lambda p, q: laws.cross_entropy(q, p)
        },
        "the divergence for the cross-entropy": {"cross_entropy": laws.kl},
        "the sign of the fused loss": {
            "softmax_cross_entropy": lambda v, t: -errors.softmax_cross_entropy(v, t)
        },
    },
)
def softmax_and_cross_entropy(impl: Implementation, case: Classified) -> None:
    """softmax = exp(v) / Z, H(p, q) = -sum p log q; together they are the loss; H(p, q) - H(p, p) = KL >= 0.

    A smooth maximum: softmax(t v) tends to the indicator of the largest entry, shared among equal ones.
    """
    v, t = to_numpy(case.logits).astype(float), to_numpy(case.target).astype(float)
    q = np.exp(v) / np.exp(v).sum()
    agree(impl.softmax(case.logits), q, "softmax")
    by_hand = -math.fsum(a * math.log(b) for a, b in zip(t, q, strict=True) if a > 0)
    agree(impl.cross_entropy(case.target, like(q, case.logits)), by_hand, "H(t, softmax(v))", atol=1e-10)
    fused = impl.softmax_cross_entropy(case.logits[None, :], case.target[None, :])
    agree(fused[0], by_hand, "loss of the logits", atol=1e-10)
    own = impl.cross_entropy(case.target, case.target)
    at_most(0.0, by_hand - float(own), "zero, against H(p, q) - H(p, p)")
    largest = v > v.max() - 1e-9
    agree(
        impl.softmax(1e5 * (case.logits - array_namespace(case.logits).max(case.logits))),
        largest / largest.sum(),
        "softmax of large logits",
        atol=1e-9,
    )


COMPLEX: dict[str, Any] = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.where(z.real > 0, z, 0 * z),
    "softplus": lambda z: np.log(1 + np.exp(z)),
}


@check(
    "AL.eq1.13",
    of=(nets,),
    cases=mlps(most_layers=3),
    evidence=EXACTLY,
    mutants={
        "averaged over rows": {
            "pullback": lambda net, theta, values, dy: nets.pullback(net, theta, values, dy / dy.shape[0])
        },
        "derivatives of activations forgotten": {
            "pullback": lambda net, theta, values, dy: nets.pullback(
                mlp(*["identity"] * len(theta)), theta, values, dy
            )
        },
        "gradients from first to last": {
            "pullback": lambda net, theta, values, dy: (nets.pullback(net, theta, values, dy)[0][::-1], dy)
        },
    },
)
def backpropagation_is_the_chain_rule(impl: Implementation, net: Network) -> None:
    """[f(g(x))]' = f'(g(x)) g'(x), layer by layer from last to first, against the complex step.

    The rectifier has derivative 0 at its kink here.  (The prime is Lagrange's notation, not Newton's.)
    """
    x = to_numpy(net.x).astype(float)
    layers = [tuple(to_numpy(a).astype(float) for a in layer) for layer in net.layers]
    form = mlp(*net.activations)
    values = impl.forward(form, net.layers, net.x)
    grads, _ = impl.pullback(form, net.layers, values, array_namespace(net.x).ones_like(values[-1]))
    for k, which in product(range(len(layers)), range(2)):
        slopes = np.zeros(layers[k][which].shape)
        for at in np.ndindex(slopes.shape):
            moved = [[a.astype(complex) for a in layer] for layer in layers]
            moved[k][which][at] += 1e-30j
            h = x.astype(complex)
            for (W, b), g in zip(moved, net.activations, strict=True):
                h = COMPLEX[g](h @ W + b)
            slopes[at] = h.sum().imag / 1e-30
        agree(grads[k][which], slopes, f"gradient of layer {k + 1}'s {'Wb'[which]}", rtol=1e-9, atol=1e-9)


class AutoEncoder(NamedTuple):
    """An affine auto-encoder of two units, rows of data, and noise for each."""

    W: Any  # (2, 2)
    b: Any  # (2,)
    x: Any  # (n, 2)
    noise: Any  # (n, 2)


auto_encoders = st.integers(1, 3).flatmap(
    lambda n: st.builds(AutoEncoder, functions(2, 2), functions(2), functions(n, 2), functions(n, 2))
)


@check(
    "AL.eq1.14",
    of=(errors,),
    cases=auto_encoders,
    evidence=EXACTLY,
    mutants={
        "the norm, not squared": {
            "reconstruction_error": lambda net, theta, x: errors.reconstruction_error(net, theta, x) ** 0.5
        },
        "averaged over units": {
            "reconstruction_error": lambda net, theta, x: (
                errors.reconstruction_error(net, theta, x) / x.shape[1]
            )
        },
    },
)
def reconstruction_error(impl: Implementation, case: AutoEncoder) -> None:
    """|f(x) - x|^2 of each row, of which E_X is the mean; zero for the identity, the solution to avoid.

    R(theta) = |theta|^2 is optional in the text, and enters as in AL.eq1.6.
    """
    W, b, x = (to_numpy(a).astype(float) for a in case[:3])
    found = impl.reconstruction_error((FullyConnected(),), (Dense(case.W, case.b),), case.x)
    agree(found, [sum((row @ W + b - row) ** 2) for row in x], "reconstruction error", atol=1e-9)
    identity = Dense(like(np.eye(2), case.W), 0 * case.b)
    found = impl.reconstruction_error((FullyConnected(),), (identity,), case.x)
    agree(found, np.zeros(len(x)), "reconstruction error of the identity")


@check(
    "AL.eq1.15",
    of=(errors,),
    cases=st.tuples(auto_encoders, hundredths(-2, 2), st.sampled_from((0.5, 1.0, 2.0))),
    evidence=EXACTLY,
    mutants={
        "the noisy input as target": {
            "denoising_error": lambda net, theta, x, noise: errors.reconstruction_error(net, theta, x + noise)
        },
        "no noise": {
            "denoising_error": lambda net, theta, x, noise: errors.reconstruction_error(net, theta, x)
        },
        "noise on the target": {
            "denoising_error": lambda net, theta, x, noise: errors.denoising_error(
                net, theta, x + noise, -noise
            )
        },
    },
)
def denoising_error(impl: Implementation, case: tuple[AutoEncoder, float, float]) -> None:
    """|f(x + noise) - x|^2; for X ~ N(0, 1), noise ~ N(0, s^2), f(x) = w x its mean is (w - 1)^2 + w^2 s^2.

    So the identity costs s^2, and the best linear map is 1 / (1 + s^2).  Two Gauss-Hermite nodes are exact.
    """
    auto, w, s = case
    W, b, x, noise = (to_numpy(a).astype(float) for a in auto)
    found = impl.denoising_error((FullyConnected(),), (Dense(auto.W, auto.b),), auto.x, auto.noise)
    by_hand = [sum(((row + e) @ W + b - row) ** 2) for row, e in zip(x, noise, strict=True)]
    agree(found, by_hand, "denoising error", atol=1e-9)

    def error_of(slope: Any, rng: Any) -> Any:
        clean, added = (rng.normal(slope.shape, like=slope) for _ in range(2))
        layer = Dense(slope[:1, :], 0 * slope[0, :])  # every replica has the same slope
        return impl.denoising_error((FullyConnected(),), (layer,), clean, s * added)

    def mean_error(slope: float) -> float:
        return float(expect(error_of, like(np.array([[slope]]), auto.W), nodes=2).mean()[0])

    agree(mean_error(w), (w - 1) ** 2 + w**2 * s**2, "mean denoising error", atol=1e-9)
    best = mean_error(1 / (1 + s**2))
    agree(best, s**2 / (1 + s**2), "mean denoising error of the best linear map", atol=1e-9)
    at_most(best, mean_error(w), "mean denoising error of 1 / (1 + s^2)", slack=1e-9)
