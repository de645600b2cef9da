r"""Stacks of auto-encoders: inference layers up to h, generative layers back to x.      [AO] 2.4, 2.6, 3.2

.. math:: q(h \mid x) = \prod_j q(h_j \mid x), \qquad
          \log \textstyle\sum_h P(x \mid h)\, q(h \mid x)\, P_D(x) \le \log P(x)      [AO] eq. 21-25

Three things are called the reconstruction of x, and differ in what becomes of h ([AO] footnote 3):

    log_sum_pass     h is summed out:               log sum_h P(x | h) q(h | x), the criterion itself
    log_sampled_pass h is drawn from q(h | x):      log P(x | h)
    log_mean_pass    h is its own mean activation:  log P(x | E_q h), minus the cross-entropy of practice

Layers between x and h (the h' of an AERI) are always mean activations: they make q richer, they are no latent
variables.  A vanilla auto-encoder ties its weights: its parameters are those of an ``RBM``, and ``untie``
shows it as an ``AutoEncoder``.  Fine-tuning is the training of a whole stack as its ``join`` ([AO] 2.6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from math import prod
from typing import Any, NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..arguments import check_choice, check_floating, check_probability, check_shape
from ..boltzmann.rbm import RBM, check_rbm
from ..directed.layers import Sigmoid, log_bits, log_conditional, log_conditional_table
from ..directed.mixtures import data_law
from ..networks import Dense, dense, dense_backward, mlp_forward
from ..numerics import log_sum_exp, sigmoid, softplus, x_log_y
from ..optimizers import leaves
from ..states import binary_states

_BLOCK = 2**22  # numbers per block of a table of rows and states of two layers


class AutoEncoder(NamedTuple):
    """Parameters of an auto-encoder; a gradient is an AutoEncoder too."""

    inference: tuple[Dense, ...]  # x -> ... -> h, each with a sigmoid
    generative: tuple[Dense, ...]  # h -> ... -> x, each with a sigmoid


Encoder: TypeAlias = AutoEncoder | RBM
"""An auto-encoder; an RBM stands for the vanilla one of its weights, tied."""


def check_auto_encoder(theta: AutoEncoder) -> None:
    """Raise ValueError unless both parts have a layer and each layer's outputs are the next one's inputs."""
    layers = (*theta.inference, *theta.generative)
    array_namespace(*leaves(layers))
    if not theta.inference or not theta.generative:
        raise ValueError("an auto-encoder needs an inference and a generative layer at least")
    for k, layer in enumerate(layers):
        check_shape(f"layer {k}, W", layer.W, None, None)
        check_shape(f"layer {k}, b", layer.b, layer.W.shape[1])
        check_floating(f"layer {k}, b", layer.b, like=layers[0].W)
    for k, layer in enumerate(layers):
        if layer.W.shape[0] != layers[k - 1].W.shape[1]:  # the first takes x, which the last one gives
            raise ValueError(
                f"layers must chain: layer {k} takes {layer.W.shape[0]} units, the one before gives "
                f"{layers[k - 1].W.shape[1]}"
            )


# --- making, tying, joining -------------------------------------------------------------------------------


def initial(
    inference: Sequence[int], generative: Sequence[int], *, deviation: float, like: Array, rng: Rng
) -> AutoEncoder:
    """Return an auto-encoder with normal weights of this deviation and biases of zero.      [AO] table 1

    ``inference`` are the sizes from x to h, ``generative`` those from h to x: (V, H', H) and (H, V) are an
    AERI, (V, H) and (H, V) an untied auto-encoder.
    """
    stream = as_stream(rng, like=like)

    def layer(inputs: int, outputs: int) -> Dense:
        W = deviation * stream.normal((inputs, outputs), like=like)
        return Dense(W, array_namespace(like).zeros_like(W[0, :]))

    theta = AutoEncoder(
        tuple(layer(*sizes) for sizes in pairwise(inference)),
        tuple(layer(*sizes) for sizes in pairwise(generative)),
    )
    check_auto_encoder(theta)
    return theta


def untie(theta: RBM) -> AutoEncoder:
    r"""Return the vanilla auto-encoder of these tied weights, :math:`W_{gen} = W_{inf}^\top`.      [AO] 3.2

    It is the machine's own p(h | x) and p(x | h).      [AO] 2.5
    """
    check_rbm(theta)
    transposed = array_namespace(theta.W).matrix_transpose(theta.W)
    return AutoEncoder((Dense(theta.W, theta.c),), (Dense(transposed, theta.b),))


def tied_grad(grad: AutoEncoder) -> RBM:
    """Return the gradient by tied weights, from that of ``untie``: what both uses of a weight add up to."""
    (up,), (down,) = grad
    return RBM(up.W + array_namespace(up.W).matrix_transpose(down.W), down.b, up.b)


def join(stack: Sequence[Encoder]) -> AutoEncoder:
    """Return auto-encoders, from the bottom, as one: inference all the way up, then all the way down.

    [AO] 2.6 and figure 1: what fine-tuning trains at once.   Raises: ValueError where they do not chain.
    """
    for k, part in enumerate(stack):
        if not isinstance(part, (AutoEncoder, RBM)):
            raise ValueError(f"stack must hold AutoEncoders and RBMs, got {type(part).__name__} at {k}")
    parts = [untie(part) if isinstance(part, RBM) else part for part in stack]
    theta = AutoEncoder(
        tuple(layer for part in parts for layer in part.inference),
        tuple(layer for part in reversed(parts) for layer in part.generative),
    )
    check_auto_encoder(theta)
    return theta


def parts_grad(stack: Sequence[Encoder], grad: AutoEncoder) -> tuple[Encoder, ...]:
    """Return the gradient by each part of a stack, from that by its ``join``; what is tied stays tied.

    Raises: ValueError where ``grad`` has not the layers of the ``join``.
    """
    whole = join(stack)
    if [x.shape for x in leaves(whole)] != [g.shape for g in leaves(grad)]:
        raise ValueError(
            f"grad must have the layers of the joined stack, {len(whole.inference)} up and "
            f"{len(whole.generative)} down, each of its shape"
        )
    up, down = iter(grad.inference), reversed(grad.generative)
    grads = list[Encoder]()
    for part in stack:
        form = untie(part) if isinstance(part, RBM) else part
        inference = tuple(islice(up, len(form.inference)))
        own = AutoEncoder(inference, tuple(islice(down, len(form.generative)))[::-1])
        grads.append(tied_grad(own) if isinstance(part, RBM) else own)
    return tuple(grads)


def generative_net(theta: AutoEncoder) -> tuple[Sigmoid, ...]:
    """Return P(x | h) as layers from the bottom, unchecked, as ``directed.belief`` takes them below a top."""
    transpose = array_namespace(theta.generative[0].W).matrix_transpose
    return tuple(Sigmoid(transpose(layer.W), layer.b) for layer in reversed(theta.generative))


def parameter_count(net: tuple[Any, ...]) -> int:
    """Return the number of parameters of a generative model, its top included.      [AO] 3.2, footnote 6

    ``(*generative_net(theta), top)`` holds no inference, so none is counted.
    """
    return sum(prod(x.shape) for x in leaves(net))


# --- inference --------------------------------------------------------------------------------------------


def inference_means(theta: AutoEncoder, x: Array) -> Array:
    """Return q(h_j = 1 | x) of each row: all there is to a factorised q.      [AO] eq. 21-22

    Shapes: x (n, V) -> (n, H).   Exactness: exact.
    """
    check_auto_encoder(theta)
    return sigmoid(_inference(theta, x)[-1])


# --- mean activation --------------------------------------------------------------------------------------


def log_mean_pass(theta: AutoEncoder, x: Array) -> Array:
    r"""Return :math:`\log P(x \mid \bar h),\ \bar h = E_q h`: minus the cross-entropy of the outputs.

    All units between x and x are mean activations.      [AO] 3.2, footnote 3
    Shapes: x (n, V), binary or means (the expectation over their bits) -> (n,).   Exactness: exact.
    """
    return _log_likelihood(x, _mean_pass(theta, x)[-1])


def log_mean_pass_grad(theta: AutoEncoder, x: Array) -> AutoEncoder:
    """Return the gradient of the mean of ``log_mean_pass`` over the rows: backpropagation.

    Shapes: x (n, V) -> AutoEncoder.   Exactness: exact.
    """
    values, depth = _mean_pass(theta, x), len(theta.inference)
    error = (x - sigmoid(values[-1])) / x.shape[0]
    grads, _ = _backward((*theta.inference, *theta.generative), values, error)
    return AutoEncoder(grads[:depth], grads[depth:])


def _mean_pass(theta: AutoEncoder, x: Array) -> tuple[Array, ...]:
    check_auto_encoder(theta)
    layers = (*theta.inference, *theta.generative)
    return mlp_forward(layers, x, activations=_to_logits(layers))


# --- a draw -----------------------------------------------------------------------------------------------


def log_sampled_pass(theta: AutoEncoder, x: Array, *, rng: Rng) -> tuple[Array, Array]:
    r"""Return :math:`\log P(x \mid h)` of a draw h from q(h | x), and h.      [AO] footnote 3

    Generative layers below h pass means on, so with more than one the value is not that of their law.
    Shapes: x (n, V) -> (n,), (n, H).   Exactness: E exp of it is exp ``log_sum_pass``, for one such layer.
    """
    check_auto_encoder(theta)
    h = as_stream(rng, like=x).bernoulli(inference_means(theta, x))
    logits = mlp_forward(theta.generative, h, activations=_to_logits(theta.generative))[-1]
    return _log_likelihood(x, logits), h


def log_sampled_pass_grad(theta: AutoEncoder, x: Array, *, rng: Rng) -> AutoEncoder:
    """Return backpropagation through a draw: h is drawn, and its mean's derivative is used as its own.

    For the generative layers it is the gradient of the mean of ``log_sampled_pass``, given h; for the
    inference layers it is the straight-through rule, which is the gradient of nothing.
    Shapes: x (n, V) -> AutoEncoder.
    """
    check_auto_encoder(theta)
    up = _inference(theta, x)
    mean = sigmoid(up[-1])
    h = as_stream(rng, like=x).bernoulli(mean)
    down = mlp_forward(theta.generative, h, activations=_to_logits(theta.generative))
    generative, error = _backward(theta.generative, down, (x - sigmoid(down[-1])) / x.shape[0])
    inference, _ = _backward(theta.inference, up, error * mean * (1 - mean))
    return AutoEncoder(inference, generative)


# --- the sum ----------------------------------------------------------------------------------------------


def log_sum_pass(theta: AutoEncoder, x: Array) -> Array:
    r"""Return :math:`\log\sum_h P(x \mid h)\, q(h \mid x)` of each row; layers below h are summed out too.

    Shapes: x (n, V) binary -> (n,).   Exactness: exact to rounding.      [AO] eq. 25 without P_D(x)
    Cost: n 2^H, and 2^(H + H_1) where there is a layer of H_1 units between h and x.
    Raises: ValueError where x does not suit, or there are too many states.
    """
    return log_sum_exp(_log_joint(theta, x)[1], axis=1)


def criterion(theta: AutoEncoder, x: Array, *, weights: Array | None = None) -> Array:
    r"""Return :math:`\mathbb{E}_{x \sim P_D} \log \sum_h P(x \mid h)\, q(h \mid x)\, P_D(x)`.   [AO] eq. 25

    It bounds the criterion [AO] eq. 10 from below at this q, and so U_D.  A repeated row counts as a row of
    its own, with its own share of P_D: that bounds too.
    Shapes: x (n, V) binary, weights (n,), a law over the rows (1/n each where it is not given) -> ().
    Exactness: exact to rounding.
    """
    xp = array_namespace(x)
    weights = data_law(x.shape[0], weights, like=theta.inference[0].W)
    passed = log_sum_pass(theta, x)
    return xp.sum(xp.where(weights > 0, weights * passed, xp.zeros_like(passed))) + xp.sum(
        x_log_y(weights, weights)
    )


def log_sum_pass_grad(theta: AutoEncoder, x: Array) -> AutoEncoder:
    r"""Return the gradient of the mean of ``log_sum_pass``, also that of ``criterion``, over the rows.

    With :math:`r(h \mid x) \propto P(x \mid h) q(h \mid x)` it is :math:`\mathbb{E}_r[h] - \mathbb{E}_q[h]`
    at the logits of h, and :math:`\mathbb{E}_r[(x - \sigma(a(h)))\, h]` for the weights below.  Under more
    generative layers r goes on down, by :math:`r(h_1, h_2 \mid x) = P(h_1 \mid h_2, x)\, r(h_2 \mid x)`.
    Shapes: x (n, V) binary -> AutoEncoder.   Exactness: exact.
    Cost: n 2^H, and 2^H V; n 2^(H + H_1) exponentials where there is a layer of H_1 units between h and x.
    Raises: ValueError as ``log_sum_pass``.
    """
    xp, n = array_namespace(x), x.shape[0]
    log_p, log_joint = _log_joint(theta, x)
    values, h = _inference(theta, x), binary_states(theta.inference[-1].b.shape[0], like=x)
    r = xp.exp(log_joint - log_sum_exp(log_joint, axis=1)[:, None]) / n  # (n, 2^H)
    inference, _ = _backward(theta.inference, values, r @ h - sigmoid(values[-1]) / n)
    grads, tables = list[Dense](), [log_conditional_table(layer) for layer in generative_net(theta)[1:]]
    for layer, table in zip(theta.generative[:-1], reversed(tables), strict=True):
        above = log_p.pop()
        r, pairs = _posterior_below(log_p[-1], table, above, r)
        grads.append(_generative_grad(layer, pairs, binary_states(layer.b.shape[0], like=x)))
    grads.append(_generative_grad(theta.generative[-1], r, x))
    return AutoEncoder(inference, tuple(grads))


def _log_joint(theta: AutoEncoder, x: Array) -> tuple[list[Array], Array]:
    """Return log P(x | h) of all states of every generative layer, the lowest first, and the log joint.

    The latter is log P(x | h) q(h | x) of the states of the topmost h: (n, 2^H).
    """
    check_auto_encoder(theta)
    xp, (bottom, *above) = array_namespace(x), generative_net(theta)
    log_p = [log_conditional(bottom, x)]
    for layer in above:
        log_p.append(_log_product(log_p[-1], log_conditional_table(layer)))
    h = binary_states(theta.inference[-1].b.shape[0], like=x)
    return log_p, log_p[-1] + xp.matrix_transpose(log_bits(h, _inference(theta, x)[-1]))


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
    miss = miss - xp.sum(pairs, axis=0)[:, None] * dense(layer, h, activation="sigmoid")
    return Dense(xp.matrix_transpose(h) @ miss, xp.sum(miss, axis=0))


# --- training ---------------------------------------------------------------------------------------------


def reconstruction_step(hidden: str) -> Callable[[Any, Array, Any, Stream], tuple[Any, Any]]:
    """Return the step, for ``training.fit``, of an ``Encoder``, or of a tuple of them: all layers at once.

    ``hidden`` says what becomes of h: "mean" (backpropagation with cross-entropy, [AO] 3.2), "sample" or
    "sum".      [AO] footnote 3; 2.6 for a stack, tied weights staying tied
    """
    check_choice("hidden", hidden, "mean", "sample", "sum")

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


def _to_logits(layers: Sequence[Dense]) -> tuple[str, ...]:
    return ("sigmoid",) * (len(layers) - 1) + ("identity",)


def _inference(theta: AutoEncoder, x: Array) -> tuple[Array, ...]:
    """Return the values of the inference layers from x on, the logits of h last."""
    return mlp_forward(theta.inference, x, activations=_to_logits(theta.inference))


def _backward(
    layers: Sequence[Dense], values: Sequence[Array], error: Array
) -> tuple[tuple[Dense, ...], Array]:
    """Return the gradients of the layers, and by their input, from that by their last logits."""
    grads = []
    for k, activation in reversed(list(enumerate(_to_logits(layers)))):
        grad, error = dense_backward(layers[k], values[k], values[k + 1], error, activation=activation)
        grads.append(grad)
    return tuple(reversed(grads)), error


def _log_likelihood(x: Array, logits: Array) -> Array:
    """Return the sum of x a - softplus(a) over units: linear in x, so means are taken as they stand."""
    xp = array_namespace(x, logits)
    check_probability("x", x)
    return xp.sum(x * logits - softplus(logits), axis=1)
