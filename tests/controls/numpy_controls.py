"""Unusual RBMs that are right: the audit must find nothing. ``declares`` holds the conventions they
declare."""
# ruff: noqa: NPY002 (as in the wild)

import itertools
import random

import numpy as np
from exactgen.proofs_check.audit.protocol import Adapter
from exactgen.reference.boltzmann.rbm import RBM
from scipy import stats
from scipy.special import expit, logsumexp


class HiddenFirst:
    """Weights (H, V), biases as columns, a persistent chain of hidden samples, each phase over its own
    rows."""

    declares = {"chain": "hidden"}  # noqa: RUF012

    def __init__(self, num_hidden, num_visible, eta=0.05, batch_size=7):
        self.w = np.random.normal(0, 0.01, (num_hidden, num_visible))
        self.hb, self.vb = np.zeros((num_hidden, 1)), np.zeros((num_visible, 1))
        self.eta = eta
        self.h_chain = np.zeros((batch_size, num_hidden))

    def up(self, v):
        return expit(v @ self.w.T + self.hb.T)

    def down(self, h):
        return expit(h @ self.w + self.vb.T)

    def pcd_step(self, v, n_steps):
        h = self.h_chain
        for _ in range(n_steps):
            x = np.random.binomial(1, self.down(h))
            h = np.random.binomial(1, self.up(x))
        self.h_chain = h
        before = self.up(v), self.up(x)  # at the parameters before any of them moves
        self.w += self.eta * (before[0].T @ v / len(v) - before[1].T @ x / len(x))
        self.vb += self.eta * (v.mean(0) - x.mean(0))[:, None]
        self.hb += self.eta * (before[0].mean(0) - before[1].mean(0))[:, None]


class ShiftedEnergy:
    """Energies with a constant, and log Z with the opposite one: probabilities are the same."""

    declares = {"free_energy_offset": "yes"}  # noqa: RUF012

    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)

    def free_energy(self, v):
        return 3.0 + np.sum(self.c) - v @ self.b - np.logaddexp(0, v @ self.W + self.c).sum(1)

    def log_z(self):
        v = np.array(list(itertools.product([0.0, 1.0], repeat=len(self.b))))
        return logsumexp(-self.free_energy(v))

    def log_prob(self, v):
        return -self.free_energy(v) - self.log_z()


class SumsDeclared:
    """Sums over rows instead of means, and samples in every position."""

    declares = {"reduction": "sum"}  # noqa: RUF012

    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)

    def cd(self, v, k, rng):
        h = data_h = rng.random((len(v), len(self.c))) < expit(v @ self.W + self.c)
        for _ in range(k):
            x = rng.random(v.shape) < expit(h @ self.W.T + self.b)
            h = rng.random(h.shape) < expit(x @ self.W + self.c)
        x, h, data_h = 1.0 * x, 1.0 * h, 1.0 * data_h
        return {"W": v.T @ data_h - x.T @ h, "b": (v - x).sum(0), "c": (data_h - h).sum(0)}


class ReconstructsByMeans:
    """The last v is a mean, and feeds the hidden means beside it, as it declares."""

    declares = {"negative_visible": "mean"}  # noqa: RUF012

    def __init__(self, nv, nh, epsilon=0.1):
        self.W, self.b, self.c, self.epsilon = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh), epsilon

    def update(self, v, k):
        h = h0 = expit(v @ self.W + self.c)
        for step in range(k):
            mean = expit((h > np.random.sample(h.shape)) @ self.W.T + self.b)
            x = mean if step == k - 1 else (np.random.sample(mean.shape) <= mean) * 1.0
            h = expit(x @ self.W + self.c)
        self.W += self.epsilon * (v.T @ h0 - x.T @ h) / len(v)
        self.b += self.epsilon * np.mean(v - x, axis=0)
        self.c += self.epsilon * np.mean(h0 - h, axis=0)


class PlainLoops:
    """Lists, loops and Python's own random numbers; no array operation but at the edges."""

    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)

    def sample_h(self, v):
        rows = []
        for row in v:
            inputs = [sum(row[i] * self.W[i, j] for i in range(len(row))) for j in range(len(self.c))]
            rows.append([1.0 if random.random() < expit(x + c) else 0.0 for x, c in zip(inputs, self.c)])  # noqa: B905
        return np.array(rows)

    def sample_v(self, h):
        rows = []
        for row in h:
            inputs = [sum(row[j] * self.W[i, j] for j in range(len(row))) for i in range(len(self.b))]
            rows.append([1.0 if random.random() < expit(x + b) else 0.0 for x, b in zip(inputs, self.b)])  # noqa: B905
        return np.array(rows)

    def gibbs(self, v):
        return self.sample_v(self.sample_h(v))


class DrawsElsewhere:
    """Draws through SciPy, out of the audit's reach: compared statistically."""

    statistical = True

    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)

    def sample_h(self, v):
        p = expit(v @ self.W + self.c)
        return stats.bernoulli.rvs(p, size=p.shape)


class InverseLogistic:
    """Draws by comparing the input with logistic noise: arithmetic on uniforms, compared statistically."""

    statistical = True

    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)

    def sample_h(self, v, rng):
        u = rng.random((len(v), len(self.c)))
        return (v @ self.W + self.c > np.log(u) - np.log1p(-u)).astype(float)


class RandomFlip:
    """The pseudo-likelihood estimated by one random flip, times the number of units."""

    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)

    def free_energy(self, v):
        return -v @ self.b - np.logaddexp(0, v @ self.W + self.c).sum(1)

    def pseudo_likelihood(self, v):
        i = np.random.choice(v.shape[1], size=len(v))
        w = v.copy()
        w[np.arange(len(v)), i] = 1 - w[np.arange(len(v)), i]
        return -v.shape[1] * np.logaddexp(0, self.free_energy(v) - self.free_energy(w))


class MovesFirst:
    """AIS that moves at the *old* temperature before each weight, and once more at the end: unbiased as
    well."""

    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)

    def log_f(self, beta, base, v):
        x = beta * (v @ self.W + self.c)
        return (1 - beta) * (v @ base) + beta * (v @ self.b) + np.logaddexp(0, x).sum(1)

    def move(self, beta, base, v):
        h = np.random.rand(len(v), len(self.c)) < expit(beta * (v @ self.W + self.c))
        mean = expit(beta * (h @ self.W.T + self.b) + (1 - beta) * base)
        return 1.0 * (np.random.rand(*v.shape) < mean)

    def ais_weights(self, base, betas, runs):
        v = 1.0 * (np.random.rand(runs, len(self.b)) < expit(base))
        log_w = np.zeros(runs)
        for old, new in itertools.pairwise(betas):
            if old > 0:
                v = self.move(old, base, v)
            log_w += self.log_f(new, base, v) - self.log_f(old, base, v)
        return log_w


class ColumnsAsSamples(Adapter):
    """Data as columns, written for the audit as a user would: an adapter of ten lines."""

    def mean_hidden(self, theta, v):
        return expit(theta.W.T @ v.T + theta.c[:, None]).T

    def cd_update(self, theta, v, k, rng):
        x = v.T
        for _ in range(k):
            h = rng.uniform(size=(len(theta.c), x.shape[1])) < expit(theta.W.T @ x + theta.c[:, None])
            x = 1.0 * (rng.uniform(size=x.shape) < expit(theta.W @ h + theta.b[:, None]))
        h, h_k = self.mean_hidden(theta, v).T, self.mean_hidden(theta, x.T).T
        return RBM((v.T @ h.T - x @ h_k.T) / len(v), (v.T - x).mean(1), (h - h_k).mean(1))
