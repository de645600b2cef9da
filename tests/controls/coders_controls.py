"""Unusual auto-encoders, and belief nets of several layers, that are right: the audit must find nothing."""

import itertools
import math

import numpy as np
from exactgen.proofs_check.audit.protocol import Adapter, Declares
from scipy.special import entr, expit, log_expit, logsumexp


def bits(n):
    return list(itertools.product((0.0, 1.0), repeat=n))


class OneRowAtATime(Adapter):
    """Gradients added up row by row, by outer products, and divided by their number at the end."""

    def log_mean_pass_grad(self, theta, x):
        return self.mean(theta, x, lambda p: p)

    def log_sampled_pass_grad(self, theta, x, rng):
        return self.mean(theta, x, lambda p: rng.binomial(1, p))

    def mean(self, theta, x, code):
        layers = [*theta.inference, *theta.generative]
        grads = [[np.zeros_like(W), np.zeros_like(b)] for W, b in layers]
        for row in x:
            outs = [row]
            for W, b in theta.inference:
                outs.append(expit(W.T @ outs[-1] + b))
            taken = [*outs[:-1], code(outs[-1])]  # what the layer above is given
            delta = row - expit(theta.generative[0].W.T @ taken[-1] + theta.generative[0].b)
            for k in range(len(layers) - 1, -1, -1):
                grads[k][0] += np.outer(taken[k], delta) / len(x)
                grads[k][1] += delta / len(x)
                delta = (layers[k].W @ delta) * outs[k] * (1 - outs[k])
        return grads[:-1], [grads[-1]]


class ComplexSteps(Adapter):
    """Gradients of the sums over rows, as declared, without any derivative: f(theta + i s) / s."""

    declares = Declares(reduction="sum")

    def value(self, arrays, x, weights):
        *up, (W, b) = zip(arrays[::2], arrays[1::2], strict=True)
        total = 0
        for row, weight in zip(x, weights, strict=True):
            q = row
            for V, a in up:
                q = 1 / (1 + np.exp(-(q @ V + a)))
            terms = 0
            for h in bits(len(W)):
                p = 1 / (1 + np.exp(-(np.array(h) @ W + b)))
                terms += np.prod(np.where(h, q, 1 - q)) * np.prod(np.where(row, p, 1 - p))
            total += len(x) * weight * np.log(terms)
        return total

    def autoencoder_criterion_grad(self, theta, x, weights):
        arrays = [
            np.asarray(a, dtype=complex) for layer in (*theta.inference, *theta.generative) for a in layer
        ]
        grads = []
        for array in arrays:
            grad = np.zeros(array.shape)
            for at in np.ndindex(*array.shape):
                array[at] += 1e-40j
                grad[at] = self.value(arrays, x, weights).imag / 1e-40
                array[at] -= 1e-40j
            grads.append(grad)
        layers = list(zip(grads[::2], grads[1::2], strict=True))
        return layers[:-1], layers[-1:]


class OneMatrix(Adapter):
    """Tied weights: what is offered of one matrix, its two uses in one product."""

    declares = Declares(tied_weights="yes")

    def log_mean_pass(self, theta, x):
        a = expit(x @ theta.W + theta.c) @ theta.W.T + theta.b
        return log_expit((2 * x - 1) * a).sum(1)

    def log_sum_pass(self, theta, x):
        q, rows = expit(x @ theta.W + theta.c), []
        for row, mean in zip(x, q, strict=True):
            terms = []
            for h in bits(len(theta.c)):
                a = theta.W @ h + theta.b
                terms.append(
                    np.log(np.where(h, mean, 1 - mean)).sum() + log_expit(np.where(row, a, -a)).sum()
                )
            rows.append(logsumexp(terms))
        return rows  # a list will do

    def log_mean_pass_grad(self, theta, x):
        W, b, c = theta
        h = expit(x @ W + c)
        miss = x - expit(h @ W.T + b)
        back = h * (1 - h) * (miss @ W)
        both = np.vstack([x, miss]).T @ np.vstack([back, h])
        return [both / len(x), miss.mean(0), back.mean(0)]


class JointTable(Adapter):
    """A net of any depth by the table of all its units, in plain loops; the bound from the table of q."""

    def log_p(self, theta, layers):
        """Return the logarithm of the joint, but for log Z."""
        *_, h, g = layers
        total = h @ theta.top.W @ g + theta.top.b @ h + theta.top.c @ g
        for k, (W, b) in enumerate(theta.generative):
            total += log_expit((2 * layers[k] - 1) * (W @ layers[k + 1] + b)).sum()
        return total

    def log_z(self, top):
        pairs = itertools.product(bits(len(top.b)), bits(len(top.c)))
        return math.log(sum(math.exp(top.b @ h + top.c @ g + h @ top.W @ g) for h, g in pairs))

    def deep_log_joint(self, theta, layers):
        joint = [self.log_p(theta, rows) for rows in zip(*layers, strict=True)]
        return np.array(joint) - self.log_z(theta.top)

    def deep_log_likelihood(self, theta, x):
        sizes = [len(layer.b) for layer in theta.recognition] + [len(theta.top.c)]
        every = [[np.array(s) for s in bits(n)] for n in sizes]
        sums = [logsumexp([self.log_p(theta, (v, *hs)) for hs in itertools.product(*every)]) for v in x]
        return np.array(sums) - self.log_z(theta.top)

    def deep_bound(self, theta, x):
        every = [[np.array(s) for s in bits(len(layer.b))] for layer in theta.recognition]
        bound = np.zeros(len(x))
        for n, v in enumerate(x):
            for hs in itertools.product(*every):
                log_q = sum(
                    log_expit((2 * h - 1) * (up.W @ below + up.b)).sum()
                    for up, below, h in zip(theta.recognition, (v, *hs), hs, strict=False)
                )
                tops = [self.log_p(theta, (v, *hs, np.array(g))) for g in bits(len(theta.top.c))]
                bound[n] += math.exp(log_q) * logsumexp(tops) + entr(math.exp(log_q))
        return bound - self.log_z(theta.top)
