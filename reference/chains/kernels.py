"""Markov kernels on finite state spaces: matrices whose rows are laws, so that a law moves by ``law @ K``.

``kernel_matrix`` makes the exact matrix of any sampler by enumeration of its own randomness, so what is
proved of the matrix is proved of the code.  Gibbs sampling of a table is here as sampler and as matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...backends.arrays import Array, array_namespace, eigenvalues
from ...backends.enumerating import expect
from ...backends.streams import Rng, as_stream
from ..contracts import Bits, Count, Law, Raw, Real, checked
from ..laws import conditional
from ..states import categorical_states, state_index


@checked
def kernel_matrix(
    sampler: Callable[..., Array], states: Raw[Array, "S d"], *, limit: int | None = None
) -> Law[Array, "S S"]:
    """Return the probability that ``sampler(states, rng=...)`` moves state i to state j, for every pair.

    Exactness: exact.
    Cost: S times the number R of outcomes of one row's draws; see ``backends.enumerating.expect``.
    Raises: ValueError where the sampler leaves ``states``, or has more outcomes than ``limit`` admits.
    """
    xp = array_namespace(states)
    outcomes = expect(sampler, states, limit=limit)
    if tuple(outcomes.values.shape[1:]) != (states.shape[1],):
        raise ValueError(
            f"the sampler must return states of {states.shape[1]} units, got {outcomes.values.shape}"
        )

    def into(state: Array) -> Array:
        return outcomes.mean(lambda moved: xp.all(moved == state, axis=1))

    K = xp.stack([into(states[j, :]) for j in range(states.shape[0])], axis=1)
    arrived = xp.sum(K, axis=1)
    if bool(xp.any(xp.abs(arrived - 1) > 1e-9)):
        worst = int(xp.argmax(xp.abs(arrived - 1)))
        raise ValueError(
            "states must hold each state that the sampler can reach, once: "
            f"from state {worst} a mass of {float(arrived[worst]):.6g} arrives in them"
        )
    return K


@checked
def law_after(K: Law[Array, "S S"], law: Law[Array, "... S"], *, steps: Count[int, 0]) -> Law[Array, "... S"]:
    r"""Return :math:`\mu K^t` for each law, ``t = steps``.

    Exactness: exact.   Cost: steps S^2 for each law.
    """
    for _ in range(steps):
        law = law @ K
    return law


@checked
def stationary_law(K: Law[Array, "S S"]) -> Law[Array, "S"]:
    r"""Return the law with :math:`\pi K = \pi`.

    :math:`\pi (I - K) = 0` and :math:`\sum_x \pi(x) = 1` together are
    :math:`\pi (I - K + \tfrac1S 1 1^\top) = \tfrac1S 1^\top`, regular just when there is one stationary law.

    Cost: S^3.   Exactness: exact; rounding grows as the chain mixes more slowly.
    """
    xp = array_namespace(K)
    S = K.shape[0]
    system = xp.eye(S, dtype=K.dtype, device=K.device) - K + 1 / S
    if int(xp.linalg.matrix_rank(system)) < S:
        raise ValueError(
            "K must have one stationary law, it has several: its states fall into closed classes"
        )
    pi = xp.linalg.solve(xp.matrix_transpose(system), xp.full((S,), 1 / S, dtype=K.dtype, device=K.device))
    # A transient state has probability zero; rounding may leave it just below.
    pi = xp.maximum(pi, xp.zeros_like(pi))
    return pi / xp.sum(pi)


@checked
def detailed_balance_residual(K: Law[Array, "S S"], law: Law[Array, "S"]) -> Real[Array, ""]:
    r"""Return :math:`\max_{x, y} |\pi(x) K(x, y) - \pi(y) K(y, x)|`: zero if K is reversible.

    Exactness: exact.
    """
    xp = array_namespace(K, law)
    flow = law[:, None] * K
    return xp.max(xp.abs(flow - xp.matrix_transpose(flow)))


@checked
def total_variation(p: Law[Array, "*#B S"], q: Law[Array, "*#B S"]) -> Real[Array, "*#B"]:
    r"""Return :math:`\tfrac12 \sum_x |p(x) - q(x)|`, the largest difference of the probability of any event.

    Exactness: exact.
    """
    xp = array_namespace(p, q)
    return xp.sum(xp.abs(p - q), axis=-1) / 2


@checked
def second_eigenvalue(K: Law[Array, "S S"]) -> Real[Array, ""]:
    r"""Return the second largest modulus among the eigenvalues of ``K``, zero for a single state.

    :math:`\mu K^t` nears the stationary law as its t-th power: one means that the chain never forgets where
    it started (several classes, or a period).

    Cost: S^3.
    Exactness: rounding times the condition of the eigenvalue, which is mild where K is reversible; where K is
    not diagonalisable, a zero may come out as large as a root of the rounding.
    """
    xp = array_namespace(K)
    # The standard has no eigenvalues of matrices that are not symmetric, and not every kernel is reversible.
    moduli = sorted(abs(complex(z)) for z in eigenvalues(K))
    return xp.asarray(moduli[-2] if len(moduli) > 1 else 0.0, dtype=K.dtype, device=K.device)


@checked
def single_site_kernel(table: Law[Array, "...", None], *, site: int) -> Law[Array, "S S"]:
    r"""Return the kernel that draws variable ``site`` anew given the others: :math:`p(y_i \mid x_{-i})`.

    Exactness: exact.   Cost: S^2 for each variable.
    """
    xp = array_namespace(table)
    if site not in range(table.ndim):
        raise ValueError(f"site must be one of the variables 0 to {table.ndim - 1}, got {site!r}")
    others = tuple(i for i in range(table.ndim) if i != site)
    p = xp.reshape(conditional(table, given=others), (1, -1))
    states = categorical_states(table.shape, like=table)
    stays = xp.ones((states.shape[0],) * 2, dtype=xp.bool, device=table.device)
    for i in others:
        stays = stays & (states[:, None, i] == states[None, :, i])
    return xp.where(stays, p, xp.zeros_like(p))


@checked
def random_scan_gibbs_kernel(table: Law[Array, "...", None], scan: Law[Array, "d"]) -> Law[Array, "S S"]:
    r"""Return :math:`\sum_i q_i K_i`: a variable is picked with probability :math:`q_i > 0` and drawn anew.

    [SH] 2.4.
    Exactness: exact.
    Raises: ValueError where ``table`` or ``scan`` is no law, or a variable is never picked.
    """
    _check_scan(table, scan)
    return sum(scan[i] * single_site_kernel(table, site=i) for i in range(table.ndim))


@checked
def systematic_scan_gibbs_kernel(
    table: Law[Array, "...", None], *, order: Sequence[int]
) -> Law[Array, "S S"]:
    r"""Return :math:`K_{i_1} K_{i_2} \cdots`: the variables are drawn anew in this order.

    The product keeps the law of the table but is not reversible.      [SH] 2.4
    Exactness: exact.
    """
    if set(order) != set(range(table.ndim)):
        raise ValueError(f"order must visit each of the {table.ndim} variables, got {tuple(order)}")
    K, *rest = (single_site_kernel(table, site=i) for i in order)
    for step in rest:
        K = K @ step
    return K


@checked
def random_scan_gibbs_step(
    table: Law[Array, "...", None], x: Bits[Array, "rows d"], *, scan: Law[Array, "d"], rng: Rng
) -> Bits[Array, "rows d"]:
    r"""Return x with one unit, picked with the probabilities ``scan``, drawn anew given the others.

    [SH] 2.4.
    Exactness: exact draws.
    Raises: ValueError where ``table`` or ``scan`` is no positive law, or ``x`` is not binary.
    """
    xp = array_namespace(table, x, scan)
    _check_scan(table, scan)
    if tuple(table.shape) != (2,) * table.ndim:
        raise ValueError(f"table must have an axis of length 2 for each unit, got {tuple(table.shape)}")
    if not bool(xp.all(table > 0)):
        raise ValueError("table must give every state a positive probability, got a zero")
    stream, flat = as_stream(rng, like=x), xp.reshape(table, (-1,))

    site = stream.categorical(xp.broadcast_to(xp.log(scan), x.shape))
    picked = site[:, None] == xp.arange(table.ndim, dtype=xp.int64, device=x.device)
    off = xp.take(flat, state_index(xp.where(picked, xp.zeros_like(x), x), table.shape))
    on = xp.take(flat, state_index(xp.where(picked, xp.ones_like(x), x), table.shape))
    drawn = stream.bernoulli(on / (off + on))
    return xp.where(picked, drawn[:, None], x)


def _check_scan(table: Array, scan: Array) -> None:
    xp = array_namespace(table, scan)
    if scan.shape[0] != table.ndim:
        raise ValueError(f"scan must have shape ({table.ndim}), got {tuple(scan.shape)}")
    if not bool(xp.all(scan > 0)):
        raise ValueError("scan must pick every variable with a positive probability, got a zero")
