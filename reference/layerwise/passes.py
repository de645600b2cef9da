r"""What an auto-encoder makes of x: up through q(h | x) and down through P(x | h), and its gradients.

.. math:: q(h \mid x) = \prod_j q(h_j \mid x), \qquad
          \log \textstyle\sum_h P(x \mid h)\, q(h \mid x)\, P_D(x) \le \log P(x)      [AO] eq. 21-25

Three things are called the reconstruction of x, and differ in what becomes of h ([AO] footnote 3):

    log_sum_pass     h is summed out:               log sum_h P(x | h) q(h | x), the criterion itself
    log_sampled_pass h is drawn from q(h | x):      log P(x | h)
    log_mean_pass    h is its own mean activation:  log P(x | E_q h), minus the cross-entropy of practice
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..boltzmann.rbm import RBM
from ..contracts import Bits, Choice, Prob, Raw, Real, checked, conform
from ..directed.layers import log_conditional, log_conditional_table
from ..directed.mixtures import Weights, data_law
from ..directed.products import log_bits, log_bits_of_rows
from ..laws import expectation, log_table
from ..networks.layers import Dense, Layer, softmax
from ..networks.nets import forward, mlp, pullback
from ..numerics import log_sum_exp, sigmoid
from ..states import binary_states
from .stacks import AutoEncoder, generative_net, join, parts_grad, tied_grad, untie

Hidden: TypeAlias = Choice[str, "mean", "sample", "sum"]
"""What becomes of h."""

_BLOCK = 2**22  # numbers per block of a table of rows and states of two layers


# --- inference --------------------------------------------------------------------------------------------


@checked
def inference_means(theta: AutoEncoder, x: Real[Array, "n V"]) -> Prob[Array, "n H"]:
    """Return q(h_j = 1 | x) of each row: all there is to a factorised q.      [AO] eq. 21-22

    Exactness: exact.
    """
    return sigmoid(inference_logits(theta, x))


@checked
def inference_logits(theta: AutoEncoder, x: Real[Array, "n V"]) -> Real[Array, "n H"]:
    """Return the logits of ``inference_means``, which do not saturate; ``directed.annealed`` takes them.

    Exactness: exact.
    """
    check_units(theta, x)
    return forward(_to_logits(theta.inference), theta.inference, x)[-1]


def check_units(theta: AutoEncoder, x: Array) -> None:
    """Raise ValueError unless ``x`` has the units that the lowest inference layer takes."""
    conform(("x", Raw[Array, "n V"], x), V=theta.inference[0].W.shape[0])


# --- mean activation --------------------------------------------------------------------------------------


@checked
def log_mean_pass(theta: AutoEncoder, x: Prob[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return :math:`\log P(x \mid \bar h),\ \bar h = E_q h`: minus the cross-entropy of the outputs.

    All units between x and x are mean activations.      [AO] 3.2, footnote 3
    Of means x it is the expectation over their bits.   Exactness: exact.
    """
    return _log_likelihood(theta, x, inference_means(theta, x))


@checked
def log_mean_pass_grad(theta: AutoEncoder, x: Prob[Array, "n V"]) -> AutoEncoder:
    """Return the gradient of the mean of ``log_mean_pass`` over the rows: backpropagation.

    Exactness: exact.
    """
    return _through(theta, x, lambda mean: mean)


# --- a draw -----------------------------------------------------------------------------------------------


@checked
def log_sampled_pass(
    theta: AutoEncoder, x: Prob[Array, "n V"], *, rng: Rng
) -> tuple[Real[Array, "n"], Bits[Array, "n H"]]:
    r"""Return :math:`\log P(x \mid h)` of a draw h from q(h | x), and h.      [AO] footnote 3

    Generative layers below h pass means on, so with more than one the value is not that of their law.
    Exactness: E exp of it is exp ``log_sum_pass``, for one such layer.
    """
    h = as_stream(rng, like=x).bernoulli(inference_means(theta, x))
    return _log_likelihood(theta, x, h), h


@checked
def log_sampled_pass_grad(theta: AutoEncoder, x: Prob[Array, "n V"], *, rng: Rng) -> AutoEncoder:
    """Return backpropagation through a draw: h is drawn, and its mean's derivative is used as its own.

    For the generative layers it is the gradient of the mean of ``log_sampled_pass``, given h; for the
    inference layers it is the straight-through rule, which is the gradient of nothing.
    """
    return _through(theta, x, as_stream(rng, like=x).bernoulli)


def _log_likelihood(theta: AutoEncoder, x: Array, h: Array) -> Array:
    """Return log P(x | h) of each row; generative layers between pass means on."""
    return log_bits_of_rows(x, forward(_to_logits(theta.generative), theta.generative, h)[-1])


