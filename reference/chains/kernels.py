"""Markov kernels on finite state spaces: matrices whose rows are laws, so that a law moves by ``law @ K``.

``kernel_matrix`` makes the exact matrix of any sampler by enumeration of its own randomness, so what is
proved of the matrix is proved of the code.  Gibbs sampling of a table is here as sampler and as matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...backends.arrays import Array, array_namespace, eigenvalues
from ...backends.enumerating import expect
from ...backends.streams import Rng, as_stream
from ..arguments import (
    check_binary,
    check_broadcast,
    check_count,
    check_floating,
    check_law,
    check_shape,
)
from ..laws import check_table, conditional
from ..states import categorical_states, state_index


def check_kernel(K: Array, *, name: str = "K") -> None:
    """Raise ValueError unless ``K`` (S, S) is non-negative and its rows sum to one, to rounding."""
    check_shape(name, K, None, None)
    check_shape(name, K, K.shape[0], K.shape[0])
    check_floating(name, K)
    check_law(name, K)


def kernel_matrix(sampler: Callable[..., Array], states: Array, *, limit: int | None = None) -> Array:
    """Return the probability that ``sampler(states, rng=...)`` moves state i to state j, for every pair.

    Shapes: states (S, d), distinct, moved row by row -> (S, S) float64.   Exactness: exact.
    Cost: S times the number R of outcomes of one row's draws; see ``backends.enumerating.expect``.
    Raises: ValueError where the sampler leaves ``states``, or has more outcomes than ``limit`` admits.
    """
    xp = array_namespace(states)
    check_shape("states", states, None, None)
    outcomes = expect(sampler, states, limit=limit)
    check_shape("what the sampler returns", outcomes.values, outcomes.values.shape[0], states.shape[1])

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


def law_after(K: Array, law: Array, *, steps: int) -> Array:
    r"""Return :math:`\mu K^t` for each law, ``t = steps``.

    Shapes: K (S, S), law (..., S) -> (..., S).   Exactness: exact.   Cost: steps S^2 for each law.
    Raises: ValueError where ``K`` is no kernel, ``law`` no law over its states, or ``steps`` is negative.
    """
    check_kernel(K)
    check_count("steps", steps, least=0)
    array_namespace(K, law)
    check_shape("law", law, *law.shape[:-1], K.shape[0])
    check_floating("law", law, like=K)
    check_law("law", law)
    for _ in range(steps):
        law = law @ K
    return law


def stationary_law(K: Array) -> Array:
    r"""Return the law with :math:`\pi K = \pi`.

    :math:`\pi (I - K) = 0` and :math:`\sum_x \pi(x) = 1` together are
    :math:`\pi (I - K + \tfrac1S 1 1^\top) = \tfrac1S 1^\top`, regular just when there is one stationary law.

    Shapes: K (S, S) -> (S,).   Cost: S^3.   Exactness: exact; rounding grows as the chain mixes more slowly.
    Raises: ValueError where ``K`` is no kernel, or has several stationary laws to the precision of its dtype.
    """
    xp = array_namespace(K)
    check_kernel(K)
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


def detailed_balance_residual(K: Array, law: Array) -> Array:
    r"""Return :math:`\max_{x, y} |\pi(x) K(x, y) - \pi(y) K(y, x)|`: zero if K is reversible.

    Shapes: K (S, S), law (S,) -> 0-d.   Exactness: exact.
    """
    xp = array_namespace(K, law)
    check_kernel(K)
    check_shape("law", law, K.shape[0])
    check_floating("law", law, like=K)
    check_law("law", law)
    flow = law[:, None] * K
    return xp.max(xp.abs(flow - xp.matrix_transpose(flow)))


def total_variation(p: Array, q: Array) -> Array:
    r"""Return :math:`\tfrac12 \sum_x |p(x) - q(x)|`, the largest difference of the probability of any event.

    Shapes: p and q (..., S), broadcast -> (...).   Exactness: exact.
    """
    xp = array_namespace(p, q)
    check_law("p", p)
    check_law("q", q)
    check_broadcast(p=p, q=q)
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(f"p and q must be over the same states, got {p.shape[-1]} and {q.shape[-1]}")
    return xp.sum(xp.abs(p - q), axis=-1) / 2


def second_eigenvalue(K: Array) -> Array:
    r"""Return the second largest modulus among the eigenvalues of ``K``, zero for a single state.

    :math:`\mu K^t` nears the stationary law as its t-th power: one means that the chain never forgets where
    it started (several classes, or a period).

    Shapes: K (S, S) -> 0-d.   Cost: S^3.
    Exactness: rounding times the condition of the eigenvalue, which is mild where K is reversible; where K is
    not diagonalisable, a zero may come out as large as a root of the rounding.
    """
    xp = array_namespace(K)
    check_kernel(K)
    # The standard has no eigenvalues of matrices that are not symmetric, and not every kernel is reversible.
    moduli = sorted(abs(complex(z)) for z in eigenvalues(K))
    return xp.asarray(moduli[-2] if len(moduli) > 1 else 0.0, dtype=K.dtype, device=K.device)


def single_site_kernel(table: Array, *, site: int) -> Array:
    r"""Return the kernel that draws variable ``site`` anew given the others: :math:`p(y_i \mid x_{-i})`.

    Shapes: table (X0, X1, ...) -> (S, S), S = the number of states, in the order of ``categorical_states``.
    Exactness: exact.   Cost: S^2 for each variable.
    Raises: ValueError where ``table`` is no law, or the others have a value of probability zero.
    """
    xp = array_namespace(table)
    check_table("table", table)
    if site not in range(table.ndim):
        raise ValueError(f"site must be one of the variables 0 to {table.ndim - 1}, got {site!r}")
    others = tuple(i for i in range(table.ndim) if i != site)
    p = xp.reshape(conditional(table, given=others), (1, -1))
    states = categorical_states(table.shape, like=table)
    stays = xp.ones((states.shape[0],) * 2, dtype=xp.bool, device=table.device)
    for i in others:
        stays = stays & (states[:, None, i] == states[None, :, i])
    return xp.where(stays, p, xp.zeros_like(p))


def random_scan_gibbs_kernel(table: Array, scan: Array) -> Array:
    r"""Return :math:`\sum_i q_i K_i`: a variable is picked with probability :math:`q_i > 0` and drawn anew.

    [SH] 2.4.
    Shapes: table (X0, X1, ...), scan one number for each variable -> (S, S).   Exactness: exact.
    Raises: ValueError where ``table`` or ``scan`` is no law, or a variable is never picked.
    """
    _check_scan(table, scan)
    return sum(scan[i] * single_site_kernel(table, site=i) for i in range(table.ndim))


def systematic_scan_gibbs_kernel(table: Array, *, order: Sequence[int]) -> Array:
    r"""Return :math:`K_{i_1} K_{i_2} \cdots`: the variables are drawn anew in this order.

    The product keeps the law of the table but is not reversible.      [SH] 2.4
    Shapes: table (X0, X1, ...) -> (S, S).   Exactness: exact.
    Raises: ValueError where ``table`` is no law, or ``order`` does not visit every variable.
    """
    check_table("table", table)
    if set(order) != set(range(table.ndim)):
        raise ValueError(f"order must visit each of the {table.ndim} variables, got {tuple(order)}")
    K, *rest = (single_site_kernel(table, site=i) for i in order)
    for step in rest:
        K = K @ step
    return K


def random_scan_gibbs_step(table: Array, x: Array, *, scan: Array, rng: Rng) -> Array:
    r"""Return x with one unit, picked with the probabilities ``scan``, drawn anew given the others.

    [SH] 2.4.
    Shapes: table (2, ..., 2) of n axes, scan (n,), x (rows, n) binary -> (rows, n).   Exactness: exact draws.
    Raises: ValueError where ``table`` or ``scan`` is no positive law, or ``x`` is not binary.
    """
    xp = array_namespace(table, x, scan)
    _check_scan(table, scan)
    check_shape("table", table, *(2,) * table.ndim)
    if not bool(xp.all(table > 0)):
        raise ValueError("table must give every state a positive probability, got a zero")
    check_shape("x", x, None, table.ndim)
    check_floating("x", x, like=table)
    check_binary("x", x)
    stream, flat = as_stream(rng, like=x), xp.reshape(table, (-1,))

    site = stream.categorical(xp.broadcast_to(xp.log(scan), x.shape))
    picked = site[:, None] == xp.arange(table.ndim, dtype=xp.int64, device=x.device)
    off = xp.take(flat, state_index(xp.where(picked, xp.zeros_like(x), x), table.shape))
    on = xp.take(flat, state_index(xp.where(picked, xp.ones_like(x), x), table.shape))
    drawn = stream.bernoulli(on / (off + on))
    return xp.where(picked, drawn[:, None], x)


def _check_scan(table: Array, scan: Array) -> None:
    check_table("table", table)
    check_shape("scan", scan, table.ndim)
    check_floating("scan", scan, like=table)
    check_law("scan", scan)
    xp = array_namespace(table, scan)
    if not bool(xp.all(scan > 0)):
        raise ValueError("scan must pick every variable with a positive probability, got a zero")
