"""Wrong RBMs in NumPy, as people write them; ``mistake`` is the finding that the audit must report."""
# ruff: noqa: NPY002 (as in the wild)

import numpy as np
from scipy import stats


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


class _Script:
    """The usual teaching script: module-level randomness, parameters changed in place."""

    def __init__(self, n_visible, n_hidden, learning_rate=0.1, batch_size=10):
        self.W = 0.01 * np.random.randn(n_visible, n_hidden)
        self.vbias = np.zeros(n_visible)
        self.hbias = np.zeros(n_hidden)
        self.learning_rate = learning_rate
        self.batch_size = batch_size

    def prop_up(self, v):
        return sigmoid(v @ self.W + self.hbias)

    def prop_down(self, h):
        return sigmoid(h @ self.W.T + self.vbias)

    def toss(self, p):
        return (np.random.rand(*p.shape) < p).astype(float)

    def learn(self, pos_v, pos_h, neg_v, neg_h):
        rate = self.learning_rate / len(pos_v)
        self.W += rate * (pos_v.T @ pos_h - neg_v.T @ neg_h)
        self.vbias += rate * (pos_v - neg_v).sum(0)
        self.hbias += rate * (pos_h - neg_h).sum(0)

    def train_batch(self, v0, k=1):
        h0 = self.prop_up(v0)
        v = v0
        for _ in range(k):
            v = self.toss(self.prop_down(self.toss(self.prop_up(v))))
        self.learn(v0, h0, v, self.prop_up(v))


class NegativeHiddenFromParent(_Script):
    mistake = "stale-hidden-samples"

    def train_batch(self, v0, k=1):
        h = self.toss(self.prop_up(v0))
        for step in range(k):
            v = self.toss(self.prop_down(h))
            if step < k - 1:
                h = self.toss(self.prop_up(v))
        self.learn(v0, self.prop_up(v0), v, h)


class NegativeHiddenFromData(_Script):
    mistake = "hidden-of-the-data"

    def train_batch(self, v0, k=1):
        h0, v = self.prop_up(v0), v0
        for _ in range(k):
            v = self.toss(self.prop_down(self.toss(self.prop_up(v))))
        self.learn(v0, h0, v, h0)


class ForgetsTheLoop(_Script):
    mistake = "steps-ignored"

    def train_batch(self, v0, k=10):
        v1 = self.toss(self.prop_down(self.toss(self.prop_up(v0))))
        self.learn(v0, self.prop_up(v0), v1, self.prop_up(v1))


class LoopAfterTheFirstStep(_Script):
    mistake = "one-step-too-many"

    def train_batch(self, v0, k=1):
        v = self.toss(self.prop_down(self.toss(self.prop_up(v0))))
        for _ in range(k):
            v = self.toss(self.prop_down(self.toss(self.prop_up(v))))
        self.learn(v0, self.prop_up(v0), v, self.prop_up(v))


class NothingIsDrawn(_Script):
    mistake = "means-for-samples"

    def train_batch(self, v0, k=1):
        v = v0
        for _ in range(k):
            v = self.prop_down(self.prop_up(v))
        self.learn(v0, self.prop_up(v0), v, self.prop_up(v))


class HiddenMeansDriveTheChain(_Script):
    mistake = "means-for-hidden-samples"

    def train_batch(self, v0, k=1):
        v = v0
        for _ in range(k):
            v = self.toss(self.prop_down(self.prop_up(v)))
        self.learn(v0, self.prop_up(v0), v, self.prop_up(v))


class ReconstructionOfMeans(_Script):
    mistake = "means-for-last-visible"

    def train_batch(self, v0, k=1):
        v = v0
        for _ in range(k):
            mean = self.prop_down(self.toss(self.prop_up(v)))
            v = self.toss(mean)
        self.learn(v0, self.prop_up(v0), mean, self.prop_up(mean))


class Rounds(_Script):
    mistake = "thresholded"

    def toss(self, p):
        return np.where(p > 0.5, 1.0, 0.0)


class ComparesTheWrongWay(_Script):
    mistake = "inverted-comparison"

    def toss(self, p):
        return 1.0 * (np.random.random(p.shape) > p)


class OneNumberForARow(_Script):
    mistake = "uniform-shared-by-units"

    def toss(self, p):
        return 1.0 * (np.random.uniform(size=(p.shape[0], 1)) < p)


class SeedsEveryDraw(_Script):
    mistake = "same-uniforms-for-layers"

    def toss(self, p):
        return 1.0 * (np.random.default_rng(42).random(p.shape) < p)


class SeedsEveryCall(_Script):
    mistake = "reseeded"

    def train_batch(self, v0, k=1):
        np.random.seed(1234)
        super().train_batch(v0, k)


class SharesItsNoise(_Script):
    mistake = "uniforms-shared-by-layers"

    def gibbs(self, v):
        noise = np.random.rand(len(v), max(self.W.shape))
        h = 1.0 * (noise[:, : self.W.shape[1]] < self.prop_up(v))
        return 1.0 * (noise[:, : self.W.shape[0]] < self.prop_down(h))


class SumsOverRows(_Script):
    mistake = "sum-for-mean"

    def learn(self, pos_v, pos_h, neg_v, neg_h):
        self.W += self.learning_rate * (pos_v.T @ pos_h - neg_v.T @ neg_h)
        self.vbias += self.learning_rate * np.sum(pos_v - neg_v, axis=0)
        self.hbias += self.learning_rate * np.sum(pos_h - neg_h, axis=0)


class AveragesBiasesOnly(_Script):
    mistake = "weights-summed"

    def learn(self, pos_v, pos_h, neg_v, neg_h):
        self.W += self.learning_rate * (pos_v.T @ pos_h - neg_v.T @ neg_h)
        self.vbias += self.learning_rate * np.mean(pos_v - neg_v, axis=0)
        self.hbias += self.learning_rate * np.mean(pos_h - neg_h, axis=0)


