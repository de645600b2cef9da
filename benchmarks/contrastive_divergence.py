"""One epoch of CD-1 and of PCD-1, 784 x 500, batches of 100: ours, PyTorch, scikit-learn, `rbms`.

    python benchmarks/contrastive_divergence.py [--quick]

Ours is ``fit`` with ``cd_step`` or ``pcd_step`` and ``sgd``, checks of input included.  The PyTorch loop is
what one would write by hand: ``linear``, ``bernoulli``, updates in place.  scikit-learn knows PCD only, and
keeps the hidden units of its chains, which saves one product.  Then, for one step, where the time goes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import _timing as timing  # first: pins the threads
import numpy as np
from exactgen.backends.streams import native
from exactgen.reference.boltzmann.contrastive import cd_step, pcd_step
from exactgen.reference.boltzmann.rbm import RBM, check_rbm, check_visible
from exactgen.reference.numerics import sigmoid
from exactgen.reference.optimizers import sgd
from exactgen.reference.training.fit import begin, fit

VISIBLE, HIDDEN, BATCH, RATE = 784, 500, 100, 0.01
TARGETS = {"PyTorch loop": 1.4, "scikit-learn BernoulliRBM": 1.5, "rbms (PyTorch)": 2.0}


def problem(rows: int, dtype: str) -> tuple[RBM, np.ndarray]:
    rng = np.random.default_rng(0)
    W = 0.05 * rng.standard_normal((VISIBLE, HIDDEN))
    theta = RBM(W.astype(dtype), np.zeros(VISIBLE, dtype), np.zeros(HIDDEN, dtype))
    return theta, (rng.random((rows, VISIBLE)) < 0.3).astype(dtype)


def ours(theta: RBM, data: np.ndarray, method: str) -> Callable[[], object]:
    def cd(theta, v, memory, stream):
        return cd_step(theta, v, k=1, rng=stream)[0], memory

    def pcd(theta, v, chains, stream):
        direction, info = pcd_step(theta, v, chains, k=1, rng=stream)
        return direction, info.chains

    step, memory = {"CD-1": (cd, ()), "PCD-1": (pcd, data[:BATCH])}[method]
    optimizer = sgd(RATE)
    start = begin(theta, optimizer=optimizer, memory=memory)
    return lambda: fit(start, data, step=step, optimizer=optimizer, batch_size=BATCH, epochs=1, seed=0)


def torch_loop(theta: RBM, data: np.ndarray, method: str) -> Callable[[], object]:
    import torch
    from torch.nn.functional import linear

    X = torch.from_numpy(data)
    W, b, c = (
        torch.from_numpy(theta.W.T.copy()),
        torch.from_numpy(theta.b.copy()),
        torch.from_numpy(theta.c.copy()),
    )
    chains = X[:BATCH].clone()

    @torch.no_grad()
    def epoch():
        nonlocal chains
        for rows in torch.randperm(len(X)).split(BATCH):
            v = X[rows]
            h_data = torch.sigmoid(linear(v, W, c))
            h_0 = h_data if method == "CD-1" else torch.sigmoid(linear(chains, W, c))
            v_model = torch.bernoulli(torch.sigmoid(linear(torch.bernoulli(h_0), W.T, b)))
            h_model = torch.sigmoid(linear(v_model, W, c))
            chains = v_model
            W.add_(h_data.T @ v - h_model.T @ v_model, alpha=RATE / BATCH)
            b.add_((v - v_model).mean(0), alpha=RATE)
            c.add_((h_data - h_model).mean(0), alpha=RATE)

    return epoch


def sklearn_fit(data: np.ndarray) -> Callable[[], object]:
    from sklearn.neural_network import BernoulliRBM

    model = BernoulliRBM(HIDDEN, learning_rate=RATE, batch_size=BATCH, n_iter=1, random_state=0)
    return lambda: model.fit(data)


def rbms_loop(theta: RBM, data: np.ndarray, method: str) -> Callable[[], object]:
    import torch
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.training.pcd import fit_batch_pcd

    X = torch.from_numpy(data)
    model = BBRBM(*(torch.from_numpy(x.copy()) for x in theta))
    model.init_grad()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, maximize=True)
    weights = torch.ones(BATCH, dtype=X.dtype)
    chains = model.init_chains(BATCH)

    @torch.no_grad()
    def epoch():
        nonlocal chains
        for rows in torch.randperm(len(X)).split(BATCH):
            v = X[rows]
            if method == "CD-1":
                chains = model.init_chains(BATCH, weights=weights, start_v=v)
            optimizer.zero_grad(set_to_none=False)
            chains, _ = fit_batch_pcd((v, weights), chains, model, gibbs_steps=1, beta=1.0, centered=False)
            optimizer.step()

    return epoch


def epoch_contestants(rows: int, dtype: str, method: str) -> list[timing.Contestant]:
    """Return who runs; operations count the products, bytes the passes over arrays of W's shape."""
    theta, data = problem(rows, dtype)
    steps = rows // BATCH
    product, passing = 2.0 * BATCH * VISIBLE * HIDDEN * steps, data.itemsize * VISIBLE * HIDDEN * steps

    def entry(name: str, absent: str, make: Callable[[], Callable[[], object]], products: int, passes: int):
        if absent:
            return timing.Contestant(name, None, note=absent)
        return timing.Contestant(name, make(), products * product, (products + passes) * passing)

    def missing(*modules: str) -> str:
        return ", ".join(f"{m} is not installed" for m in modules if timing.peer(m) is None)

    cd = method == "CD-1"
    no_sklearn = "offers PCD only" if cd else missing("sklearn")
    return [
        entry("exactgen", "", lambda: ours(theta, data, method), 5 if cd else 6, 5),
        entry("PyTorch loop", missing("torch"), lambda: torch_loop(theta, data, method), 5 if cd else 6, 6),
        entry("scikit-learn BernoulliRBM", no_sklearn, lambda: sklearn_fit(data), 5, 8),
        entry(
            "rbms (PyTorch)",
            missing("torch", "rbms"),
            lambda: rbms_loop(theta, data, method),
            7 if cd else 6,
            12,
        ),
    ]


