"""Auto-encoders whose gradients are PyTorch's autograd's: the audit must find nothing."""
# ruff: noqa: N812 (as in the wild)

import itertools

import torch
import torch.nn.functional as F
from exactgen.proofs_check.audit.protocol import Adapter, Declares


def means(layers, x):
    for W, b in layers:
        x = torch.sigmoid(x @ W + b)
    return x


def log_p(x, logits):
    x, logits = torch.broadcast_tensors(x, logits)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def log_sum(up, down, x):
    """Return log sum_h P(x | h) q(h | x), q by the logits of its last layer."""
    h = torch.tensor(list(itertools.product((0.0, 1.0), repeat=len(down[0]))), dtype=x.dtype)
    code = means(up[:-1], x) @ up[-1][0] + up[-1][1]
    return torch.logsumexp(
        log_p(h, code[:, None].expand(-1, len(h), -1)) + log_p(x[:, None], h @ down[0] + down[1]), 1
    )


class Autograd(Adapter):
    """Every gradient by ``backward`` of a mean over rows; the draw passes its gradient straight through."""

    def ascend(self, theta, x, objective):
        leaves = [[torch.tensor(p, requires_grad=True) for p in layer] for layer in sum(theta, ())]
        objective(leaves[:-1], leaves[-1], torch.tensor(x)).backward()
        grads = [[p.grad for p in layer] for layer in leaves]
        return grads[:-1], grads[-1:]

    def log_mean_pass_grad(self, theta, x):
        return self.ascend(theta, x, lambda up, down, x: log_p(x, means(up, x) @ down[0] + down[1]).mean())

    def log_sampled_pass_grad(self, theta, x, rng):
        def objective(up, down, x):
            mean = means(up, x)
            h = torch.bernoulli(mean) + mean - mean.detach()
            return log_p(x, h @ down[0] + down[1]).mean()

        return self.ascend(theta, x, objective)

    def log_sum_pass_grad(self, theta, x):
        return self.ascend(theta, x, lambda up, down, x: log_sum(up, down, x).mean())

    def autoencoder_criterion_grad(self, theta, x, weights):
        w = torch.tensor(weights)
        return self.ascend(theta, x, lambda up, down, x: w @ (log_sum(up, down, x) + w.log()))


class TiedAutograd(Adapter):
    """Tied weights, loss summed over the rows as declared, its gradient turned round; values as tensors."""

    declares = Declares(tied_weights="yes", reduction="sum")

    def log_mean_pass(self, theta, x):
        W, b, c = (torch.tensor(p, requires_grad=True) for p in theta)
        x = torch.tensor(x)
        return log_p(x, torch.sigmoid(x @ W + c) @ W.T + b)

    def descend(self, theta, x, values):
        W, b, c = leaves = [torch.tensor(p, requires_grad=True) for p in theta]
        loss = -values([(W, c)], (W.T, b), torch.tensor(x)).sum()
        return [-g for g in torch.autograd.grad(loss, leaves)]

    def log_mean_pass_grad(self, theta, x):
        return self.descend(theta, x, lambda up, down, x: log_p(x, means(up, x) @ down[0] + down[1]))

    def log_sum_pass_grad(self, theta, x):
        return self.descend(theta, x, log_sum)