class DividesByTheUsualBatch(_Script):
    mistake = "divided-by-batch-size"

    def learn(self, pos_v, pos_h, neg_v, neg_h):
        rate = self.learning_rate / self.batch_size
        self.W += rate * (pos_v.T @ pos_h - neg_v.T @ neg_h)
        self.vbias += rate * (pos_v - neg_v).sum(0)
        self.hbias += rate * (pos_h - neg_h).sum(0)


class CrossesTheBiases(_Script):
    mistake = "swapped-bias-gradients"

    def learn(self, pos_v, pos_h, neg_v, neg_h):
        rate = self.learning_rate / len(pos_v)
        self.W = self.W + rate * (pos_v.T @ pos_h - neg_v.T @ neg_h)
        self.hbias = self.hbias + rate * (pos_v - neg_v).sum(0)
        self.vbias = self.vbias + rate * (pos_h - neg_h).sum(0)


class Descends(_Script):
    mistake = "wrong-sign"

    def learn(self, pos_v, pos_h, neg_v, neg_h):
        super().learn(neg_v, neg_h, pos_v, pos_h)


class ForgetsTheHiddenBias(_Script):
    mistake = "missing-hidden-bias"

    def prop_up(self, v):
        return sigmoid(v @ self.W)


class SpinInput(_Script):
    mistake = "doubled-input"

    def prop_up(self, v):
        return 1 / (1 + np.exp(-2 * (v @ self.W + self.hbias)))

    def prop_down(self, h):
        return 1 / (1 + np.exp(-2 * (h @ self.W.T + self.vbias)))


class NoSquashing(_Script):
    mistake = "missing-sigmoid"

    def prop_down(self, h):
        return h @ self.W.T + self.vbias


class _Persistent(_Script):
    """The same, with a persistent chain."""

    def __init__(self, n_visible, n_hidden, learning_rate=0.1, batch_size=10):
        super().__init__(n_visible, n_hidden, learning_rate, batch_size)
        self.particles = np.zeros((batch_size, n_visible))
        del self.batch_size

    train_batch = None

    def learn(self, pos_v, pos_h, neg_v, neg_h):
        self.W += self.learning_rate * (pos_v.T @ pos_h / len(pos_v) - neg_v.T @ neg_h / len(neg_v))
        self.vbias += self.learning_rate * (pos_v.mean(0) - neg_v.mean(0))
        self.hbias += self.learning_rate * (pos_h.mean(0) - neg_h.mean(0))


class StaleMeans(_Persistent):
    mistake = "stale-hidden-means"

    def pcd(self, batch, k=1):
        v = self.particles
        for _ in range(k):
            h_mean = self.prop_up(v)
            v = self.toss(self.prop_down(self.toss(h_mean)))
        self.particles = v
        self.learn(batch, self.prop_up(batch), v, h_mean)


class RestartsAtTheData(_Persistent):
    mistake = "chain-restarted-at-data"

    def pcd(self, batch, k=1):
        self.particles = batch.copy()
        for _ in range(k):
            self.particles = self.toss(self.prop_down(self.toss(self.prop_up(self.particles))))
        self.learn(batch, self.prop_up(batch), self.particles, self.prop_up(self.particles))


class ForgetsWhereItWas(_Persistent):
    mistake = "chain-not-advanced"

    def pcd(self, batch, k=1):
        v = self.particles
        for _ in range(k):
            v = self.toss(self.prop_down(self.toss(self.prop_up(v))))
        self.learn(batch, self.prop_up(batch), v, self.prop_up(v))


class KeepsTheMeans(_Persistent):
    mistake = "chain-of-means"

    def pcd(self, batch, k=1):
        v = self.particles
        for _ in range(k):
            mean = self.prop_down(self.toss(self.prop_up(v)))
            v = self.toss(mean)
        self.particles = mean
        self.learn(batch, self.prop_up(batch), v, self.prop_up(v))


class OneRateForBothPhases(_Persistent):
    mistake = "chains-weighted-by-rows"

    def pcd(self, batch, k=1):
        for _ in range(k):
            self.particles = self.toss(self.prop_down(self.toss(self.prop_up(self.particles))))
        v, rate = self.particles, self.learning_rate / batch.shape[0]
        h, h_v = self.prop_up(batch), self.prop_up(v)
        self.W += rate * (batch.T @ h - v.T @ h_v)
        self.vbias += rate * (batch.sum(0) - v.sum(0))
        self.hbias += rate * (h.sum(0) - h_v.sum(0))


class MovesTheWeightsFirst(_Script):
    mistake = "moved-in-between"

    def train_batch(self, v0, k=1):
        v = v0
        for _ in range(k):
            v = self.toss(self.prop_down(self.toss(self.prop_up(v))))
        self.W += self.learning_rate * (v0.T @ self.prop_up(v0) - v.T @ self.prop_up(v)) / len(v0)
        self.vbias += self.learning_rate * (v0 - v).mean(0)
        self.hbias += self.learning_rate * (self.prop_up(v0) - self.prop_up(v)).mean(0)


class DrawsTheComplementElsewhere(_Script):
    """Through SciPy, out of the reach of an enumeration."""

    mistake = "inverted-comparison"
    train_batch = None

    def sample_h(self, v):
        p = 1 - self.prop_up(v)
        return stats.bernoulli.rvs(p, size=p.shape)


class OneRowIsTooFew(_Script):
    mistake = "raises"

    def prop_up(self, v):
        v = np.squeeze(v)
        return sigmoid(np.array([row @ self.W + self.hbias for row in v]))
