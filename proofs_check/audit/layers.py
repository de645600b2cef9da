"""Directed layers, auto-encoders and deep belief nets: a right machine, mistakes in it, the quantities.

The parameters are the reference's: ``DBN`` with one directed layer, ``AutoEncoder`` with one generative
layer, a ``Sigmoid`` layer under a table P(h).  States h are numbered as ``binary_states`` does, the first
unit most significant.
"""
# ruff: noqa: D102 (the methods are the protocol's quantities, and pieces of them whose names say what they are)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr, expit, logsumexp

from ...reference.boltzmann.rbm import RBM
from ...reference.directed.belief import log_likelihood
from ...reference.directed.dbn import DBN, net
from ...reference.directed.dbn_bound import bound_log_likelihood
from ...reference.directed.layers import Sigmoid
from ...reference.directed.mixtures import likelihoods, likelihoods_of_table, log_mixture
from ...reference.laws import log_table
from ...reference.layerwise import stacks
from ...reference.layerwise.incorporation import incorporate
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks import Dense
from .cases import Array, Blocks, Case, Catalogue, Quantity, numbers, value
from .catalogue import MISTAKES as RBM_MISTAKES
from .catalogue import states
from .protocol import Adapter, Declares


class Tables(NamedTuple):
    """A latent variable by its tables."""

    P_x_given_h: Array  # (n, S), of the n data
    P_h: Array  # (S,)


class Mixture(NamedTuple):
    """A sigmoid layer under any law of the states above it."""

    layer: Sigmoid  # W (V, H), b (V,): p(x_i = 1 | h) = sigmoid(b_i + (W h)_i)
    P_h: Array  # (2^H,)


Down = Callable[[Array], Array]  # from rows of h to the logits of x


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

    # --- a deep belief net of one directed layer

    def generate(self, theta: DBN) -> Down:
        return lambda h: h @ theta.generative[0].W.T + theta.generative[0].b

    def recognise(self, theta: DBN, v: Array) -> Array:
        return expit(v @ theta.recognition[0].W.T + theta.recognition[0].b)

    def unnormalised(self, top: RBM, h: Array) -> Array:
        return h @ top.b + np.logaddexp(0, h @ top.W + top.c).sum(axis=1)

    def log_top(self, top: RBM, h: Array) -> Array:
        return self.unnormalised(top, h) - self.log_z(top)

    def log_z(self, top: RBM) -> Array:
        return logsumexp(self.unnormalised(top, states(len(top.b))))

    def two_layer_log_likelihood(self, theta: DBN, x: Array) -> Array:
        h = self.states(len(theta.top.b))
        return self.marginal(x, self.generate(theta), self.log_top(theta.top, h), h)

    def dbn_bound(self, theta: DBN, x: Array) -> Array:
        h, mean = self.states(len(theta.top.b)), self.recognise(theta, x)
        q = self.factorised(mean, h)
        expected = self.reconstruction(x, self.generate(theta), q, h)
        return expected + self.prior_part(theta.top, mean, q, h) + self.entropy(q, mean)

    def prior_part(self, top: RBM, mean: Array, q: Array, h: Array) -> Array:
        return q @ self.log_top(top, h)

    def entropy(self, q: Array, mean: Array) -> Array:
        return entr(q).sum(axis=1)

    # --- auto-encoders

    def encode(self, theta: AutoEncoder, x: Array) -> Array:
        for layer in theta.inference:
            x = expit(x @ layer.W + layer.b)
        return x

    def decode(self, theta: AutoEncoder) -> Down:
        return lambda h: h @ theta.generative[0].W + theta.generative[0].b

    def log_sum_pass(self, theta: AutoEncoder, x: Array) -> Array:
        h = self.states(len(theta.inference[-1].b))
        with np.errstate(divide="ignore"):
            log_q = np.log(self.inference_law(self.factorised(self.encode(theta, x), h)))
        return self.marginal(x, self.decode(theta), log_q, h)

    def inference_law(self, q: Array) -> Array:
        return q

    def log_mean_pass(self, theta: AutoEncoder, x: Array) -> Array:
        return self.log_bits(x, self.decode(theta)(self.rounded(self.encode(theta, x))))

    def rounded(self, mean: Array) -> Array:
        return mean

    def log_sampled_pass(self, theta: AutoEncoder, x: Array, rng: Any) -> Array:
        return self.log_bits(x, self.decode(theta)(self.draw(rng, self.encode(theta, x))))

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random(p.shape) < p).astype(float)

    def autoencoder_criterion(self, theta: AutoEncoder, x: Array, weights: Array) -> Array:
        return self.average(self.with_data(self.log_sum_pass(theta, x), weights), weights)

    def with_data(self, passed: Array, weights: Array) -> Array:
        return passed + np.log(weights)


