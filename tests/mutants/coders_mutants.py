"""Wrong gradients of auto-encoders; ``mistake`` is the finding that the audit must report."""

import itertools

import numpy as np
from exactgen.proofs_check.audit.protocol import Adapter, Declares


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# --- backpropagation through means


class _Backprop(Adapter):
    def delta_out(self, x, y):
        return (x - y) / len(x)

    def dsigmoid(self, y):
        return y * (1 - y)

    def into_layer(self, k, codes, delta):
        return delta

    def bias(self, k, codes, delta):
        return delta.sum(0)

    def back(self, layers, k):
        return layers[k].W.T

    def log_mean_pass_grad(self, theta, x):
        layers, codes = [*theta.inference, *theta.generative], len(theta.inference)
        acts = [x]
        for W, b in layers:
            acts.append(sigmoid(acts[-1] @ W + b))
        delta, grads = self.delta_out(x, acts[-1]), []
        for k in reversed(range(len(layers))):
            delta = self.into_layer(k, codes, delta)
            grads.insert(0, (acts[k].T @ delta, self.bias(k, codes, delta)))
            delta = delta @ self.back(layers, k) * self.dsigmoid(acts[k])
        return grads[:codes], grads[codes:]


class SumsTheRows(_Backprop):
    mistake = "sum-for-mean"

    def delta_out(self, x, y):
        return x - y


class DividesAgain(_Backprop):
    mistake = "divided-twice"

    def delta_out(self, x, y):
        return (x - y) / len(x) ** 2


class DescendsTheLoss(_Backprop):
    mistake = "wrong-sign"

    def delta_out(self, x, y):
        return (y - x) / len(x)


class DeltaOfTheSquaredError(_Backprop):
    mistake = "output-slope-included"

    def delta_out(self, x, y):
        return (x - y) * y * (1 - y) / len(x)


class TrainsBySquares(_Backprop):
    mistake = "squared-error"

    def delta_out(self, x, y):
        return 2 * (x - y) * y * (1 - y) / len(x)


class OnesAlone(_Backprop):
    mistake = "zeros-ignored"

    def delta_out(self, x, y):
        return x * (1 - y) / len(x)


class PixelsAveraged(_Backprop):
    mistake = "units-averaged"

    def delta_out(self, x, y):
        return (x - y) / x.size


class ForgetsTheSlope(_Backprop):
    mistake = "hidden-slope-missing"

    def dsigmoid(self, y):
        return 1


class SlopeTwice(_Backprop):
    mistake = "hidden-slope-doubled"

    def dsigmoid(self, y):
        return (y - y**2) ** 2


class SlopeOfTheOutput(_Backprop):
    mistake = "slope-of-activations"

    def dsigmoid(self, y):
        return sigmoid(y) * (1 - sigmoid(y))


class FreezesTheEncoder(_Backprop):
    mistake = "gradient-stops-at-hidden"

    def into_layer(self, k, codes, delta):
        return delta if k >= codes else np.zeros_like(delta)


class TrainsTheCodeOnly(_Backprop):
    mistake = "gradient-stops-below-hidden"

    def into_layer(self, k, codes, delta):
        return delta if k >= codes - 1 else np.zeros_like(delta)


class NoBiases(_Backprop):
    mistake = "biases-not-updated"

    def bias(self, k, codes, delta):
        return np.zeros(delta.shape[1])


class NoBiasesUp(_Backprop):
    mistake = "inference-bias-not-updated"

    def bias(self, k, codes, delta):
        return delta.sum(0) * (k >= codes)


class NoBiasDown(_Backprop):
    mistake = "generative-bias-not-updated"

    def bias(self, k, codes, delta):
        return delta.sum(0) * (k < codes)


class BiasesOverAllRows(_Backprop):
    mistake = "biases-summed"

    def bias(self, k, codes, delta):
        return len(delta) * delta.sum(0)


class BackByTheEncoder(_Backprop):
    mistake = "errors-through-inference-weights"

    def back(self, layers, k):
        return layers[-2].W if k == len(layers) - 1 else layers[k].W.T


# --- tied weights


class _Tied(Adapter):
    declares = Declares(tied_weights="yes")

    def uses(self, up, down):
        return up + down

    def log_mean_pass_grad(self, theta, x):
        W, b, c = theta
        h = sigmoid(x @ W + c)
        delta = (x - sigmoid(h @ W.T + b)) / len(x)
        below = (delta @ W) * h * (1 - h)
        return self.uses(x.T @ below, delta.T @ h), delta.sum(0), below.sum(0)


class DecoderOnly(_Tied):
    mistake = "generative-use-only"

    def uses(self, up, down):
        return down


class EncoderOnly(_Tied):
    mistake = "inference-use-only"

    def uses(self, up, down):
        return up


class MeanOfBothUses(_Tied):
    mistake = "uses-averaged"

    def uses(self, up, down):
        return (up + down) / 2


