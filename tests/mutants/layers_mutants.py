"""Wrong likelihoods, bounds and criteria of layers; ``mistake`` is the finding that the audit must report."""

import itertools

import numpy as np
from exactgen.proofs_check.audit.protocol import Adapter
from scipy.special import expit, logsumexp


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def cross_entropy(x, logits):
    return np.logaddexp(0, logits) - x * logits


# --- EM


class _EM(Adapter):
    def data_incorporation(self, P_x_given_h, P_h, weights):
        joint = P_x_given_h * P_h
        return weights @ (joint / joint.sum(1, keepdims=True))


class ForgetsToDivide(_EM):
    mistake = "posterior-not-normalised"

    def data_incorporation(self, P_x_given_h, P_h, weights):
        return P_h * (weights @ P_x_given_h)


class NormalisesOnce(_EM):
    mistake = "normalised-at-the-end"

    def data_incorporation(self, P_x_given_h, P_h, weights):
        law = np.einsum("nh,h,n->h", P_x_given_h, P_h, weights)
        return law / law.sum()


class NormalisesTheWrongAxis(_EM):
    mistake = "normalised-over-data"

    def data_incorporation(self, P_x_given_h, P_h, weights):
        with np.errstate(invalid="ignore"):
            responsibilities = P_x_given_h * P_h / np.sum(P_x_given_h * P_h, axis=0)
        return weights @ np.nan_to_num(responsibilities)


class EveryRowAlike(_EM):
    mistake = "uniform-data-weights"

    def data_incorporation(self, P_x_given_h, P_h, weights):
        joint = P_x_given_h * P_h
        return np.mean(joint / joint.sum(1, keepdims=True), axis=0)


class FlatPrior(_EM):
    mistake = "old-law-dropped"

    def data_incorporation(self, P_x_given_h, P_h, weights):
        return weights @ (P_x_given_h / P_x_given_h.sum(1, keepdims=True))


class KMeans(_EM):
    mistake = "hard-assignment"

    def data_incorporation(self, P_x_given_h, P_h, weights):
        nearest = np.argmax(P_x_given_h * P_h, axis=1)
        return np.bincount(nearest, weights=weights, minlength=len(P_h))


# --- likelihoods of two layers


class _TwoLayers(Adapter):
    def conditional(self, W, b, x, h):
        return -cross_entropy(x[:, None, :], h @ W.T + b).sum(-1)

    def log_prior(self, top):
        h = states(len(top.b))
        log_f = h @ top.b + np.logaddexp(0, h @ top.W + top.c).sum(1)
        return log_f - logsumexp(log_f)


class LogsThenSums(_TwoLayers):
    mistake = "sum-outside-the-logarithm"

    def mixture_log_likelihood(self, layer, P_h, x):
        return self.conditional(*layer, x, states(layer.W.shape[1])) @ P_h


class PutsTheMeanIn(_TwoLayers):
    mistake = "hidden-means-for-sum"

    def mixture_log_likelihood(self, layer, P_h, x):
        mean = P_h @ states(layer.W.shape[1])
        return -cross_entropy(x, layer.W @ mean + layer.b).sum(1)


class CountsFromTheOtherEnd(_TwoLayers):
    mistake = "units-in-reverse"

    def mixture_log_likelihood(self, layer, P_h, x):
        n = layer.W.shape[1]
        h = np.array([[(s >> j) & 1 for j in range(n)] for s in range(2**n)], dtype=float)
        return logsumexp(self.conditional(*layer, x, h) + np.log(P_h), axis=1)


class TakesTheExponential(_TwoLayers):
    mistake = "overflow"

    def mixture_log_likelihood(self, layer, P_h, x):
        return np.log(np.exp(self.conditional(*layer, x, states(layer.W.shape[1]))) @ P_h)


class ForgetsTheTopsZ(_TwoLayers):
    mistake = "missing-top-partition"

    def two_layer_log_likelihood(self, theta, x):
        h, top = states(len(theta.top.b)), theta.top
        log_f = h @ top.b + np.logaddexp(0, h @ top.W + top.c).sum(1)
        return logsumexp(self.conditional(*theta.generative[0], x, h) + log_f, axis=1)


class GeneratesByRecognition(_TwoLayers):
    mistake = "recognition-weights-generate"

    def two_layer_log_likelihood(self, theta, x):
        h, W = states(len(theta.top.b)), theta.recognition[0].W.T
        log_p = self.conditional(W, theta.generative[0].b, x, h)
        return logsumexp(log_p + self.log_prior(theta.top), axis=1)


