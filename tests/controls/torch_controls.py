"""Unusual RBMs in PyTorch that are right: the audit must find nothing."""
# ruff: noqa: N812 (as in the wild)

import torch
import torch.nn.functional as F
from torch import nn


class AutogradOfFreeEnergies(nn.Module):
    """Single precision; the update is autograd's of a difference of free energies, with momentum and decay
    off."""

    def __init__(self, n_vis, n_hid, lr=0.1, momentum=0.9, weight_decay=1e-4):
        super().__init__()
        self.W = nn.Parameter(torch.randn(n_hid, n_vis) * 1e-2)
        self.v_bias = nn.Parameter(torch.zeros(n_vis))
        self.h_bias = nn.Parameter(torch.zeros(n_hid))
        self.optimizer = torch.optim.SGD(
            self.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay
        )

    def v_to_h(self, v):
        p = torch.sigmoid(F.linear(v, self.W, self.h_bias))
        return p, F.relu(torch.sign(p - torch.rand(p.size())))

    def h_to_v(self, h):
        p = torch.sigmoid(F.linear(h, self.W.t(), self.v_bias))
        return p, torch.distributions.Bernoulli(probs=p).sample()

    def free_energy(self, v):
        return -v.mv(self.v_bias) - F.softplus(F.linear(v, self.W, self.h_bias)).sum(1)

    def train_step(self, v, k=1):
        v_k = v
        for _ in range(k):
            v_k = self.h_to_v(self.v_to_h(v_k)[1])[1]
        loss = self.free_energy(v).mean() - self.free_energy(v_k.detach()).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


class DoublePrecision:
    """Plain tensors in double precision; draws in place, and a persistent chain passed in and out."""

    def __init__(self, nv, nh):
        self.weights = torch.zeros(nv, nh, dtype=torch.float64)
        self.a, self.b = torch.zeros(nv, dtype=torch.float64), torch.zeros(nh, dtype=torch.float64)

    def hidden_probs(self, v):
        return torch.sigmoid(v @ self.weights + self.b)

    def pcd(self, v, chain, steps):
        for _ in range(steps):
            h = torch.empty(len(chain), len(self.b), dtype=torch.float64).bernoulli_(self.hidden_probs(chain))
            chain = (torch.rand_like(chain) < torch.sigmoid(h @ self.weights.T + self.a)).to(chain.dtype)
        p, q = self.hidden_probs(v), self.hidden_probs(chain)
        grads = (
            v.T @ p / len(v) - chain.T @ q / len(chain),
            v.mean(0) - chain.mean(0),
            p.mean(0) - q.mean(0),
        )
        return grads, chain