class CodeHeldConstant(_Tied):
    mistake = "gradient-stops-at-hidden"

    def log_mean_pass_grad(self, theta, x):
        h = sigmoid(x @ theta.W + theta.c)
        delta = (x - sigmoid(h @ theta.W.T + theta.b)) / len(x)
        return delta.T @ h, delta.sum(0), np.zeros_like(theta.c)


# --- the sum over h


class _Summed(Adapter):
    """One row and one state at a time, with shares of rows and of states."""

    def shares(self, joint, q):
        return joint / joint.sum()

    def code_error(self, h, m, share):
        return share * (h - m)

    def row_weights(self, weights, values):
        return weights

    def log_sum_pass_grad(self, theta, x):
        return self.autoencoder_criterion_grad(theta, x, np.full(len(x), 1 / len(x)))

    def autoencoder_criterion_grad(self, theta, x, weights):
        (W, b), up = theta.generative[0], theta.inference
        h = np.array(list(itertools.product([0.0, 1.0], repeat=len(W))))
        y = sigmoid(h @ W + b)
        acts = [x]
        for layer in up:
            acts.append(sigmoid(acts[-1] @ layer.W + layer.b))
        q = np.array([[np.prod(np.where(s == 1, m, 1 - m)) for s in h] for m in acts[-1]])
        given = np.array([[np.prod(np.where(row == 1, p, 1 - p)) for p in y] for row in x])
        rows = self.row_weights(weights, (q * given).sum(1))
        grads = [[0 * layer.W, 0 * layer.b] for layer in (*up, theta.generative[0])]
        for n, row in enumerate(x):
            share = rows[n] * self.shares(q[n] * given[n], q[n])
            delta = np.zeros(len(W))
            for s, state in enumerate(h):
                delta += self.code_error(state, acts[-1][n], share[s])
                grads[-1][0] += share[s] * np.outer(state, row - y[s])
                grads[-1][1] += share[s] * (row - y[s])
            for k in reversed(range(len(up))):
                grads[k][0] += np.outer(acts[k][n], delta)
                grads[k][1] += delta
                delta = up[k].W @ delta * acts[k][n] * (1 - acts[k][n])
        return grads[:-1], grads[-1:]


class WeighsByInference(_Summed):
    mistake = "inference-for-posterior"

    def shares(self, joint, q):
        return q


class NoLogarithm(_Summed):
    mistake = "logarithm-missing"

    def shares(self, joint, q):
        return joint


class BestStateOnly(_Summed):
    mistake = "best-state-for-sum"

    def shares(self, joint, q):
        return (np.arange(len(joint)) == joint.argmax()).astype(float)


class NormaliserForgotten(_Summed):
    mistake = "law-of-inference-normalised-late"

    def code_error(self, h, m, share):
        return share * h


class SlopeAtTheCode(_Summed):
    mistake = "code-slope-included"

    def code_error(self, h, m, share):
        return share * (h - m) * m * (1 - m)


class MeansInside(_Backprop):
    mistake = "hidden-means-for-sum"
    log_sum_pass_grad = _Backprop.log_mean_pass_grad


class EveryRowTheSame(_Summed):
    mistake = "uniform-data-weights"

    def row_weights(self, weights, values):
        return np.full(len(weights), 1 / len(weights))


class LogarithmOfAll(_Summed):
    mistake = "logarithm-of-the-sum"

    def row_weights(self, weights, values):
        return weights * values / (weights @ values)


class DataLawTwice(_Summed):
    mistake = "data-factor-outside"

    def row_weights(self, weights, values):
        return weights**2


class AddsTheCriterionUp(_Summed):
    mistake = "sum-for-mean"

    def row_weights(self, weights, values):
        return len(weights) * weights


# --- draws


class _Drawn(Adapter):
    def draw(self, rng, p):
        return (rng.random(p.shape) < p).astype(float)

    through = 1

    def log_sampled_pass_grad(self, theta, x, rng):
        acts, (down,) = [x], theta.generative
        for layer in theta.inference:
            acts.append(sigmoid(acts[-1] @ layer.W + layer.b))
        h = self.draw(rng, acts[-1])
        delta = (x - sigmoid(h @ down.W + down.b)) / len(x)
        below, grads = self.through * (delta @ down.W.T) * acts[-1] * (1 - acts[-1]), []
        for k in reversed(range(len(theta.inference))):
            grads.insert(0, (acts[k].T @ below, below.sum(0)))
            below = below @ theta.inference[k].W.T * acts[k] * (1 - acts[k])
        return grads, [(h.T @ delta, delta.sum(0))]


class CallsMeansDraws(_Drawn):
    mistake = "means-for-samples"

    def draw(self, rng, p):
        return p


class RoundsItsCode(_Drawn):
    mistake = "thresholded"

    def draw(self, rng, p):
        return (p > 0.5).astype(float)


class DrawsTheComplement(_Drawn):
    mistake = "inverted-comparison"

    def draw(self, rng, p):
        return (rng.random(p.shape) > p).astype(float)


class StopsAtTheDraw(_Drawn):
    mistake = "gradient-stops-at-hidden"
    through = 0