MISTAKES = Catalogue(Machine)
_mistake = MISTAKES.add


def _uniform(weights: Array) -> Array:
    return np.full_like(weights, 1 / len(weights))


def _normalised(joint: Array) -> Array:
    return joint / joint.sum()


# --- data incorporation

_mistake(
    "posterior-not-normalised: The posterior of each datum is not divided by P(x): likely data count more.",
    posterior=lambda _, P, Q: P * Q,
)
_mistake(
    "normalised-at-the-end: "
    "The sum over the data is normalised, not each datum's posterior: likely data count more.",
    data_incorporation=lambda _, P, Q, w: _normalised(w @ (P * Q)),
)
_mistake(
    "normalised-over-data: The posterior is normalised over the data instead of over the states.",
    posterior=lambda _, P, Q: P * Q / np.maximum((P * Q).sum(axis=0), 1e-300),
)
_mistake(
    "uniform-data-weights: The data weights are ignored: every row counts 1/n.",
    data_incorporation=lambda self, P, Q, w: Machine().data_incorporation(P, Q, _uniform(w)),
    average=lambda self, terms, w: self.scale(len(w)) * np.mean(terms),
    with_data=lambda _, passed, w: passed - np.log(len(w)),
)
_mistake(
    "old-law-dropped: The old P(h) is dropped: the posterior is that under a uniform law of h.",
    posterior=lambda _, P, Q: Machine().posterior(P, 0 * Q + 1),
)
_mistake(
    "old-law-counted-twice: The old P(h) is multiplied in twice.",
    posterior=lambda _, P, Q: Machine().posterior(P, Q * Q),
)
_mistake("law-not-updated: The old P(h) comes back unchanged.", data_incorporation=lambda _, P, Q, w: Q)
_mistake(
    "hard-assignment: Each datum is given wholly to its most probable state: k-means instead of EM.",
    posterior=lambda _, P, Q: np.eye(len(Q))[np.argmax(P * Q, axis=1)],
)
_mistake(
    "logs-averaged: The logarithms of the posteriors are averaged instead of the posteriors.",
    data_incorporation=lambda self, P, Q, w: _normalised(
        np.exp(w @ np.log(np.maximum(self.posterior(P, Q), 1e-300)))
    ),
)
_mistake(
    "sum-for-mean: "
    "The rows are summed where they are to be averaged (if meant, of a criterion: declare reduction=sum).",
    data_incorporation=lambda self, P, Q, w: len(w) * Machine().data_incorporation(P, Q, w),
    scale=lambda _, n: n,
)

# --- laws of x given h


def _at_means(self: Any, x: Array, down: Down, log_law: Array, h: Array) -> Array:
    return self.log_bits(x, down(np.exp(log_law) @ h))


def _outside(self: Any, x: Array, down: Down, log_law: Array, h: Array) -> Array:
    return np.sum(np.exp(log_law) * self.log_bits(x[:, None], down(h)), axis=1)


