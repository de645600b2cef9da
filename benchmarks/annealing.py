"""Annealed importance sampling, 10,000 temperatures, 100 chains, 784 x 500: steps per second beside PyTorch.

    python benchmarks/annealing.py [--quick | --full]

A step weighs the chains and moves them at one temperature.  By default 300 of the temperatures are run,
evenly spread over the path, as every step costs the same; ``--full`` runs all.  The PyTorch loop does the
same arithmetic, written as one would by hand: each product made once per temperature.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import _timing as timing  # first: pins the threads
import numpy as np
from exactgen.reference.boltzmann.annealing import ais, log_partition_below
from exactgen.reference.boltzmann.rbm import RBM

VISIBLE, HIDDEN, CHAINS, TEMPERATURES = 784, 500, 100, 10_000


def problem(dtype: str) -> tuple[RBM, np.ndarray]:
    rng = np.random.default_rng(0)
    theta = RBM(
        0.05 * rng.standard_normal((VISIBLE, HIDDEN)), rng.standard_normal(VISIBLE) - 1, np.zeros(HIDDEN)
    )
    return RBM(*(x.astype(dtype) for x in theta)), np.full(VISIBLE, -1.0, dtype)


def ours(theta: RBM, base: np.ndarray, betas: list[float]) -> Callable[[], float]:
    def run() -> float:
        return float(log_partition_below(ais(theta, base, betas=betas, chains=CHAINS, rng=0)).log_partition)

    return run


def torch_loop(theta: RBM, base_biases: np.ndarray, betas: list[float]) -> Callable[[], float]:
    import torch
    from torch.nn.functional import linear, softplus

    W, b, c, base = (torch.from_numpy(x.copy()) for x in (theta.W.T, theta.b, theta.c, base_biases))

    def log_density(v, x, beta):
        return v @ ((1 - beta) * base + beta * b) + softplus(beta * x).sum(1)

    @torch.no_grad()
    def run() -> float:
        v = torch.bernoulli(torch.sigmoid(base).expand(CHAINS, VISIBLE))
        log_w = torch.zeros(CHAINS, dtype=W.dtype)
        for low, high in pairwise(betas):
            x = linear(v, W, c)
            log_w += log_density(v, x, high) - log_density(v, x, low)
            if high < 1:
                h = torch.bernoulli(torch.sigmoid(high * x))
                v = torch.bernoulli(torch.sigmoid(high * linear(h, W.T, b) + (1 - high) * base))
        log_z_base = HIDDEN * np.log(2) + softplus(base).sum()
        return float(log_z_base + torch.logsumexp(log_w, 0) - np.log(CHAINS))

    return run


def contestants(dtype: str, betas: list[float]) -> list[timing.Contestant]:
    """Return who runs; operations count the two products of a step, bytes their passes over the couplings."""
    theta, base = problem(dtype)
    steps = len(betas) - 1
    flops, size = 4.0 * CHAINS * VISIBLE * HIDDEN * steps, 2.0 * VISIBLE * HIDDEN * steps * base.itemsize
    entries = [timing.Contestant("exactgen", ours(theta, base, betas), flops, size)]
    if timing.peer("torch") is None:
        return [*entries, timing.Contestant("PyTorch loop", None, note="torch is not installed")]
    return [*entries, timing.Contestant("PyTorch loop", torch_loop(theta, base, betas), flops, size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="50 temperatures, written nowhere")
    size.add_argument("--full", action="store_true", help="all 10,000 temperatures, one round")
    options = parser.parse_args()
    temperatures = 50 if options.quick else TEMPERATURES if options.full else 300
    betas = [float(beta) for beta in np.linspace(0, 1, temperatures + 1)]
    tables, rates, estimates = {}, {}, {}
    for dtype in ("float32", "float64"):
        what = f"AIS, {temperatures} steps, {CHAINS} chains, {VISIBLE} x {HIDDEN}"
        title = f"{what}, {dtype}, {timing.THREADS} thread(s)"
        entries = contestants(dtype, betas)
        rounds = 1 if options.full else 3 if options.quick else 7
        tables[title] = timing.race(entries, rounds=rounds, gemm_rate=timing.gemm_rate(dtype))
        timing.show(title, tables[title])
        rates[title] = {t.name: temperatures / t.median for t in tables[title] if t.median is not None}
        estimates[title] = {e.name: e.run() for e in entries if e.run is not None}
        for name, rate in rates[title].items():
            value = estimates[title][name]
            print(f"  {name}: {rate:.1f} steps/s, 10,000 in {TEMPERATURES / rate:.0f} s; log Z {value:.2f}")
    if not options.quick:
        timing.record(
            Path(__file__).stem,
            tables,
            packages=("numpy", "torch"),
            steps_per_second=rates,
            log_partition=estimates,
        )


if __name__ == "__main__":
    main()
