"""Wrong gradients of auto-encoders by PyTorch's autograd; ``mistake`` is what the audit must report."""
# ruff: noqa: N812 (as in the wild)

import torch
import torch.nn.functional as F
from exactgen.proofs_check.audit.protocol import Adapter, Declares


def leaf(x):
    return torch.tensor(x, requires_grad=True)


class _Autograd(Adapter):
    def logits(self, up, down, x):
        for W, b in up:
            x = torch.sigmoid(x @ W + b)
        return x @ down[0] + down[1]

    def loss(self, logits, x):
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)

    def log_mean_pass_grad(self, theta, x):
        up = [(leaf(W), leaf(b)) for W, b in theta.inference]
        down = tuple(leaf(part) for part in theta.generative[0])
        x = torch.tensor(x)
        (-self.loss(self.logits(up, down, x), x)).backward()
        grads = [tuple(p.new_zeros(p.shape) if p.grad is None else p.grad for p in layer) for layer in up]
        return grads, [tuple(p.grad for p in down)]


class DefaultReduction(_Autograd):
    mistake = "units-averaged"

    def loss(self, logits, x):
        return F.binary_cross_entropy_with_logits(logits, x)


class SummedLoss(_Autograd):
    mistake = "sum-for-mean"

    def loss(self, logits, x):
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum")


class ProbabilitiesAsLogits(_Autograd):
    mistake = "sigmoid-taken-twice"

    def loss(self, logits, x):
        return super().loss(torch.sigmoid(logits), x)


class MeanSquares(_Autograd):
    mistake = "squared-error"

    def loss(self, logits, x):
        return (torch.sigmoid(logits) - x).square().sum() / len(x)


class MaximisesTheLoss(_Autograd):
    mistake = "wrong-sign"

    def loss(self, logits, x):
        return -super().loss(logits, x)


class DetachesTheCode(_Autograd):
    mistake = "gradient-stops-at-hidden"

    def logits(self, up, down, x):
        for W, b in up:
            x = torch.sigmoid(x @ W + b)
        return x.detach() @ down[0] + down[1]


class DetachesBelowTheCode(_Autograd):
    mistake = "gradient-stops-below-hidden"

    def logits(self, up, down, x):
        for W, b in up:
            x = torch.sigmoid(x.detach() @ W + b)
        return x @ down[0] + down[1]


class DetachesTheTranspose(Adapter):
    mistake = "inference-use-only"
    declares = Declares(tied_weights="yes")

    def log_mean_pass_grad(self, theta, x):
        W, b, c = map(leaf, theta)
        x = torch.tensor(x)
        logits = torch.sigmoid(x @ W + c) @ W.t().detach() + b
        (-F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)).backward()
        return W.grad, b.grad, c.grad