def _through(theta: AutoEncoder, x: Array, hidden: Callable[[Array], Array]) -> AutoEncoder:
    """Return the gradient of the mean log P(x | h), h = hidden(mean) with the derivative of its mean."""
    check_units(theta, x)
    to_means, to_logits = _to_means(theta.inference), _to_logits(theta.generative)
    up = forward(to_means, theta.inference, x)
    down = forward(to_logits, theta.generative, hidden(up[-1]))
    generative, error = pullback(to_logits, theta.generative, down, output_error(x, down[-1]) / x.shape[0])
    inference, _ = pullback(to_means, theta.inference, up, error)
    return AutoEncoder(inference, generative)


def output_error(x: Array, logits: Array) -> Array:
    r"""Return :math:`x - \sigma(a)`, the gradient of log P(x) by the logits a, unchecked.   Exact."""
    return x - sigmoid(logits)


# --- the sum ----------------------------------------------------------------------------------------------


@checked
def log_sum_pass(theta: AutoEncoder, x: Bits[Array, "n V"]) -> Real[Array, "n"]:
    r"""Return :math:`\log\sum_h P(x \mid h)\, q(h \mid x)` of each row; layers below h are summed out too.

    Exactness: exact to rounding.      [AO] eq. 25 without P_D(x)
    Cost: n 2^H, and 2^(H + H_1) where there is a layer of H_1 units between h and x.
    Raises: ValueError where x does not suit, or there are too many states.
    """
    return log_sum_exp(_log_joint(theta, x)[1], axis=1)


@checked
def criterion(theta: AutoEncoder, x: Bits[Array, "n V"], *, weights: Weights = None) -> Real[Array, ""]:
    r"""Return :math:`\mathbb{E}_{x \sim P_D} \log \sum_h P(x \mid h)\, q(h \mid x)\, P_D(x)`.   [AO] eq. 25

    It bounds the criterion [AO] eq. 10 from below at this q, and so U_D.  A repeated row counts as a row of
    its own, with its own share of P_D: that bounds too.
    ``weights`` are a law over the rows, 1/n each where they are not given.
    Exactness: exact to rounding.
    """
    passed = log_sum_pass(theta, x)
    weights = data_law(x.shape[0], weights, like=passed)
    return expectation(weights, passed + log_table(weights))


@checked
def log_sum_pass_grad(theta: AutoEncoder, x: Bits[Array, "n V"], *, weights: Weights = None) -> AutoEncoder:
    r"""Return the gradient of the mean of ``log_sum_pass``, also that of ``criterion``, over the rows.

    With :math:`r(h \mid x) \propto P(x \mid h) q(h \mid x)` it is :math:`\mathbb{E}_r[h] - \mathbb{E}_q[h]`
    at the logits of h, and :math:`\mathbb{E}_r[(x - \sigma(a(h)))\, h]` for the weights below.  Under more
    generative layers r goes on down, by :math:`r(h_1, h_2 \mid x) = P(h_1 \mid h_2, x)\, r(h_2 \mid x)`.
    ``weights`` are a law over the rows, 1/n each where they are not given.   Exactness: exact.
    Cost: n 2^H, and 2^H V; n 2^(H + H_1) exponentials where there is a layer of H_1 units between h and x.
    Raises: ValueError as ``log_sum_pass``.
    """
    log_p, log_joint = _log_joint(theta, x)
    weights = data_law(x.shape[0], weights, like=log_joint)
    return _of_states(theta, x, log_p, weights[:, None] * _posterior(log_joint))


def _of_states(theta: AutoEncoder, x: Array, log_p: Sequence[Array], r: Array) -> AutoEncoder:
    """Return the gradient of the sum of r(x, h) log P(x | h) q(h | x) over rows and states, r held.

    Shapes: log P(x | h) of each generative layer's states (n, S_k), lowest first, r (n, 2^H) -> AutoEncoder.
    """
    up = forward(_to_logits(theta.inference), theta.inference, x)
    inference, _ = pullback(_to_logits(theta.inference), theta.inference, up, _code_error(r, up[-1]))
    grads, tables = list[Dense](), [log_conditional_table(layer) for layer in generative_net(theta)[1:]]
    for k, layer in zip(reversed(range(len(tables))), theta.generative[:-1], strict=True):
        r, pairs = _posterior_below(log_p[k], tables[k], log_p[k + 1], r)
        grads.append(_generative_grad(layer, pairs, binary_states(layer.b.shape[0], like=x)))
    grads.append(_generative_grad(theta.generative[-1], r, x))
    return AutoEncoder(inference, tuple(grads))


def _posterior(log_joint: Array) -> Array:
    """Return r(h | x), in proportion to P(x | h) q(h | x): (n, 2^H)."""
    return softmax(log_joint)


def _code_error(r: Array, logits: Array) -> Array:
    r"""Return :math:`\sum_h r(x, h) (h - q(h = 1 \mid x))`, the error at the logits of h: (n, H)."""
    xp, h = array_namespace(r), binary_states(logits.shape[1], like=r)
    return r @ h - xp.sum(r, axis=1)[:, None] * sigmoid(logits)


