"""Directed layers, belief nets and auto-encoders with nothing wrong: every quantity, in pieces.

Written without the reference's functions. States h are numbered as ``binary_states`` does, the first unit
most significant.
"""
# ruff: noqa: D102 (the methods are the protocol's quantities, and pieces of them whose names say what they are)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import entr, expit, logsumexp, softmax

from ...reference.boltzmann.rbm import RBM
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from .cases import Array
from .protocol import Adapter, Declares
from .rbm_machine import states

Down = Callable[[Array], Array]  # from rows of h to the logits of x
Coder = Any  # an AutoEncoder, or tied weights as an RBM


class Machine(Adapter):
    """Nothing is wrong."""

    def __init__(self, declares: Declares | None = None) -> None:
        self.declares = declares or Declares()

    # --- the pieces

    def log_on(self, logits: Array) -> Array:
        return -np.logaddexp(0, -logits)

    def log_off(self, logits: Array) -> Array:
        return -np.logaddexp(0, logits)

    def log_bits(self, x: Array, logits: Array) -> Array:
        """Return log P(x | h) summed over the units, the rows of the two broadcast."""
        return self.sum_units(x * self.log_on(logits) + (1 - x) * self.log_off(logits))

    def sum_units(self, terms: Array) -> Array:
        return terms.sum(axis=-1)

    def states(self, units: int) -> Array:
        return states(units)

    def marginal(self, x: Array, down: Down, log_law: Array, h: Array) -> Array:
        """Return log sum_h P(x | h) law(h) of each row; the law may differ from row to row."""
        return logsumexp(self.log_bits(x[:, None], down(h)) + log_law, axis=1)

    def reconstruction(self, x: Array, down: Down, q: Array, h: Array) -> Array:
        """Return sum_h q(h | x) log P(x | h) of each row."""
        return np.sum(q * self.log_bits(x[:, None], down(h)), axis=1)

    def factorised(self, mean: Array, h: Array) -> Array:
        """Return q(h | x) of all h by its means, (n, S)."""
        return np.prod(np.where(h == 1, mean[:, None], 1 - mean[:, None]), axis=2)

    def average(self, terms: Array, weights: Array) -> Array:
        return self.scale(len(weights)) * weights @ terms

    def scale(self, n: int) -> float:
        return n if self.declares.reduction == "sum" else 1

    # --- a latent variable

    def data_incorporation(self, P_x_given_h: Array, P_h: Array, weights: Array) -> Array:
        return weights @ self.posterior(P_x_given_h, P_h)

    def posterior(self, P_x_given_h: Array, P_h: Array) -> Array:
        joint = P_x_given_h * P_h
        return joint / joint.sum(axis=1, keepdims=True)

    def mixture_log_likelihood(self, layer: Sigmoid, P_h: Array, x: Array) -> Array:
        with np.errstate(divide="ignore"):
            log_law = np.log(self.law(P_h))
        return self.marginal(x, lambda h: h @ layer.W.T + layer.b, log_law, self.states(layer.W.shape[1]))

    def law(self, P_h: Array) -> Array:
        return P_h

    # --- deep belief nets

    def generate(self, theta: DBN, k: int) -> Down:
        return lambda h: h @ theta.generative[k].W.T + theta.generative[k].b

    def recognise(self, theta: DBN, below: Array, k: int) -> Array:
        return expit(below @ theta.recognition[k].W.T + theta.recognition[k].b)

    def unnormalised(self, top: RBM, h: Array) -> Array:
        return h @ top.b + np.logaddexp(0, h @ top.W + top.c).sum(axis=1)

    def unnormalised_pair(self, top: RBM, h: Array, g: Array) -> Array:
        return h @ top.b + np.sum((h @ top.W + top.c) * g, axis=1)

    def log_top(self, top: RBM, h: Array) -> Array:
        return self.unnormalised(top, h) - self.log_z(top)

    def log_z(self, top: RBM) -> Array:
        return logsumexp(self.unnormalised(top, states(len(top.b))))

    def deep_log_joint(self, theta: DBN, layers: tuple[Array, ...]) -> Array:
        total = self.unnormalised_pair(theta.top, *layers[-2:]) - self.log_z(theta.top)
        for k in range(len(theta.generative)):
            total = total + self.log_bits(layers[k], self.generate(theta, k)(layers[k + 1]))
        return total

    def deep_log_likelihood(self, theta: DBN, x: Array) -> Array:
        above = self.states(len(theta.top.b))
        log_law = self.log_top(theta.top, above)
        for k in reversed(range(len(theta.generative))):
            below = self.states(len(theta.generative[k].b)) if k else x
            log_law, above = self.marginal(below, self.generate(theta, k), log_law, above), below
        return log_law

    def deep_bound(self, theta: DBN, x: Array) -> Array:
        below, law, total, entropies = x, np.eye(len(x)), 0.0, []
        for k in range(len(theta.generative)):
            mean, h = self.recognise(theta, below, k), self.states(len(theta.recognition[k].b))
            q = self.factorised(mean, h)  # of each state below
            total = total + law @ self.reconstruction(below, self.generate(theta, k), q, h)
            entropies.append(law @ (self.entropy(q, mean) * np.ones(len(q))))
            below, law = h, law @ q
        return total + self.prior_part(theta.top, law, below) + self.all_layers(entropies)

    def prior_part(self, top: RBM, law: Array, h: Array) -> Array:
        return law @ self.log_top(top, h)

    def entropy(self, q: Array, mean: Array) -> Array:
        return entr(q).sum(axis=1)

    def all_layers(self, entropies: list[Array]) -> Array:
        return sum(entropies)

    def two_layer_log_likelihood(self, theta: DBN, x: Array) -> Array:
        return self.deep_log_likelihood(theta, x)

    def dbn_bound(self, theta: DBN, x: Array) -> Array:
        return self.deep_bound(theta, x)

    # --- auto-encoders

    def means(self, theta: Coder, x: Array) -> list[Array]:
        """Return x, and what each inference layer makes of the one below."""
        means = [x]
        for layer in untied(theta).inference:
            means.append(expit(means[-1] @ layer.W + layer.b))
        return means

    def decode(self, theta: Coder) -> Down:
        (down,) = untied(theta).generative
        return lambda h: h @ down.W + down.b

    def log_joint(self, theta: Coder, x: Array) -> tuple[Array, Array]:
        """Return all h, and log P(x | h) q(h | x) of each row and h."""
        mean = self.means(theta, x)[-1]
        h = self.states(mean.shape[1])
        return h, self.log_bits(x[:, None], self.decode(theta)(h)) + self.log_inference(mean, h)

    def log_inference(self, mean: Array, h: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(self.inference_law(self.factorised(mean, h)))

    def log_sum_pass(self, theta: Coder, x: Array) -> Array:
        mean = self.means(theta, x)[-1]
        h = self.states(mean.shape[1])
        return self.marginal(x, self.decode(theta), self.log_inference(mean, h), h)

    def inference_law(self, q: Array) -> Array:
        return q

    def log_mean_pass(self, theta: Coder, x: Array) -> Array:
        return self.log_bits(x, self.decode(theta)(self.rounded(self.means(theta, x)[-1])))

    def rounded(self, mean: Array) -> Array:
        return mean

    def log_sampled_pass(self, theta: Coder, x: Array, rng: Any) -> Array:
        return self.log_bits(x, self.decode(theta)(self.draw(rng, self.means(theta, x)[-1])))

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random(p.shape) < p).astype(float)

    def autoencoder_criterion(self, theta: Coder, x: Array, weights: Array) -> Array:
        return self.average(self.with_data(self.log_sum_pass(theta, x), weights), weights)

    def with_data(self, passed: Array, weights: Array) -> Array:
        return passed + np.log(weights)

    # --- their gradients

    def log_mean_pass_grad(self, theta: Coder, x: Array) -> Coder:
        return self.through(theta, x, self.rounded(self.means(theta, x)[-1]), uniform(x[:, 0]))

    def log_sampled_pass_grad(self, theta: Coder, x: Array, rng: Any) -> Coder:
        return self.through(theta, x, self.draw(rng, self.means(theta, x)[-1]), uniform(x[:, 0]))

    def through(self, theta: Coder, x: Array, h: Array, weights: Array) -> Coder:
        """Return backpropagation through h, a mean or a draw: its derivative is the mean's."""
        error = weights[:, None] * self.output_error(x, self.decode(theta)(h))
        down = Dense(h.T @ error, error.sum(axis=0))
        means = self.means(theta, x)
        return self.backward(
            theta, means, error @ self.backward_weights(theta).T * self.slope(means[-1]), down
        )

    def log_sum_pass_grad(self, theta: Coder, x: Array) -> Coder:
        return self.autoencoder_criterion_grad(theta, x, uniform(x[:, 0]))

    def autoencoder_criterion_grad(self, theta: Coder, x: Array, weights: Array) -> Coder:
        h, log_joint = self.log_joint(theta, x)
        r = self.row_weights(logsumexp(log_joint, axis=1), weights)[:, None] * self.responsibility(log_joint)
        means = self.means(theta, x)
        error = self.code_error(r, h, means[-1])
        return self.backward(theta, means, error, self.from_states(theta, x, r, h))

    def from_states(self, theta: Coder, x: Array, r: Array, h: Array) -> Dense:
        error = r[:, :, None] * self.output_error(x[:, None], self.decode(theta)(h))
        return Dense(np.einsum("sh,nsv->hv", h, error), error.sum(axis=(0, 1)))

    def row_weights(self, passed: Array, weights: Array) -> Array:
        return weights

    def responsibility(self, log_joint: Array) -> Array:
        return softmax(log_joint, axis=1)

    def code_error(self, r: Array, h: Array, mean: Array) -> Array:
        return r @ h - r.sum(axis=1, keepdims=True) * mean

    def output_error(self, x: Array, logits: Array) -> Array:
        return x - expit(logits)

    def slope(self, activation: Array) -> Array:
        return activation * (1 - activation)

    def backward_weights(self, theta: Coder) -> Array:
        return untied(theta).generative[0].W

    def backward(self, theta: Coder, means: list[Array], error: Array, down: Dense) -> Coder:
        """Return the gradient, from the error at the logits of h and the generative part."""
        up: list[Dense] = []
        error = self.reaches(error)
        for layer, mean in zip(reversed(untied(theta).inference), reversed(means[:-1]), strict=True):
            up.insert(0, Dense(mean.T @ error, error.sum(axis=0)))
            error = self.reaches_below(error @ layer.W.T * self.slope(mean))
        n = len(means[0])
        return self.tie(theta, [self.layer_grad(layer, n) for layer in up], self.generative_grad(down, n))

    def reaches(self, error: Array) -> Array:
        return error

    def reaches_below(self, error: Array) -> Array:
        return error

    def layer_grad(self, layer: Dense, n: int) -> Dense:
        scale = self.scale(n)
        return Dense(scale * layer.W, scale * layer.b)

    def generative_grad(self, layer: Dense, n: int) -> Dense:
        return self.layer_grad(layer, n)

    def tie(self, theta: Coder, up: list[Dense], down: Dense) -> Coder:
        if isinstance(theta, RBM):
            return RBM(self.both_uses(up[0].W, down.W.T), down.b, up[0].b)
        return AutoEncoder(tuple(up), (down,))

    def both_uses(self, up: Array, down: Array) -> Array:
        return up + down


def untied(theta: Coder) -> Coder:
    """Return an auto-encoder as it is, and the weights of an RBM as both its parts."""
    if not isinstance(theta, RBM):
        return theta
    return AutoEncoder((Dense(theta.W, theta.c),), (Dense(theta.W.T, theta.b),))


def uniform(weights: Array) -> Array:
    """Return the uniform law over as many rows."""
    return np.full_like(weights, 1 / len(weights))
