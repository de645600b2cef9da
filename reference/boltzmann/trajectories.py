"""All k-step Gibbs trajectories of a tiny RBM with their exact laws: contrastive divergence as one KL.

A trajectory is tau = (x_0, z_0, x_1, ..., z_{k-1}, x_k): visible states x, hidden states z.  The encoder q
runs the Gibbs chain from x_0, the decoder p runs the same chain backwards from x_k ([BP] 5.4).  A table over
trajectories has one axis per state of the trajectory, in this order, each in the order of ``binary_states``.
"""

from __future__ import annotations

from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ..contracts import Count, Law, LogWeights, Numbers, checked
from ..numerics import log_sigmoid, log_sum_exp, sigmoid
from ..states import binary_states, check_enumerable
from ..trees import difference
from .rbm import RBM, hidden_input, visible_input


class PathGradient(NamedTuple):
    """The two parts of the gradient of KL(q || p) in the parameters."""

    score: RBM  # [BP] eq. 45: what contrastive divergence leaves out
    ratio: RBM  # [BP] eq. 36: minus the expected direction of CD-k


@checked
def log_forward(theta: RBM, *, k: Count[int, 1]) -> LogWeights[Array, "..."]:
    r"""Return :math:`\log q(z_0, x_1, \dots, x_k \mid x_0)` of every trajectory.      [BP] 5.4

    Exactness: exact.   Cost: 2^(V(k+1) + Hk) numbers.
    Raises: ValueError, with the number of trajectories, where they are too many.
    """
    xp = array_namespace(*theta)
    _check_trajectories(theta, k)
    up, down = _log_up(theta), _log_down(theta)
    table = xp.zeros((up.shape[0],), dtype=up.dtype, device=up.device)
    for _ in range(k):
        table = table[..., None] + up
        table = table[..., None] + down
    return table


@checked
def log_backward(theta: RBM, *, k: Count[int, 1]) -> LogWeights[Array, "..."]:
    r"""Return :math:`\log p(x_0, z_0, \dots, z_{k-1} \mid x_k)`, the same chain from its end.   [BP] 5.4

    Shapes and cost: as ``log_forward``.   Exactness: exact.
    """
    return _reverse(log_forward(theta, k=k), 2 * k + 1)


@checked
def log_encoder(theta: RBM, law: Law[Array, "2**V"], *, k: Count[int, 1]) -> LogWeights[Array, "..."]:
    r"""Return :math:`\log q(\tau) = \log \mathcal D(x_0) + \log q(z_0, \dots, x_k \mid x_0)`.      [BP] 5.4

    Exactness: exact; minus infinity where the law has no mass.
    """
    return _log_start(theta, law, k) + log_forward(theta, k=k)


@checked
def log_decoder(theta: RBM, prior: Law[Array, "2**V"], *, k: Count[int, 1]) -> LogWeights[Array, "..."]:
    r"""Return :math:`\log p(\tau) = \log p(x_k) + \log p(x_0, \dots, z_{k-1} \mid x_k)`.      [BP] 5.4

    Exactness: exact.
    """
    start = _log_start(theta, prior, k)
    return _reverse(start, 2 * k + 1) + log_backward(theta, k=k)


@checked
def path_kl(
    theta: RBM, law: Law[Array, "2**V"], prior: Law[Array, "2**V"], *, k: Count[int, 1]
) -> Numbers[Array, ""]:
    r"""Return :math:`\mathrm{KL}(q \| p) = \sum_\tau q(\tau) \log \frac{q(\tau)}{p(\tau)}`.    [BP] eq. 24-25

    With the prior q(x_k) of eq. 32, which is ``gibbs_law(theta, law, steps=k)``, this is
    KL(D || pi) - KL(q(x_k) || pi), pi the RBM's marginal: what contrastive divergence is named after.
    With prior pi it is KL(D || pi) for every k.
    Exactness: exact.   Cost: as ``log_forward``.
    """
    xp = array_namespace(law)
    log_q, log_p = log_encoder(theta, law, k=k), log_decoder(theta, prior, k=k)
    return xp.sum(_weigh(log_q, log_q, log_p))


