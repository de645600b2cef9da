"""Wrong energies, likelihoods and estimates of log Z; ``mistake`` is the finding that the audit must
report."""
# ruff: noqa: NPY002 (as in the wild)

import itertools

import numpy as np
from scipy.special import expit, logsumexp


class _Model:
    def __init__(self, nv, nh):
        self.weights, self.a, self.b = np.zeros((nh, nv)), np.zeros(nv), np.zeros(nh)

    def _x(self, v):
        return v @ self.weights.T + self.b

    def free_energy(self, v):
        return -v @ self.a - np.logaddexp(0, self._x(v)).sum(1)

    def _all(self):
        return np.array(list(itertools.product([0.0, 1.0], repeat=len(self.a))))


class NaiveSoftplus(_Model):
    mistake = "overflow"

    def free_energy(self, v):
        return -v @ self.a - np.log(1 + np.exp(self._x(v))).sum(1)


class NaiveLogZ(_Model):
    mistake = "overflow"

    def log_z(self):
        return np.log(np.exp(-self.free_energy(self._all())).sum())


class UnderflowingPseudoLikelihood(_Model):
    mistake = "overflow"

    def pseudo_likelihood(self, v):
        total = 0.0
        for i in range(v.shape[1]):
            w = v.copy()
            w[:, i] = 1 - w[:, i]
            total = total + np.log(expit(self.free_energy(w) - self.free_energy(v)))
        return total


class MaximisesHidden(_Model):
    mistake = "relu-for-softplus"

    def free_energy(self, v):
        return -v @ self.a - np.maximum(self._x(v), 0).sum(1)


class EnergyOfTheMeans(_Model):
    mistake = "mean-field-energy"

    def free_energy(self, v):
        h = expit(self._x(v))
        return -(v @ self.a) - (h @ self.b) - np.einsum("nj,ji,ni->n", h, self.weights, v)


class PlusTheBias(_Model):
    mistake = "bias-of-wrong-sign"

    def energy(self, v, h):
        return v @ self.a - h @ self.b - np.einsum("nj,ji,ni->n", h, self.weights, v)


class ForgetsLogZ(_Model):
    mistake = "missing-log-partition"

    def log_prob(self, v):
        return -self.free_energy(v)


class Bits(_Model):
    mistake = "bits-for-nats"

    def log_prob(self, v):
        return (-self.free_energy(v) - logsumexp(-self.free_energy(self._all()))) / np.log(2)


class AveragesTheStates(_Model):
    mistake = "averaged-partition"

    def log_z(self):
        energies = -self.free_energy(self._all())
        return energies.max() + np.log(np.mean(np.exp(energies - energies.max())))


class OneFlipUnscaled(_Model):
    mistake = "missing-unit-factor"

    def pseudo_likelihood(self, v):
        i = np.random.randint(0, v.shape[1], size=len(v))
        w = v.copy()
        w[np.arange(len(v)), i] = 1 - w[np.arange(len(v)), i]
        return -np.logaddexp(0, self.free_energy(v) - self.free_energy(w))


class AlwaysTheFirstUnit(_Model):
    mistake = "one-unit-flipped"

    def pseudo_likelihood(self, v):
        w = v.copy()
        w[:, 0] = 1 - w[:, 0]
        return -v.shape[1] * np.logaddexp(0, self.free_energy(v) - self.free_energy(w))


class OnlyThePositivePhase(_Model):
    mistake = "negative-phase-missing"

    def gradient(self, v):
        h = expit(self._x(v))
        return h.T @ v / len(v), v.mean(0), h.mean(0)


class AllStatesAlike(_Model):
    mistake = "states-unweighted"

    def gradient(self, v):
        x = self._all()
        h, g = expit(self._x(v)), expit(self._x(x))
        return h.T @ v / len(v) - g.T @ x / len(x), v.mean(0) - x.mean(0), h.mean(0) - g.mean(0)


class _Annealed(_Model):
    """AIS from fair coins, whatever base is asked for: its estimate of log Z needs no more."""

    def log_f(self, beta, v):
        return beta * (v @ self.a) + np.logaddexp(0, beta * self._x(v)).sum(1)

    def move(self, beta, v):
        h = np.random.rand(len(v), len(self.b)) < expit(beta * self._x(v))
        return (np.random.rand(*v.shape) < expit(beta * (h @ self.weights + self.a))).astype(float)

    def log_weights(self, betas, n_runs):
        v = np.random.binomial(1, 0.5, (n_runs, len(self.a))).astype(float)
        total = np.zeros(n_runs)
        for low, high in itertools.pairwise(betas):
            total += self.log_f(high, v) - self.log_f(low, v)
            v = self.move(high, v)
        return total

    def log_base(self):
        return (len(self.a) + len(self.b)) * np.log(2)

    def ais(self, betas, n_runs):
        return self.log_base() + logsumexp(self.log_weights(betas, n_runs)) - np.log(n_runs)


class MovesThenWeighs(_Annealed):
    mistake = "move-before-weight"

    def log_weights(self, betas, n_runs):
        v = np.random.binomial(1, 0.5, (n_runs, len(self.a))).astype(float)
        total = np.zeros(n_runs)
        for low, high in itertools.pairwise(betas):
            v = self.move(high, v)
            total += self.log_f(high, v) - self.log_f(low, v)
        return total


class SumsTheRuns(_Annealed):
    mistake = "missing-log-chains"

    def ais(self, betas, n_runs):
        return self.log_base() + logsumexp(self.log_weights(betas, n_runs))


class ForgetsTheBase(_Annealed):
    mistake = "missing-base-partition"

    def log_base(self):
        return 0.0


class AveragesLogs(_Annealed):
    mistake = "mean-of-log-weights"

    def ais(self, betas, n_runs):
        return self.log_base() + self.log_weights(betas, n_runs).mean()


class ScalesTheSoftplus(_Annealed):
    mistake = "beta-outside-softplus"

    def log_f(self, beta, v):
        return beta * (v @ self.a + np.logaddexp(0, self._x(v)).sum(1))


class ForgetsTheHiddenCoins(_Annealed):
    mistake = "base-without-hidden"

    def log_base(self):
        return len(self.a) * np.log(2)


class AddsTheEstimate(_Annealed):
    mistake = "log-partition-added"

    def ais_log_likelihood(self, v, betas, n_runs):
        return -self.free_energy(v) + self.ais(betas, n_runs)


class BoundsTheWrongWay(_Annealed):
    """A mean of log weights is low, so the likelihood comes out high."""

    mistake = "mean-of-log-weights"
    ais = None

    def ais_log_likelihood(self, v, betas, n_runs):
        return -self.free_energy(v) - self.log_base() - np.mean(self.log_weights(betas, n_runs))
