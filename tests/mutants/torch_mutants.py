"""Wrong RBMs in PyTorch, as people write them; ``mistake`` is the finding that the audit must report."""
# ruff: noqa: N812 (as in the wild)

import torch
import torch.nn.functional as F
from torch import nn


class _Module(nn.Module):
    def __init__(self, n_vis, n_hid, lr=0.1):
        super().__init__()
        self.W = nn.Parameter(torch.randn(n_hid, n_vis) * 1e-2)
        self.v_bias = nn.Parameter(torch.zeros(n_vis))
        self.h_bias = nn.Parameter(torch.zeros(n_hid))
        self.optimizer = torch.optim.SGD(self.parameters(), lr=lr)

    def v_to_h(self, v):
        p = torch.sigmoid(F.linear(v, self.W, self.h_bias))
        return p, F.relu(torch.sign(p - torch.rand(p.size())))

    def h_to_v(self, h):
        p = torch.sigmoid(F.linear(h, self.W.t(), self.v_bias))
        return p, F.relu(torch.sign(p - torch.rand(p.size())))

    def free_energy(self, v):
        return -v.mv(self.v_bias) - F.softplus(F.linear(v, self.W, self.h_bias)).sum(1)

    def descend(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def chain(self, v, k):
        for _ in range(k):
            v = self.h_to_v(self.v_to_h(v)[1])[1]
        return v.detach()


class LossOfTheWrongSign(_Module):
    mistake = "wrong-sign"

    def train_step(self, v, k=1):
        v_k = self.chain(v, k)
        self.descend(self.free_energy(v_k).mean() - self.free_energy(v).mean())


class LossSummed(_Module):
    mistake = "sum-for-mean"

    def train_step(self, v, k=1):
        v_k = self.chain(v, k)
        self.descend(self.free_energy(v).sum() - self.free_energy(v_k).sum())


class FrozenVisibleBias(_Module):
    mistake = "visible-bias-not-updated"

    def __init__(self, n_vis, n_hid, lr=0.1):
        super().__init__(n_vis, n_hid, lr)
        self.optimizer = torch.optim.SGD([self.W, self.h_bias], lr=lr)

    def train_step(self, v, k=1):
        v_k = self.chain(v, k)
        self.descend(self.free_energy(v).mean() - self.free_energy(v_k).mean())


class MeansFromBernoulli(_Module):
    mistake = "means-for-visible-samples"

    def h_to_v(self, h):
        p = torch.sigmoid(F.linear(h, self.W.t(), self.v_bias))
        return p, p

    def v_to_h(self, v):
        p = torch.sigmoid(F.linear(v, self.W, self.h_bias))
        return p, torch.bernoulli(p)

    def train_step(self, v, k=1):
        v_k = self.chain(v, k)
        self.descend(self.free_energy(v).mean() - self.free_energy(v_k).mean())


class SigmoidThenLog(_Module):
    mistake = "log-sigmoid-for-softplus"

    def free_energy(self, v):
        return -v.mv(self.v_bias) - F.logsigmoid(F.linear(v, self.W, self.h_bias)).sum(1)