def _log_joint(theta: AutoEncoder, x: Array) -> tuple[list[Array], Array]:
    """Return log P(x | h) of all states of every generative layer, the lowest first, and the log joint.

    The latter is log P(x | h) q(h | x) of the states of the topmost h: (n, 2^H).
    """
    check_units(theta, x)
    bottom, *above = generative_net(theta)
    log_p = [log_conditional(bottom, x)]
    for layer in above:
        log_p.append(_log_product(log_p[-1], log_conditional_table(layer)))
    return log_p, log_p[-1] + _log_inference(theta, x)


def _log_inference(theta: AutoEncoder, x: Array) -> Array:
    """Return log q(h | x) of all states: (n, 2^H)."""
    h = binary_states(theta.inference[-1].b.shape[0], like=x)
    return array_namespace(x).matrix_transpose(log_bits(h, inference_logits(theta, x)))


def _log_product(log_a: Array, log_b: Array) -> Array:
    """Return the logarithm of the matrix product of exponentials, whatever their range."""
    xp = array_namespace(log_a, log_b)
    top, limits = xp.max(log_a, axis=1, keepdims=True), xp.finfo(log_a.dtype)
    product = xp.exp(log_a - top) @ xp.exp(log_b)
    if bool(xp.all(product > log_a.shape[1] * float(limits.smallest_normal) / float(limits.eps))):
        return xp.log(product) + top
    # Too small for their rounding: those sums are taken in logarithms.
    return xp.stack([log_sum_exp(log_a[k, :][:, None] + log_b, axis=0) for k in range(log_a.shape[0])])


def _posterior_below(log_below: Array, log_table: Array, log_above: Array, r: Array) -> tuple[Array, Array]:
    """Return P(h1 | x) r(x) of the states below a layer, and P(h1, h2 | x) r(x) summed over the rows.

    Shapes: log P(x | h1) (n, S1), log P(h1 | h2) (S1, S2), log P(x | h2) (n, S2), P(h2 | x) r(x) (n, S2)
    -> (n, S1), (S1, S2).
    """
    xp, n = array_namespace(r), r.shape[0]
    rows, below, pairs = max(1, _BLOCK // prod(log_table.shape)), [], xp.zeros_like(log_table)
    for k in range(0, n, rows):
        at = slice(k, min(k + rows, n))
        both = xp.exp(log_below[at, :][:, :, None] + log_table - log_above[at, :][:, None, :])
        both = both * r[at, :][:, None, :]
        pairs = pairs + xp.sum(both, axis=0)
        below.append(xp.sum(both, axis=2))
    return xp.concat(below), pairs


def _generative_grad(layer: Dense, pairs: Array, below: Array) -> Dense:
    """Return the gradient of the mean log P(below | h) over pairs with these probabilities.

    Shapes: pairs (m, 2^H), below (m, V) bits -> Dense.
    """
    xp, h = array_namespace(pairs), binary_states(layer.W.shape[0], like=pairs)
    # x - sigma(a(h)), averaged over x given h, is a (2^H, V) table.
    miss = xp.matrix_transpose(pairs) @ below
    miss = miss - xp.sum(pairs, axis=0)[:, None] * sigmoid(h @ layer.W + layer.b)
    return Dense(xp.matrix_transpose(h) @ miss, xp.sum(miss, axis=0))


# --- training ---------------------------------------------------------------------------------------------


@checked
def reconstruction_step(hidden: Hidden) -> Callable[[Any, Array, Any, Stream], tuple[Any, Any]]:
    """Return the step, for ``training.fit``, of an ``Encoder``, or of a tuple of them: all layers at once.

    ``hidden`` says what becomes of h: "mean" (backpropagation with cross-entropy, [AO] 3.2), "sample" or
    "sum".      [AO] footnote 3; 2.6 for a stack, tied weights staying tied
    """

    def gradient(theta: AutoEncoder, rows: Array, stream: Stream) -> AutoEncoder:
        if hidden == "sample":
            return log_sampled_pass_grad(theta, rows, rng=stream)
        return log_mean_pass_grad(theta, rows) if hidden == "mean" else log_sum_pass_grad(theta, rows)

    def step(theta: Any, rows: Array, memory: Any, stream: Stream) -> tuple[Any, Any]:
        if isinstance(theta, AutoEncoder):
            return gradient(theta, rows, stream), memory
        if isinstance(theta, RBM):
            return tied_grad(gradient(untie(theta), rows, stream)), memory
        return parts_grad(theta, gradient(join(theta), rows, stream)), memory

    return step


# --- what the passes share --------------------------------------------------------------------------------


def _to_means(layers: Sequence[Dense]) -> tuple[Layer, ...]:
    """Return the net of these layers, a sigmoid after each."""
    return mlp(*("sigmoid",) * len(layers))


def _to_logits(layers: Sequence[Dense]) -> tuple[Layer, ...]:
    """Return the net of these layers, a sigmoid after each but the last."""
    return _to_means(layers)[:-1]
