"""Mistakes in Markov kernels and in Gibbs sampling of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference import laws
from ...reference.chains import kernels
from . import mistake
from .patterns import given, instead, returning


def _independent(table: Array) -> Array:
    """Return the product of the marginals: what is left where the state of the others is ignored."""
    return laws.product_law(*(laws.marginal(table, axes=(i,)) for i in range(table.ndim)))


def _mostly_the_first(right: Callable[..., Any], table: Array, x: Array, *, scan: Array, rng: Any) -> Array:
    xp = array_namespace(scan)
    first = xp.astype(xp.arange(scan.shape[0], device=scan.device) == 0, scan.dtype)
    return right(table, x, scan=(scan + 99 * first) / 100, rng=rng)


mistake(
    "drawn-from-the-marginal: A variable is drawn from its marginal, not given the others.",
    {kernels.random_scan_gibbs_kernel: given(_independent)},
)
mistake(
    "all-variables-equally-often: All variables are picked with the same probability.",
    {kernels.random_scan_gibbs_kernel: lambda right, table, scan: right(table, 0 * scan + 1 / scan.shape[0])},
)
mistake(
    "variables-in-order: The variables are drawn in a fixed order.",
    {
        kernels.random_scan_gibbs_kernel: instead(
            lambda table, scan: kernels.systematic_scan_gibbs_kernel(table, order=range(table.ndim))
        )
    },
)
mistake(
    "mostly-the-first-variable: The sampler nearly always draws the first variable anew.",
    {kernels.random_scan_gibbs_step: _mostly_the_first},
)
mistake(
    "rate-squared: The rate of convergence is squared.",
    {kernels.second_eigenvalue: returning(lambda z: z**2)},
)
mistake(
    "chain-never-moves: The law of the chain stays where it is.",
    {kernels.law_after: lambda right, K, law, *, steps: right(K, law, steps=0)},
)