# --- bounds of deep belief nets


class _Bound(_TwoLayers):
    def dbn_bound(self, theta, x):
        up = theta.recognition[0]
        mean, h = expit(x @ up.W.T + up.b), states(len(theta.top.b))
        q = np.exp(-cross_entropy(h, (x @ up.W.T + up.b)[:, None, :]).sum(-1))
        entropy = cross_entropy(mean, x @ up.W.T + up.b).sum(1)
        return self.reconstruction(theta, x, q, h) + q @ self.log_prior(theta.top) + self.sign * entropy

    sign = 1

    def reconstruction(self, theta, x, q, h):
        return np.sum(q * self.conditional(*theta.generative[0], x, h), axis=1)


class NoEntropy(_Bound):
    mistake = "entropy-omitted"
    sign = 0


class EntropyTakenAway(_Bound):
    mistake = "entropy-of-wrong-sign"
    sign = -1


class DecodesTheMean(_Bound):
    mistake = "hidden-means-for-sum"

    def reconstruction(self, theta, x, q, h):
        W, b = theta.generative[0]
        return -cross_entropy(x, q @ h @ W.T + b).sum(1)


class FreeEnergyOfTheMean(_Bound):
    mistake = "prior-at-means"

    def dbn_bound(self, theta, x):
        up, top, h = theta.recognition[0], theta.top, states(len(theta.top.b))
        a = x @ up.W.T + up.b
        mean = expit(a)
        q = np.exp(-cross_entropy(h, a[:, None, :]).sum(-1))
        log_z = logsumexp(h @ top.b + np.logaddexp(0, h @ top.W + top.c).sum(1))
        prior = mean @ top.b + np.logaddexp(0, mean @ top.W + top.c).sum(1) - log_z
        return self.reconstruction(theta, x, q, h) + prior + cross_entropy(mean, a).sum(1)


# --- auto-encoders


class _Coder(Adapter):
    def code(self, theta, x):
        for layer in theta.inference[:-1]:
            x = expit(x @ layer.W + layer.b)
        return x @ theta.inference[-1].W + theta.inference[-1].b

    def log_terms(self, theta, x):
        W, b = theta.generative[0]
        h = states(len(W))
        log_q = -cross_entropy(h, self.code(theta, x)[:, None, :]).sum(-1)
        return log_q - cross_entropy(x[:, None, :], h @ W + b).sum(-1)

    def autoencoder_criterion(self, theta, x, weights):
        return weights @ (logsumexp(self.log_terms(theta, x), axis=1) + np.log(weights))


class WithoutTheDataLaw(_Coder):
    mistake = "data-factor-missing"

    def autoencoder_criterion(self, theta, x, weights):
        return weights @ logsumexp(self.log_terms(theta, x), axis=1)


class OneLogarithmForAll(_Coder):
    mistake = "logarithm-of-the-sum"

    def autoencoder_criterion(self, theta, x, weights):
        return logsumexp(self.log_terms(theta, x) + np.log(weights)[:, None])


class AddsTheRowsUp(_Coder):
    mistake = "sum-for-mean"

    def autoencoder_criterion(self, theta, x, weights):
        return len(x) * super().autoencoder_criterion(theta, x, weights)


class CallsTheMeanPassASum(_Coder):
    mistake = "hidden-means-for-sum"

    def log_sum_pass(self, theta, x):
        W, b = theta.generative[0]
        return -cross_entropy(x, expit(self.code(theta, x)) @ W + b).sum(1)


class MeanOverPixels(_Coder):
    mistake = "units-averaged"

    def log_mean_pass(self, theta, x):
        W, b = theta.generative[0]
        return -cross_entropy(x, expit(self.code(theta, x)) @ W + b).mean(1)


class SquashesTwice(_Coder):
    mistake = "sigmoid-taken-twice"

    def log_mean_pass(self, theta, x):
        W, b = theta.generative[0]
        return -cross_entropy(x, expit(expit(self.code(theta, x)) @ W + b)).sum(1)


class TiesWhatIsFree(_Coder):
    mistake = "weights-tied"

    def log_sampled_pass(self, theta, x, rng):
        h = rng.random((len(x), theta.inference[-1].b.size)) < expit(self.code(theta, x))
        return -cross_entropy(x, h @ theta.inference[-1].W.T + theta.generative[0].b).sum(1)
