"""Wrong deep belief nets with several directed layers; ``mistake`` is what the audit must report."""

import itertools

import numpy as np
from exactgen.proofs_check.audit.protocol import Adapter


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def log_bits(x, a):
    return (x * a - np.logaddexp(0, a)).sum(-1)


class _Net(Adapter):
    """A net by tables from one hidden layer to the next."""

    def layers(self, theta):
        return [(layer.W.T, layer.b) for layer in theta.generative]

    def top(self, theta):
        return theta.top

    def log_z(self, theta):
        top, g = self.top(theta), states(len(theta.top.c))
        pairs = [h @ top.W @ g.T + h @ top.b + g @ top.c for h in states(len(top.b))]
        return np.log(np.sum(np.exp(pairs)))

    def log_prior(self, theta, h):
        top, g = self.top(theta), states(len(theta.top.c))
        terms = h @ top.W @ g.T + (h @ top.b)[:, None] + g @ top.c
        return np.log(np.exp(terms).sum(1)) - self.log_z(theta)

    def deep_log_joint(self, theta, layers):
        top, (*_, h, g) = self.top(theta), layers
        total = np.sum((h @ top.W) * g, 1) + h @ top.b + g @ top.c - self.log_z(theta)
        for (W, b), below, above in zip(self.layers(theta), layers, layers[1:], strict=False):
            total = total + log_bits(below, above @ W + b)
        return total

    def deep_log_likelihood(self, theta, x):
        pairs = self.layers(theta)
        log_law = self.log_prior(theta, states(len(pairs[-1][0])))
        for k in range(len(pairs) - 1, -1, -1):
            W, b = pairs[k]
            below = states(len(b)) if k else x
            log_p = log_bits(below[:, None], states(len(W)) @ W + b)
            log_law = np.log(np.exp(log_p + log_law).sum(1))
        return log_law

    def recognise(self, theta, k, below):
        up = theta.recognition[k]
        return below @ up.W.T + up.b

    entropies = slice(None)

    def deep_bound(self, theta, x):
        law, below, total, entropies = np.eye(len(x)), x, 0.0, []
        for k, (W, b) in enumerate(self.layers(theta)):
            h = states(len(W))
            log_q = log_bits(h, self.recognise(theta, k, below)[:, None])
            log_p = log_bits(below[:, None], h @ W + b)
            total = total + law @ np.sum(np.exp(log_q) * log_p, 1)
            entropies.append(-law @ np.sum(np.exp(log_q) * log_q, 1))
            law, below = law @ np.exp(log_q), h
        return total + law @ self.log_prior(theta, below) + sum(entropies[self.entropies])


class FromTheWrongEnd(_Net):
    mistake = "layers-in-reverse"

    def layers(self, theta):
        return [(layer.W.T, layer.b) for layer in reversed(theta.generative)]

    deep_bound = None


class NotTransposed(_Net):
    mistake = "transposed-weights"

    def layers(self, theta):
        return [(layer.W, layer.b) for layer in theta.generative]


class NotTransposedUpwards(_Net):
    mistake = "transposed-weights"

    def recognise(self, theta, k, below):
        return below @ theta.recognition[k].W + theta.recognition[k].b


class TopOnItsHead(_Net):
    mistake = "top-weights-transposed"

    def top(self, theta):
        return theta.top._replace(W=theta.top.W.T)


class BiasOfBothMachines(_Net):
    mistake = "top-bias-counted-twice"

    def log_prior(self, theta, h):
        return super().log_prior(theta, h) + h @ theta.top.b

    def deep_log_joint(self, theta, layers):
        return super().deep_log_joint(theta, layers) + layers[-2] @ theta.top.b


class BiasTwiceInZToo(_Net):
    mistake = "top-bias-counted-twice"

    def top(self, theta):
        return theta.top._replace(b=theta.top.b + theta.top.b)


class BiasesOfTheMachineBelow(_Net):
    mistake = "recognition-biases-generate"

    def layers(self, theta):
        biases = [theta.generative[0].b, *(layer.b for layer in theta.recognition[:-1])]
        return [(layer.W.T, b) for layer, b in zip(theta.generative, biases, strict=True)]


class JointWithoutZ(_Net):
    mistake = "missing-top-partition"

    def log_z(self, theta):
        return 0.0


class EntropyOfTheFirst(_Net):
    mistake = "entropy-of-upper-layers-omitted"
    entropies = slice(1)


class EntropyOfTheRest(_Net):
    mistake = "entropy-of-first-layer-omitted"

    def deep_bound(self, theta, x):
        self.entropies = slice(len(theta.generative) > 1, None)
        return super().deep_bound(theta, x)


class NoEntropyAtAll(_Net):
    mistake = "entropy-omitted"
    entropies = slice(0)


class CallsTheBoundExact(_Net):
    mistake = "bound-for-likelihood"
    deep_log_likelihood = _Net.deep_bound


class MeansUpwards(_Net):
    mistake = "recognition-by-means"

    def deep_bound(self, theta, x):
        law, below, mean, total = np.eye(len(x)), x, x, 0.0
        for k, (W, b) in enumerate(self.layers(theta)):
            a, h = self.recognise(theta, k, mean), states(len(W))
            q = np.exp(log_bits(h, a[:, None]))
            given = np.einsum("nb,bs,ns->n", law, log_bits(below[:, None], h @ W + b), q)
            total = total + given - np.sum(q * log_bits(h, a[:, None]), 1)
            law, below, mean = q, h, 1 / (1 + np.exp(-a))
        return total + law @ self.log_prior(theta, below)
