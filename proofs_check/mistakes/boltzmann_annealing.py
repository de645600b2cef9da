"""Mistakes in annealed importance sampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference.boltzmann import annealing, rbm
from ...reference.boltzmann.rbm import RBM
from ...reference.importance import log_mean_weight
from ...reference.numerics import log_sum_exp, softplus
from . import mistake
from .patterns import instead, returning


def _move_first(
    theta: RBM, base: Array, v: Array, here: float, there: float, stream: Any
) -> tuple[Array, Array]:
    v = annealing.move(theta, base, rbm.hidden_input(theta, v), there, stream)
    return v, annealing.log_weight(theta, base, v, rbm.hidden_input(theta, v), here, there)


def _moved_under_the_last(
    theta: RBM, base: Array, v: Array, here: float, there: float, stream: Any
) -> tuple[Array, Array]:
    x = rbm.hidden_input(theta, v)
    moved = annealing.move(theta, base, x, here, stream) if 0 < there < 1 else v
    return moved, annealing.log_weight(theta, base, v, x, here, there)


def _beta_outside(theta: RBM, base: Array, v: Array, x: Array, beta: float) -> Array:
    visible = v @ ((1 - beta) * base + beta * theta.b)
    return visible + beta * array_namespace(x).sum(softplus(x), axis=1)


def _fair_coins(right: Callable[..., Any], base: Array, chains: int, stream: Any) -> Array:
    return right(0 * base, chains, stream)


def _full_temperature(theta: RBM, base: Array, x: Array, beta: float, stream: Any) -> Array:
    h = rbm.draw_hidden(rbm.hidden_on(x), stream)
    return rbm.draw_visible(rbm.visible_on(rbm.visible_input(theta, h)), stream)


mistake(
    "move-before-weight: "
    "The chain moves to the new temperature before the weight is taken: order of move and weight swapped.",
    {annealing._anneal: instead(_move_first)},
)
mistake(
    "moved-under-the-law-it-leaves: The chain moves under the law that it comes from, not under the next.",
    {annealing._anneal: instead(_moved_under_the_last)},
)
mistake("start-at-zero: The chains start at the zero state.", {annealing._start: returning(lambda v: 0 * v)})
mistake(
    "reverse-weights-inverted: The weights of a reverse run have the sign of a forward one.",
    {annealing.reverse_ais: returning(lambda run: run._replace(log_weights=-run.log_weights))},
)
mistake(
    "missing-log-chains: "
    "The weights are summed where they are to be averaged: - log K for K chains is missing.",
    {log_mean_weight: instead(lambda log_w: log_sum_exp(log_w, axis=-1))},
)
mistake(
    "missing-base-partition: log Z of the base-rate model is not added.",
    {annealing._log_partition_base: lambda right, theta, base: 0 * right(theta, base)},
)
mistake(
    "base-without-hidden: log Z of the base-rate model lacks its hidden units: H log 2 is missing.",
    {annealing._log_partition_base: instead(lambda theta, base: array_namespace(base).sum(softplus(base)))},
)
mistake(
    "mean-of-log-weights: "
    "The log weights are averaged where the weights are: a lower bound stands for the estimate.",
    {log_mean_weight: instead(lambda log_w: array_namespace(log_w).mean(log_w, axis=-1))},
)
mistake(
    "last-weight-skipped: The last step of the schedule is skipped: its weight is missing.",
    {annealing._pairs: returning(lambda pairs: pairs[:-1])},
)
mistake(
    "first-weight-skipped: The first step of the schedule is skipped: its weight is missing.",
    {annealing._pairs: returning(lambda pairs: pairs[1:])},
)
mistake(
    "beta-outside-softplus: "
    "beta multiplies the softplus of the hidden input, not the input: another path of laws than is sampled.",
    {annealing.log_density: instead(_beta_outside)},
)
mistake(
    "start-not-from-base: The chains start from fair coins instead of the base-rate model.",
    {annealing._start: _fair_coins},
)
mistake(
    "moves-at-full-temperature: The chains move under the model itself instead of the intermediate law.",
    {annealing.move: instead(_full_temperature)},
)
