"""Gibbs sampling of a finite joint law."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import to_numpy
from ...reference.chains import kernels
from ...reference.states import categorical_states
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..oracle.boltzmann import like
from ..strategies.common import joint_laws
from ..strategies.common import laws as law_tables


class Scanned(NamedTuple):
    """A joint law and the probabilities with which its variables are picked."""

    table: Any
    scan: Any


def scanned(*shape: int) -> st.SearchStrategy[Scanned]:
    """Joint laws in which every value of each variable has some mass; all variables are picked at times."""
    return st.builds(Scanned, joint_laws(*shape, margins=True), law_tables(len(shape), zeros=False))


def positive(case: Scanned) -> Scanned:
    """Return the case with a little mass on every state."""
    raised = case.table + 0.05
    return case._replace(table=raised / raised.sum())


def stuck(p: Any) -> Scanned:
    """Return two variables that always are equal, of law p: neither can change alone."""
    return Scanned(np.diag(p), np.array([0.5, 0.5]))


def transitions(table: Any, scan: Any) -> Any:
    """Return sum_i q_i [x_-i = y_-i] p(y_i | x_-i), entry by entry."""
    states = list(product(*map(range, table.shape)))
    K = np.zeros((len(states),) * 2)
    for (a, x), (b, y), (i, q) in product(enumerate(states), enumerate(states), enumerate(scan)):
        if all(x[j] == y[j] for j in range(table.ndim) if j != i):
            given = sum(table[(*x[:i], k, *x[i + 1 :])] for k in range(table.shape[i]))
            K[a, b] += q * table[y] / given
    return K


@check(
    "SH.sec2.4f",
    of=kernels,
    cases=scanned(2, 3) | scanned(2, 2) | scanned(2, 2, 2).map(positive),
    evidence=EXACTLY,
    rejects=(
        "drawn-from-the-marginal",
        "all-variables-equally-often",
        "variables-in-order",
        "mostly-the-first-variable",
    ),
    uncovered='the stopping rule, "until all the variables are updated": it names no number; and a sampler '
    "of variables of three values or of laws with zeros, of which the kernel alone is checked",
)
def random_scan_gibbs_keeps_the_law(impl: Implementation, case: Scanned, plain: Scanned) -> None:
    """Pick i with probability q_i > 0, draw x_i from p(x_i | x_-i): p K = p, in detailed balance.

    K is built entry by entry; the sampler of binary variables, enumerated, has it too.
    """
    expected, law = transitions(*plain), plain.table.reshape(-1)
    K = impl.random_scan_gibbs_kernel(*case)
    agree(K, expected, "transition probability")
    agree(impl.law_after(K, like(law, case.table), steps=3), law, "law after three steps from p")
    agree(impl.detailed_balance_residual(K, like(law, case.table)), 0.0, "p(x) K(x, y) - p(y) K(y, x)")
    if set(plain.table.shape) == {2} and plain.table.min() > 0:
        corners = categorical_states(plain.table.shape, like=case.table)
        sampler = partial(impl.random_scan_gibbs_step, case.table, scan=case.scan)
        agree(impl.kernel_matrix(sampler, corners), expected, "transition probability of the sampler")


def gibbs_forgets_its_start(impl: Implementation, case: Scanned, plain: Scanned) -> None:
    """As printed: after many steps (4096 here) the law of the samples hardly depends on the start."""
    K = to_numpy(impl.random_scan_gibbs_kernel(*case)).astype(float)
    later = np.linalg.matrix_power(K, 4096)[plain.table.reshape(-1) > 0]
    apart = max(np.abs(a - b).sum() / 2 for a in later for b in later)
    at_most(apart, 0.01, "total variation between two starts after 4096 steps", slack=0.01)


@check(
    "SH.sec2.4g",
    of=kernels,
    cases=(scanned(2, 2) | scanned(2, 3)).map(positive),
    evidence=EXACTLY,
    examples=80,
    assuming="p is positive on all states; zeros, which factors may have, can cut the states into classes "
    "that the sampler never leaves",
    without=law_tables(2, zeros=False).map(stuck),
    printed=gibbs_forgets_its_start,
    rejects=("rate-squared", "chain-never-moves"),
)
def gibbs_forgets_geometrically(impl: Implementation, case: Scanned, plain: Scanned) -> None:
    """TV(mu K^t, p) <= lambda^t / (2 sqrt(min p)) from any state; the slowest mode dies like lambda^t."""
    K, law = impl.random_scan_gibbs_kernel(*case), plain.table.reshape(-1)
    rate = float(to_numpy(impl.second_eigenvalue(K)))
    at_most(rate, 1 - 1e-4, "second eigenvalue", slack=0.0)
    root = np.sqrt(law)
    symmetric = root[:, None] * transitions(*plain) / root
    slow = np.linalg.eigh((symmetric + symmetric.T) / 2)[1][:, -2] / root
    start = like(np.eye(len(law)), case.table)
    for t in (1, 4, 16, 64):
        after = to_numpy(impl.law_after(K, start, steps=t)).astype(float)
        apart = np.abs(after - law).sum(axis=1) / 2
        at_most(apart, rate**t / (2 * np.sqrt(law.min())), f"total variation after {t} steps", slack=1e-9)
        agree(after @ slow, rate**t * slow, f"slowest mode after {t} steps", rtol=1e-8, atol=1e-9)