@checked
def path_kl_grad(
    theta: RBM, law: Law[Array, "2**V"], prior: Law[Array, "2**V"], *, k: Count[int, 1]
) -> PathGradient:
    r"""Return the two parts of the gradient of ``path_kl``; their sum is the gradient.      [BP] eq. 35

    .. math:: \mathbb{E}_{\mathcal D}\mathbb{E}_{q(\tau_x \mid x)}\big[\nabla\log q(\tau_x \mid x)
              \log\tfrac{q(\tau_x \mid x)}{p(\tau_x \mid x)}\big] + \mathbb{E}_q\big[\nabla
              \log\tfrac{q(z_0, \dots, x_k \mid x_0)}{p(x_0, \dots, z_{k-1} \mid x_k)}\big]

    Cost: as ``log_forward``.
    Exactness: exact where ``prior`` is q(x_k), whose own score has mean zero (eq. 34), or is held fixed.
    """
    log_q, log_p = log_encoder(theta, law, k=k), log_decoder(theta, prior, k=k)
    after_x0 = tuple(range(1, 2 * k + 1))
    log_posterior = log_p - _keep(log_sum_exp(log_p, axis=after_x0), after_x0)
    weight = _weigh(log_q, log_forward(theta, k=k), log_posterior)
    q = array_namespace(law).exp(log_q)
    forward, backward = _weighted_score(theta, q, k), _weighted_score(theta, _reverse(q, 2 * k + 1), k)
    return PathGradient(_weighted_score(theta, weight, k), difference(forward, backward))


def _weighted_score(theta: RBM, weight: Array, k: int) -> RBM:
    r"""Return :math:`\sum_\tau w(\tau) \nabla \log q(z_0, \dots, x_k \mid x_0)`.

    The score is a sum over the 2k half steps, so only the weights of neighbours on the trajectory are needed.
    """
    xp = array_namespace(weight)
    x, z = (binary_states(n, like=theta.W) for n in theta.W.shape)
    up = down = 0.0
    for i in range(k):
        up = up + _neighbours(weight, 2 * i)
        down = down + _neighbours(weight, 2 * i + 1)
    # sum of w(x, z) (z - mean of z given x) for each x, and of w(z, x') (x' - mean of x' given z) for each z
    z_surprise = up @ z - xp.sum(up, axis=1)[:, None] * sigmoid(hidden_input(theta, x))
    x_surprise = down @ x - xp.sum(down, axis=1)[:, None] * sigmoid(visible_input(theta, z))
    return RBM(
        xp.matrix_transpose(x) @ z_surprise + xp.matrix_transpose(x_surprise) @ z,
        xp.sum(x_surprise, axis=0),
        xp.sum(z_surprise, axis=0),
    )


def _neighbours(weight: Array, first: int) -> Array:
    others = tuple(axis for axis in range(weight.ndim) if axis not in (first, first + 1))
    return array_namespace(weight).sum(weight, axis=others)


def _weigh(log_q: Array, log_a: Array, log_b: Array) -> Array:
    """Return q (log a - log b), zero where q is."""
    xp = array_namespace(log_q)
    q, zero = xp.exp(log_q), xp.zeros_like(log_q)
    return q * (xp.where(q > 0, log_a, zero) - xp.where(q > 0, log_b, zero))


def _log_up(theta: RBM) -> Array:
    """Return log p(z | x), (2^V, 2^H)."""
    x, z = (binary_states(n, like=theta.W) for n in theta.W.shape)
    return _log_bernoulli_table(hidden_input(theta, x), z)


def _log_down(theta: RBM) -> Array:
    """Return log p(x | z), (2^H, 2^V)."""
    x, z = (binary_states(n, like=theta.W) for n in theta.W.shape)
    return _log_bernoulli_table(visible_input(theta, z), x)


def _log_bernoulli_table(logits: Array, states: Array) -> Array:
    transposed = array_namespace(states).matrix_transpose(states)
    return log_sigmoid(logits) @ transposed + log_sigmoid(-logits) @ (1 - transposed)


def _log_start(theta: RBM, law: Array, k: int) -> Array:
    """Return the logarithm of a law of x_0, as a table that broadcasts over trajectories."""
    _check_trajectories(theta, k)
    xp = array_namespace(law, *theta)
    zero = law == 0
    log_law = xp.where(zero, xp.full_like(law, -float("inf")), xp.log(xp.where(zero, xp.ones_like(law), law)))
    return _keep(log_law, tuple(range(1, 2 * k + 1)))


def _keep(table: Array, axes: tuple[int, ...]) -> Array:
    """Return ``table`` with axes of length one put back in these places, ascending."""
    xp = array_namespace(table)
    for axis in axes:
        table = xp.expand_dims(table, axis=axis)
    return table


def _reverse(table: Array, axes: int) -> Array:
    return array_namespace(table).permute_dims(table, tuple(reversed(range(axes))))


def _check_trajectories(theta: RBM, k: int) -> None:
    visible, hidden = theta.W.shape
    check_enumerable("the set of trajectories", (2,) * (visible * (k + 1) + hidden * k))