_mistake(
    "zeros-ignored: Only the units that are one count: (1 - x) log(1 - p) is missing.",
    log_off=lambda _, logits: 0 * logits,
)
_mistake(
    "units-averaged: "
    "The units' terms are averaged where they are to be summed: log P(x | h) is too small by their number.",
    sum_units=lambda _, terms: terms.mean(axis=-1),
)
_mistake(
    "sigmoid-taken-twice: The sigmoid is taken twice: probabilities are given to a loss that expects logits.",
    generate=lambda self, theta: lambda h: expit(Machine().generate(theta)(h)),
    decode=lambda self, theta: lambda h: expit(Machine().decode(theta)(h)),
)
_mistake(
    "squared-error: Minus the squared error stands for the log-likelihood.",
    log_bits=lambda _, x, logits: -np.square(x - expit(logits)).sum(axis=-1),
)
_mistake(
    "hidden-means-for-sum: Hidden means stand inside log P(x | h) where the sum over h belongs.",
    marginal=_at_means,
    reconstruction=lambda self, x, down, q, h: self.log_bits(x, down(q @ h)),
)
_mistake(
    "sum-outside-the-logarithm: "
    "Logarithms are summed over h: the mean of log P(x | h) stands for the log of its mean.",
    marginal=_outside,
)
_mistake(
    "best-state-for-sum: The best state h stands for the sum over all: a maximum inside the logarithm.",
    marginal=lambda self, x, down, log_law, h: np.max(self.log_bits(x[:, None], down(h)) + log_law, axis=1),
)
_mistake(
    "law-of-hidden-dropped: The law of h is dropped: P(x | h) is summed over all states without it.",
    law=lambda _, P_h: np.ones_like(P_h),
    log_top=lambda _, top, h: np.zeros(len(h)),
    inference_law=lambda _, q: np.ones_like(q),
)
_mistake(
    "law-of-hidden-uniform: "
    "All states h count alike: P(x | h) is averaged over them instead of weighted by the law of h.",
    law=lambda _, P_h: _uniform(P_h),
    log_top=lambda _, top, h: np.full(len(h), -np.log(len(h))),
    inference_law=lambda _, q: np.full_like(q, 1 / q.shape[1]),
)
_mistake(
    "units-in-reverse: "
    "The states are numbered with the first unit least significant: P(h) goes to the wrong states.",
    states=lambda _, units: states(units)[:, ::-1],
)

# --- deep belief nets


def _marginal_of(theta: DBN, x: Array) -> Array:
    return Machine().two_layer_log_likelihood(theta, x)


_mistake(
    "missing-top-partition: log Z of the top machine is not subtracted: the value is unnormalised.",
    log_z=lambda _, top: 0.0,
)
_mistake(
    "averaged-top-partition: log Z of the top machine is averaged over states where it is to be summed.",
    log_z=lambda self, top: Machine.log_z(self, top) - len(top.b) * np.log(2),
)
_mistake(
    "top-hidden-dropped: "
    "The top machine's hidden units are left out: its visible biases alone stand for its law.",
    unnormalised=lambda _, top, h: h @ top.b,
)
_mistake(
    "top-hidden-maximised: The top machine's hidden units are maximised over, max(0, x), not summed over.",
    unnormalised=lambda _, top, h: h @ top.b + np.maximum(0, h @ top.W + top.c).sum(axis=1),
)
_mistake(
    "recognition-weights-generate: The recognition weights, transposed, are used to generate.",
    generate=lambda _, theta: lambda h: h @ theta.recognition[0].W + theta.generative[0].b,
)
_mistake(
    "generative-weights-recognise: The generative weights, transposed, are used to recognise.",
    recognise=lambda _, theta, v: expit(v @ theta.generative[0].W + theta.recognition[0].b),
)
_mistake(
    "bound-for-likelihood: The variational bound stands for the log-likelihood.",
    two_layer_log_likelihood=lambda _, theta, x: Machine().dbn_bound(theta, x),
)
_mistake(
    "likelihood-for-bound: The log-likelihood itself stands for the bound: no q enters.",
    dbn_bound=lambda _, theta, x: _marginal_of(theta, x),
)
_mistake("entropy-omitted: The entropy of q is left out.", entropy=lambda _, q, mean: 0.0)
_mistake(
    "entropy-of-wrong-sign: The entropy of q is subtracted where it is to be added.",
    entropy=lambda _, q, mean: -entr(q).sum(axis=1),
)
_mistake(
    "entropy-of-ones-only: The entropy of each unit lacks -(1 - q) log(1 - q).",
    entropy=lambda _, q, mean: entr(mean).sum(axis=1),
)
_mistake(
    "entropy-averaged: The entropy of q is averaged over its units where it is to be summed.",
    entropy=lambda _, q, mean: entr(q).sum(axis=1) / mean.shape[1],
)
_mistake(
    "prior-at-means: log p(h) is taken at the means of q instead of averaged over q.",
    prior_part=lambda self, top, mean, q, h: self.log_top(top, mean),
)
_mistake(
    "prior-missing: "
    "The law of h is missing from the bound: only the reconstruction and the entropy are left.",
    prior_part=lambda self, top, mean, q, h: 0.0,
)