def parts_of_a_step(dtype: str) -> list[timing.Contestant]:
    """Return what one CD-1 step is made of, each timed alone: the first line is the step with its update."""
    theta, v = problem(BATCH, dtype)
    stream, optimizer = native(0, like=v), sgd(RATE)
    state = optimizer.start(theta)
    h, x_h, x_v = sigmoid(v @ theta.W), v @ theta.W, v @ theta.W @ theta.W.T
    both_v, both_h, p_v = np.concatenate([v, -v]), np.concatenate([h, h]), sigmoid(x_v)
    direction, _ = cd_step(theta, v, k=1, rng=stream)
    product = 2.0 * BATCH * VISIBLE * HIDDEN
    parts = {
        "step and update": (
            lambda: optimizer.ascend(state, theta, cd_step(theta, v, k=1, rng=stream)[0]),
            5 * product,
        ),
        "five matrix products": (
            lambda: (v @ theta.W, h @ theta.W.T, v @ theta.W, both_v.T @ both_h),
            5 * product,
        ),
        "three sigmoids": (lambda: (sigmoid(x_h), sigmoid(x_v), sigmoid(x_h)), 0),
        "Bernoulli draws": (lambda: (stream.bernoulli(h), stream.bernoulli(p_v)), 0),
        "checks of input": (lambda: (check_rbm(theta), check_visible(theta, v)), 0),
        "update": (lambda: optimizer.ascend(state, theta, direction), 0),
        "joining the phases": (lambda: (np.concatenate([v / 100, v / -100]), np.concatenate([h, h])), 0),
        "means over rows": (lambda: [x.mean(axis=0) for x in (v, v, h, h)], 0),
    }
    return [timing.Contestant(name, run, flops) for name, (run, flops) in parts.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1,000 rows and 3 rounds, written nowhere")
    options = parser.parse_args()
    rows, rounds = (1_000, 3) if options.quick else (10_000, 7)
    tables, verdicts = {}, {}
    for dtype in ("float32", "float64"):
        ceiling = timing.gemm_rate(dtype)
        for method in ("CD-1", "PCD-1"):
            what = f"one epoch of {method}, {VISIBLE} x {HIDDEN}, {rows} rows"
            title = f"{what}, {dtype}, {timing.THREADS} thread(s)"
            tables[title] = timing.race(
                epoch_contestants(rows, dtype, method), rounds=rounds, gemm_rate=ceiling
            )
            timing.show(title, tables[title])
            verdicts[title] = {
                t.name: {
                    "ratio": t.ratio,
                    "ratio of the fastest": t.fastest / tables[title][0].fastest,
                    "target": TARGETS[t.name],
                }
                for t in tables[title][1:]
                if t.median is not None
            }
        title = f"where a step of CD-1 spends its time, {dtype}"
        tables[title] = timing.race(parts_of_a_step(dtype), rounds=60, gemm_rate=ceiling)
        timing.show(title, tables[title])
    for title, peers in verdicts.items():
        for name, met in peers.items():
            word = "met" if met["ratio"] >= met["target"] else "MISSED"
            best = met["ratio of the fastest"]
            print(
                f"{title}: {name} {met['ratio']:.2f}x (fastest {best:.2f}x), target {met['target']}x {word}"
            )
    if not options.quick:
        timing.record(
            Path(__file__).stem, tables, packages=("numpy", "torch", "scikit-learn", "rbms"), targets=verdicts
        )


if __name__ == "__main__":
    main()
