"""Unusual directed models and users of AIS that are right: the audit must find nothing."""
# ruff: noqa: NPY002 (as in the wild)

import itertools
import math

import numpy as np
from exactgen.proofs_check.audit.protocol import Adapter, Declares
from scipy.special import entr, expit, log_expit, logsumexp


def bits(n):
    return list(itertools.product((0.0, 1.0), repeat=n))


class IncorporatesRowByRow(Adapter):
    """Bayes' rule in logarithms, one datum after the other; states without mass are skipped."""

    def data_incorporation(self, P_x_given_h, P_h, weights):
        law = np.zeros(len(P_h))
        on = np.flatnonzero(P_h)
        for likelihood, weight in zip(P_x_given_h, weights, strict=True):
            log_joint = np.log(likelihood[on]) + np.log(P_h[on])
            law[on] += weight * np.exp(log_joint - logsumexp(log_joint))
        return law


class GradientOfTheLikelihood(Adapter):
    """Data incorporation as P(h) times the gradient of the mean log-likelihood."""

    def data_incorporation(self, P_x_given_h, P_h, weights):
        return P_h * (P_x_given_h.T @ (weights / (P_x_given_h @ P_h)))


class SumsOverBothHiddenLayers(Adapter):
    """Plain loops over h1 and h2; the bound in two parts, unit by unit where it factorises."""

    def joint(self, theta, x):
        """Return log P(x | h1) and log sum_h2 exp(-E(h1, h2)) for each h1."""
        W, b = theta.generative[0]
        top, rows = theta.top, []
        for h in bits(len(top.b)):
            h = np.array(h)
            a = W @ h + b
            given = x @ log_expit(a) + (1 - x) @ log_expit(-a)
            terms = [h @ top.W @ np.array(g) + top.b @ h + top.c @ np.array(g) for g in bits(len(top.c))]
            rows.append((given, logsumexp(terms)))
        return rows

    def log_z(self, theta):
        none = np.zeros((1, len(theta.generative[0].b)))
        return logsumexp([log_weight for _, log_weight in self.joint(theta, none)])

    def two_layer_log_likelihood(self, theta, x):
        return logsumexp([given + top for given, top in self.joint(theta, x)], axis=0) - self.log_z(theta)

    def dbn_bound(self, theta, x):
        up = theta.recognition[0]
        mean = expit(x @ up.W.T + up.b)
        bound = (entr(mean) + entr(1 - mean)).sum(1) - self.log_z(theta)
        for h, (given, top) in zip(bits(len(up.b)), self.joint(theta, x), strict=True):
            q = np.prod([m if bit else 1 - m for m, bit in zip(mean.T, h, strict=True)], axis=0)
            bound = bound + q * (given + top)
        return bound


class CriterionAsASum(Adapter):
    """The criterion summed over the rows, as it declares; its q(h | x) P_D(x) as one table."""

    declares = Declares(reduction="sum")

    def autoencoder_criterion(self, theta, x, weights):
        mean = x
        for W, b in theta.inference:
            mean = expit(mean @ W + b)
        W, b = theta.generative[0]
        total = 0.0
        for row, m, weight in zip(x, mean, weights, strict=True):
            terms = [
                np.log(np.where(h, m, 1 - m)).sum() + np.where(row, log_expit(a), log_expit(-a)).sum()
                for h, a in ((np.array(h), np.array(h) @ W + b) for h in bits(len(W)))
            ]
            total += len(x) * weight * (logsumexp(terms) + math.log(weight))
        return total


class DrawsOneUnitAtATime(Adapter):
    """The sampled pass unit by unit through the module's own generator, and the mean pass beside it."""

    def log_mean_pass(self, theta, x):
        h = x
        for layer in theta.inference:
            h = expit(h @ layer.W + layer.b)
        a = h @ theta.generative[0].W + theta.generative[0].b
        return log_expit(np.where(x == 1, a, -a)).sum(axis=1)

    def log_sampled_pass(self, theta, x, rng):
        W, b = theta.generative[0]
        h = x
        for layer in theta.inference:
            h = expit(h @ layer.W + layer.b)
        h = np.array([[float(np.random.rand() < p) for p in row] for row in h])
        return x @ b + np.sum(x * (h @ W), axis=1) - np.logaddexp(0, h @ W + b).sum(axis=1)


class EstimatesByReplicas(Adapter):
    """log p(v) with log Z by AIS that forms its own average of weights."""

    def ais_log_likelihood(self, theta, v, base, betas, chains, rng):
        W, b, c = theta
        x = np.random.binomial(1, expit(base), (chains, len(b))).astype(float)
        weight = np.ones(chains)
        for old, new in itertools.pairwise(betas):
            visible = (new - old) * (x @ (b - base))
            hidden = np.logaddexp(0, new * (x @ W + c)) - np.logaddexp(0, old * (x @ W + c))
            weight = weight * np.exp(visible + hidden.sum(1))
            if new < 1:
                h = np.random.binomial(1, expit(new * (x @ W + c)))
                x = np.random.binomial(1, expit(new * (h @ W.T + b) + (1 - new) * base)).astype(float)
        z = weight.mean() * 2 ** len(c) * np.prod(1 + np.exp(base))
        return v @ b + np.logaddexp(0, v @ W + c).sum(1) - np.log(z)
