"""A restricted Boltzmann machine with nothing wrong: every quantity, in pieces.

Written without the reference's functions; ``rbm_mistakes`` replaces pieces.
"""
# ruff: noqa: D102 (the methods are the protocol's quantities, and pieces of them whose names say what they are)

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logsumexp

from ...reference.boltzmann.rbm import RBM
from .protocol import Adapter, Declares

Array = Any


def states(n: int) -> Array:
    """Return all binary rows of n units."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=n))).reshape(2**n, n)


class End(NamedTuple):
    """Where a chain of Gibbs steps stands."""

    v: Array  # for the statistics: drawn, or its mean
    h: Array  # the hidden units that it came from
    before: Array | None  # the visible units that those came from
    drawn: Array  # the visible units as drawn


class Machine(Adapter):
    """Nothing is wrong."""

    def __init__(self, declares: Declares | None = None) -> None:
        self.declares = declares or Declares()

    # --- the pieces of the model

    def hidden_input(self, theta: RBM, v: Array) -> Array:
        return v @ theta.W + theta.c

    def visible_input(self, theta: RBM, h: Array) -> Array:
        return h @ theta.W.T + theta.b

    def squash_up(self, x: Array) -> Array:
        return expit(x)

    def squash_down(self, x: Array) -> Array:
        return expit(x)

    def softplus(self, x: Array) -> Array:
        return np.logaddexp(0, x)

    def visible_term(self, theta: RBM, v: Array) -> Array:
        return v @ theta.b

    def mean_hidden(self, theta: RBM, v: Array) -> Array:
        return self.squash_up(self.hidden_input(theta, v))

    def mean_visible(self, theta: RBM, h: Array) -> Array:
        return self.squash_down(self.visible_input(theta, h))

    # --- values

    def energy(self, theta: RBM, v: Array, h: Array) -> Array:
        return -np.sum(self.hidden_input(theta, v) * h, axis=1) - self.visible_term(theta, v)

    def free_energy(self, theta: RBM, v: Array) -> Array:
        return -self.visible_term(theta, v) - self.sum_hidden(self.softplus(self.hidden_input(theta, v)))

    def sum_hidden(self, terms: Array) -> Array:
        return terms.sum(axis=1)

    def log_partition(self, theta: RBM) -> Array:
        return logsumexp(-self.free_energy(theta, states(len(theta.b))))

    def log_likelihood(self, theta: RBM, v: Array) -> Array:
        return self.normalised(-self.free_energy(theta, v), self.log_partition(theta))

    def normalised(self, log_weight: Array, log_z: Array) -> Array:
        return log_weight - log_z

    def log_likelihood_grad(self, theta: RBM, v: Array) -> RBM:
        x, n = states(len(theta.b)), len(v)
        p, model = self.model_law(theta, x)[:, None], self.mean_hidden(theta, x)
        return self.contrast(v, self.mean_hidden(theta, v), n * p * x, model, n * p * model, chains=n)

    def model_law(self, theta: RBM, x: Array) -> Array:
        return np.exp(self.log_likelihood(theta, x))

    def pseudo_log_likelihood(self, theta: RBM, v: Array, rng: Any = None) -> Array:
        f = self.free_energy(theta, v)
        flips = [np.abs(v - unit) for unit in np.eye(v.shape[1])]
        return self.pseudo_sum([self.pseudo_term(f, self.free_energy(theta, x)) for x in flips])

    def pseudo_term(self, f: Array, flipped: Array) -> Array:
        return -np.logaddexp(0, f - flipped)

    def pseudo_sum(self, terms: list[Array]) -> Array:
        return np.sum(terms, axis=0)

    # --- draws

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random(p.shape) < p).astype(float)

    draw_up = draw_down = draw

    def sample_hidden(self, theta: RBM, v: Array, rng: Any) -> Array:
        return self.draw_up(rng, self.mean_hidden(theta, v))

    def sample_visible(self, theta: RBM, h: Array, rng: Any) -> Array:
        return self.draw_down(rng, self.mean_visible(theta, h))

    def gibbs_step(self, theta: RBM, v: Array, rng: Any) -> Array:
        return self.sample_visible(theta, self.sample_hidden(theta, v, rng=rng), rng=rng)

    # --- updates

    def steps(self, k: int) -> int:
        return k

    def cd_update(self, theta: RBM, v: Array, k: int, rng: Any) -> RBM:
        end = self.walk(theta, v, self.sample_hidden(theta, v, rng=rng), self.steps(k), rng)
        return self.update(theta, v, end)

    def pcd_update(self, theta: RBM, v: Array, chains: Array, k: int, rng: Any) -> tuple[RBM, Array]:
        hidden = self.declares.chain == "hidden"
        start = self.chain_start(theta, v, chains, rng)
        h = start if hidden else self.sample_hidden(theta, start, rng=rng)
        end = self.walk(theta, None if hidden else start, h, self.steps(k), rng)
        after = self.sample_hidden(theta, end.drawn, rng=rng) if hidden else end.drawn
        return self.update(theta, v, end), self.carry(theta, chains, after, end)

    def chain_start(self, theta: RBM, v: Array, chains: Array, rng: Any) -> Array:
        return chains

    def carry(self, theta: RBM, before: Array, after: Array, end: End) -> Array:
        return after

    def walk(self, theta: RBM, v: Array | None, h: Array, k: int, rng: Any) -> End:
        """Return where k steps lead that begin with h, drawn given v."""
        drawn = v
        for step in range(k):
            if step:
                v = drawn
                h = self.sample_hidden(theta, v, rng=rng)
            drawn = self.sample_visible(theta, h, rng=rng)
        mean = self.declares.negative_visible == "mean" and k > 0
        return End(self.mean_visible(theta, h) if mean else drawn, h, v, drawn)

    def update(self, theta: RBM, v: Array, end: End) -> RBM:
        data = self.mean_hidden(theta, v)
        return self.contrast(v, data, end.v, self.negative_hidden(theta, end, data), chains=len(end.v))

    def negative_hidden(self, theta: RBM, end: End, data: Array) -> Array:
        return self.mean_hidden(theta, end.v)

    def data_weight(self, n: int, m: int) -> float:
        return 1.0 / n

    def chain_weight(self, n: int, m: int) -> float:
        return 1.0 / m

    def contrast(
        self, v: Array, h: Array, v_k: Array, h_k: Array, weighted: Any = None, *, chains: int
    ) -> RBM:
        """Return statistics of the data minus those of the chains (or the model, its law multiplied in)."""
        n = len(v)
        scale = n if self.declares.reduction == "sum" else 1
        plus, minus = scale * self.data_weight(n, chains), scale * self.chain_weight(n, chains)
        sum_h = h_k.sum(0) if weighted is None else weighted.sum(0)
        return self.blocks(
            plus * v.T @ h - minus * v_k.T @ h_k,
            plus * v.sum(0) - minus * v_k.sum(0),
            plus * h.sum(0) - minus * sum_h,
            n,
        )

    def blocks(self, W: Array, b: Array, c: Array, n: int) -> RBM:
        return RBM(W, b, c)

    # --- annealed importance sampling, from independent units with biases ``base``

    def annealed(self, theta: RBM, base: Array, beta: float) -> RBM:
        return RBM(beta * theta.W, (1 - beta) * base + beta * theta.b, beta * theta.c)

    def log_annealed(self, theta: RBM, base: Array, beta: float, v: Array) -> Array:
        return -self.free_energy(self.annealed(theta, base, beta), v)

    def start(self, base: Array, chains: int, rng: Any) -> Array:
        return self.draw(rng, np.tile(expit(base), (chains, 1)))

    def ais_log_weights(self, theta: RBM, base: Array, betas: Array, chains: int, rng: Any) -> Array:
        v, log_w = self.start(base, chains, rng), np.zeros(chains)
        for before, after in self.temperatures(betas):
            v, ratio = self.anneal(theta, base, before, after, v, rng)
            log_w = log_w + ratio
        return log_w

    def temperatures(self, betas: Array) -> Any:
        return list(itertools.pairwise(betas))

    def anneal(self, theta: RBM, base: Array, before: float, after: float, v: Array, rng: Any) -> Any:
        ratio = self.weigh(theta, base, before, after, v)
        return (self.move(theta, base, after, v, rng) if after < 1 else v), ratio

    def weigh(self, theta: RBM, base: Array, before: float, after: float, v: Array) -> Array:
        return self.log_annealed(theta, base, after, v) - self.log_annealed(theta, base, before, v)

    def move(self, theta: RBM, base: Array, beta: float, v: Array, rng: Any) -> Array:
        return self.gibbs_step(self.annealed(theta, base, beta), v, rng=rng)

    def log_base(self, theta: RBM, base: Array) -> Array:
        return len(theta.c) * np.log(2) + np.logaddexp(0, base).sum()

    def log_average(self, log_w: Array) -> Array:
        return logsumexp(log_w) - np.log(len(log_w))

    def ais_log_partition(self, theta: RBM, base: Array, betas: Array, chains: int, rng: Any) -> Array:
        log_w = self.ais_log_weights(theta, base, betas, chains, rng)
        return self.log_average(log_w) + self.log_base(theta, base)

    def ais_log_likelihood(
        self, theta: RBM, v: Array, base: Array, betas: Array, chains: int, rng: Any
    ) -> Array:
        log_z = self.ais_log_partition(theta, base, betas, chains, rng)
        return self.normalised(-self.free_energy(theta, v), log_z)