# --- auto-encoders

_mistake(
    "data-factor-missing: "
    "P_D(x) is missing inside the logarithm: harmless for training, but no bound of the log-likelihood.",
    with_data=lambda _, passed, w: passed,
)
_mistake(
    "data-factor-uniform: P_D(x) inside the logarithm is 1/n whatever the data weights.",
    with_data=lambda _, passed, w: passed - np.log(len(w)),
)
_mistake(
    "logarithm-of-the-mean: "
    "The logarithm is taken of the mean over the data, instead of the mean of logarithms.",
    average=lambda self, terms, w: self.scale(len(w)) * logsumexp(terms + np.log(w)),
)
_mistake(
    "logarithm-of-the-sum: "
    "The logarithm is taken of the sum over data and h, instead of the mean over data of logarithms.",
    average=lambda self, terms, w: logsumexp(terms),
)
_mistake(
    "weights-tied: The inference weights, transposed, are used to generate.",
    decode=lambda _, theta: lambda h: h @ theta.inference[-1].W.T + theta.generative[0].b,
)
_mistake(
    "hidden-rounded: Hidden units are set by q > 1/2 where their means belong.",
    rounded=lambda _, mean: (mean > 0.5).astype(float),
)
_VALUES = (
    "mixture_log_likelihood", "two_layer_log_likelihood", "dbn_bound",
    "log_sum_pass", "log_mean_pass", "log_sampled_pass", "autoencoder_criterion",
)  # fmt: skip
for _name in ("means-for-samples", "thresholded", "inverted-comparison"):
    _same = next(kind for kind in RBM_MISTAKES if kind.__name__ == _name)
    _mistake(f"{_name}: {_same.__doc__}", draw=_same.draw)
_mistake(
    "wrong-sign: The sign is wrong: a loss stands for the log-likelihood.",
    **MISTAKES.scaled(lambda *_: -1.0, *_VALUES),
)
_mistake(
    "bits-for-nats: The logarithm is to base two: bits where nats belong.",
    **MISTAKES.scaled(lambda *_: 1 / np.log(2), *_VALUES),
)


# --- cases and quantities


def _random(*shape: int, scale: float = 1.0, seed: int = 3) -> Array:
    return np.round(scale * np.random.default_rng([seed, *shape]).normal(0.2, 1.0, shape), 2)


def _law(n: int) -> Array:
    """Return a law that is not uniform, whose probabilities sum to one exactly."""
    parts = np.arange(1.0, n + 1)
    return parts / parts.sum()


def _rows(units: int) -> Array:
    """Return half of the states, and no row twice: whether P_D is by rows or by values is then the same."""
    return states(units)[1 :: 2 if units > 1 else 1]


def _tables() -> tuple[Case, ...]:
    cases = []
    for n, s in ((1, 2), (2, 2), (3, 2), (2, 4)):
        P = expit(_random(n, s, scale=2.0))
        for name, P_h in (("", _law(s)), (", a state without mass", _law(s) * (np.arange(s) > 0))):
            theta = Tables(P, P_h / P_h.sum())
            cases.append(Case(f"{n} data, {s} states{name}", theta, {"weights": _law(n)[::-1].copy()}))
    unlikely = Tables(np.array([[1e-200, 2e-200], [0.5, 0.25]]), np.array([0.5, 0.5]))
    cases.append(Case("2 data, one of them improbable", unlikely, {"weights": np.array([0.5, 0.5])}))
    return tuple(cases)


_SIZES = ((1, 1), (2, 1), (1, 2), (3, 2), (2, 3))


