"""Mistakes in stacks of Boltzmann machines, and in one Gibbs step from the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...reference.boltzmann import gibbs, likelihood, partition, rbm
from ...reference.directed import dbn
from . import mistake
from .patterns import given, with_fields

_halved = with_fields(W=lambda W: W / 2)


def _with_lower_biases(right: Callable[..., Any], machines: Any) -> Any:
    lower, upper = machines
    return right([lower, upper._replace(b=upper.b + lower.c)])


mistake(
    "hidden-biases-added-to-the-top: The hidden biases of the lower machine are added to the top's.",
    {dbn.stack: _with_lower_biases},
)
mistake(
    "own-hidden-law-mixed-in: The machine's own law of h is mixed into the one that is given.",
    {gibbs.visible_law: lambda right, theta, law: right(theta, (law + partition.marginal_hidden(theta)) / 2)},
)
mistake(
    "hidden-law-of-halved-couplings: The law of h comes from a machine with half the couplings.",
    {gibbs.hidden_law: given(_halved)},
)
mistake(
    "visible-law-of-halved-couplings: The law of x comes from a machine with half the couplings.",
    {gibbs.visible_law: given(_halved)},
)
mistake(
    "model-of-halved-couplings: The machine's own law is that of a machine with half the couplings.",
    dict.fromkeys(
        (partition.marginal_visible, partition.marginal_hidden, likelihood.log_likelihood_grad),
        given(_halved),
    ),
)
mistake(
    "data-not-pushed-up: The hidden units are drawn given the zero state, not given the data.",
    {rbm.sample_hidden: lambda right, theta, v, *, rng: right(theta, 0 * v, rng=rng)},
)
