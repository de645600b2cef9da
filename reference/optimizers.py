r"""Gradient methods over parameters that are a NamedTuple of arrays: SGD, momentum, RMSProp, Adam; rates.

The caller says which way: ``ascend`` raises the function whose gradient it is given, ``descend`` lowers it.

    optimizer = adam(1e-3, mean_decay=0.9, square_decay=0.999, epsilon=1e-8)
    state = optimizer.start(theta)
    theta, state = optimizer.ascend(state, theta, log_likelihood_grad(theta, v))

A rate is a number of at least 0, or a function of the step t = 1, 2, ... that returns one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from ..backends.arrays import Array, array_namespace
from .contracts import Count, Number, checked
from .trees import leaves, rebuild

Rate: TypeAlias = "float | Callable[[int], float]"
Averages: TypeAlias = tuple[Array, ...]
Rule: TypeAlias = Callable[[Averages, Array, int], tuple[Averages, Array]]


class OptimizerState(NamedTuple):
    """What an optimizer remembers between steps."""

    steps: int
    averages: tuple[Averages, ...]  # of each parameter array


class Optimizer(NamedTuple):
    """A gradient method; ``rule(averages, g, t)`` gives an array's averages, and its step before the rate."""

    rate: Rate
    kept: int  # how many running averages of the gradient the rule keeps
    rule: Rule

    def start(self, theta: Any) -> OptimizerState:
        """Return the state before the first step."""
        zeros = tuple(array_namespace(x).zeros_like(x) for x in leaves(theta))
        return OptimizerState(0, tuple((zero,) * self.kept for zero in zeros))

    def ascend(self, state: OptimizerState, theta: Any, gradient: Any) -> tuple[Any, OptimizerState]:
        """Return the parameters after a step *along* ``gradient``: it raises the function."""
        return self._step(state, theta, gradient, 1)

    def descend(self, state: OptimizerState, theta: Any, gradient: Any) -> tuple[Any, OptimizerState]:
        """Return the parameters after a step *against* ``gradient``: it lowers the function.  [AL] 1.16."""
        return self._step(state, theta, gradient, -1)

    def _step(
        self, state: OptimizerState, theta: Any, gradient: Any, sign: int
    ) -> tuple[Any, OptimizerState]:
        xs, gs, t = list(leaves(theta)), list(leaves(gradient)), state.steps + 1
        if [(x.shape, x.dtype) for x in xs] != [(g.shape, g.dtype) for g in gs]:
            raise ValueError(
                f"gradient must have the parameters' shapes and dtypes, {_forms(xs)}, got {_forms(gs)}"
            )
        if any(len(averages) != self.kept for averages in state.averages):
            raise ValueError("state must be one that this optimizer started, got another one's averages")
        rate = self.rate(t) if callable(self.rate) else self.rate
        if not 0 <= rate < float("inf"):
            raise ValueError(f"rate must be a number at least 0 and finite, got {rate!r}")
        ruled = [self.rule(averages, g, t) for averages, g in zip(state.averages, gs, strict=True)]
        stepped = [x + (sign * rate) * step for x, (_, step) in zip(xs, ruled, strict=True)]
        return rebuild(theta, stepped), OptimizerState(t, tuple(averages for averages, _ in ruled))


@checked
def sgd(rate: Rate) -> Optimizer:
    r"""Return gradient steps, :math:`\Delta = g`.      [AL] 1.3.2, eq. 1.16."""
    return Optimizer(rate, 0, lambda _, g, t: ((), g))


@checked
def momentum(rate: Rate, *, decay: Number[float, "[0, 1)"]) -> Optimizer:
    r"""Return heavy-ball steps, :math:`m \leftarrow \text{decay}\, m + g,\ \Delta = m`.      [AL] 1.3.2."""

    def rule(averages: Averages, g: Array, t: int) -> tuple[Averages, Array]:
        m = decay * averages[0] + g
        return (m,), m

    return Optimizer(rate, 1, rule)


@checked
def rmsprop(rate: Rate, *, decay: Number[float, "[0, 1)"], epsilon: Number[float, "[0, inf)"]) -> Optimizer:
    r"""Return steps over the root mean square, :math:`\Delta = g / (\sqrt s + \epsilon)`.      [AL] 1.3.2

    with :math:`s \leftarrow \text{decay}\, s + (1 - \text{decay})\, g^2` from zero.
    """

    def rule(averages: Averages, g: Array, t: int) -> tuple[Averages, Array]:
        s = decay * averages[0] + (1 - decay) * g**2
        return (s,), g / (array_namespace(g).sqrt(s) + epsilon)

    return Optimizer(rate, 1, rule)


@checked
def adam(
    rate: Rate,
    *,
    mean_decay: Number[float, "[0, 1)"],
    square_decay: Number[float, "[0, 1)"],
    epsilon: Number[float, "[0, inf)"],
) -> Optimizer:
    r"""Return Adam's steps, :math:`\Delta = \hat m / (\sqrt{\hat s} + \epsilon)`.      [AL] 1.3.2

    with m and s the running means of g and g^2 from zero, and hats for division by 1 - decay^t, which makes
    them weighted means.
    """

    def rule(averages: Averages, g: Array, t: int) -> tuple[Averages, Array]:
        m = mean_decay * averages[0] + (1 - mean_decay) * g
        s = square_decay * averages[1] + (1 - square_decay) * g**2
        root = array_namespace(g).sqrt(s / (1 - square_decay**t))
        return (m, s), m / (1 - mean_decay**t) / (root + epsilon)

    return Optimizer(rate, 2, rule)


@checked
def inverse_time(rate: float, *, delay: Number[float, "(0, inf]"]) -> Callable[[int], float]:
    r"""Return the rates :math:`\text{rate} / (1 + (t-1)/\text{delay})`; delay 1 is rate / t.      [BA] 2.2

    Their sum diverges and the sum of their squares converges: what stochastic approximation asks for.
    """
    return lambda t: rate / (1 + (t - 1) / delay)


@checked
def exponential(rate: float, *, factor: float) -> Callable[[int], float]:
    r"""Return the rates :math:`\text{rate} \cdot \text{factor}^{t-1}`; for factor < 1 their sum converges."""
    return lambda t: rate * factor ** (t - 1)


@checked
def linear(rate: float, *, steps: Count[int, 1]) -> Callable[[int], float]:
    """Return the rates that fall from ``rate`` at t = 1 by equal amounts to zero after ``steps`` steps."""
    return lambda t: rate * max(0.0, 1 - (t - 1) / steps)


def _forms(arrays: list[Array]) -> str:
    return ", ".join(f"{tuple(x.shape)} {x.dtype}" for x in arrays)