def _cases(make: Callable[[int, int, float], Any], *, weighted: bool = False) -> tuple[Case, ...]:
    kinds = [(f"{v} x {h}", v, h, 1.0) for v, h in _SIZES]
    kinds.append(("3 x 2, inputs of 800", 3, 2, 500.0))
    cases = []
    for name, v, h, scale in kinds:
        x = _rows(v)
        given = {"x": x, "weights": _law(len(x))} if weighted else {"x": x}
        cases.append(Case(name, make(v, h, scale), given))
    return tuple(cases)


def _mixture(v: int, h: int, scale: float) -> Mixture:
    return Mixture(Sigmoid(_random(v, h, scale=scale), _random(v, scale=scale)), _law(2**h))


def _dbn(v: int, h: int, scale: float) -> DBN:
    return DBN(
        (Sigmoid(_random(v, h, scale=scale), _random(v)),),
        (Sigmoid(_random(h, v, seed=4), _random(h, seed=4)),),
        RBM(_random(h, 2, scale=scale), _random(h) / 2, _random(2)),
    )


def _auto_encoder(v: int, h: int, scale: float) -> AutoEncoder:
    """Return a vanilla one, untied, or (where there are three units) one with a layer in between."""
    up: tuple[Dense, ...] = (Dense(_random(v, h, seed=4), _random(h)),)
    if v == 3:
        up = (Dense(_random(v, 4), _random(4)), Dense(_random(4, h), _random(h)))
    return AutoEncoder(up, (Dense(_random(h, v, scale=scale), _random(v)),))


def _call_tables(adapter: Any, case: Case, rng: Any) -> Blocks:
    return {"": numbers(adapter.data_incorporation(*case.theta, case.given["weights"]))}


def _exact_tables(case: Case, _: Declares) -> Blocks:
    p = likelihoods_of_table(log_table(case.theta.P_x_given_h))
    return {"": incorporate(p, case.theta.P_h, weights=case.given["weights"])}


def _call_mixture(adapter: Any, case: Case, rng: Any) -> Blocks:
    return {"": numbers(adapter.mixture_log_likelihood(*case.theta, case.given["x"]))}


def _exact_mixture(case: Case, _: Declares) -> Blocks:
    return {"": log_mixture(likelihoods(case.theta.layer, case.given["x"]), case.theta.P_h)}


def _call_sampled(adapter: Any, case: Case, rng: Any) -> Blocks:
    x = case.given["x"]
    relative = numbers(adapter.log_sampled_pass(case.theta, x, rng=rng)) - stacks.log_sum_pass(case.theta, x)
    return {"mean of P(x | h) over its sum": np.exp(relative)}


def _exact_sampled(case: Case, _: Declares) -> Blocks:
    return {"mean of P(x | h) over its sum": np.ones(len(case.given["x"]))}


def _call_criterion(adapter: Any, case: Case, rng: Any) -> Blocks:
    return {"": numbers(adapter.autoencoder_criterion(case.theta, **case.given))}


def _exact_criterion(case: Case, declares: Declares) -> Blocks:
    n = len(case.given["x"])
    scale = n if declares.reduction == "sum" else 1
    return {"": scale * stacks.criterion(case.theta, case.given["x"], weights=case.given["weights"])}


_NETS, _CODES = _cases(_dbn), _cases(_auto_encoder)
_FEW = tuple(replace(c, given={"x": c.given["x"][:2]}) for c in _CODES[:4])

TABLE: dict[str, Quantity] = {
    q.name: q
    for q in (
        Quantity("data_incorporation", MISTAKES, _call_tables, _exact_tables, _tables()),
        Quantity("mixture_log_likelihood", MISTAKES, _call_mixture, _exact_mixture, _cases(_mixture)),
        value("two_layer_log_likelihood", MISTAKES, lambda t, x: log_likelihood(net(t), x), "x", _NETS),
        value("dbn_bound", MISTAKES, bound_log_likelihood, "x", _NETS),
        value("log_sum_pass", MISTAKES, stacks.log_sum_pass, "x", _CODES),
        value("log_mean_pass", MISTAKES, stacks.log_mean_pass, "x", _CODES),
        Quantity("log_sampled_pass", MISTAKES, _call_sampled, _exact_sampled, _FEW),
        Quantity(
            "autoencoder_criterion",
            MISTAKES,
            _call_criterion,
            _exact_criterion,
            _cases(_auto_encoder, weighted=True),
        ),
    )
}
