"""One epoch of CD-1 and of PCD-1, 784 x 500, batches of 100: ours, PyTorch, scikit-learn, `rbms`.

    python benchmarks/contrastive_divergence.py [--quick]

Ours is ``fit`` with ``cd_step`` or ``pcd_step`` and ``sgd``, checks of input included.  The PyTorch loop is
what one would write by hand: ``linear``, ``bernoulli``, updates in place.  scikit-learn knows PCD only.
Ours runs PCD twice: chains that stand at v, as the PyTorch loop's and those of `rbms`, take six products a
step; chains that stand at h, as scikit-learn's, take five.  Each peer is judged beside both.  The bound of a
ratio is what it would be if ours were its products alone, at the rate of large ones.  Then, for one step,
where the time goes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import _timing as timing  # first: pins the threads
import numpy as np
from exactgen.backends.streams import native
from exactgen.reference.boltzmann.contrastive import DOCUMENT, HIDDEN_CHAIN, Variant, cd_step, pcd_step
from exactgen.reference.boltzmann.rbm import RBM, free_energy
from exactgen.reference.contracts import contract
from exactgen.reference.numerics import sigmoid
from exactgen.reference.optimizers import sgd
from exactgen.reference.training.fit import begin, fit

VISIBLE, HIDDEN, BATCH, RATE = 784, 500, 100, 0.01
SKLEARN, RBMS = "scikit-learn BernoulliRBM", "rbms (PyTorch)"
TARGETS = {"PyTorch loop": 1.4, SKLEARN: 1.5, RBMS: 2.0}


def problem(rows: int, dtype: str) -> tuple[RBM, np.ndarray]:
    rng = np.random.default_rng(0)
    W = 0.05 * rng.standard_normal((VISIBLE, HIDDEN))
    theta = RBM(W.astype(dtype), np.zeros(VISIBLE, dtype), np.zeros(HIDDEN, dtype))
    return theta, (rng.random((rows, VISIBLE)) < 0.3).astype(dtype)


def ours(theta: RBM, data: np.ndarray, method: str, variant: Variant = DOCUMENT) -> Callable[[], object]:
    def cd(theta, v, memory, stream):
        return cd_step(theta, v, k=1, rng=stream)[0], memory

    def pcd(theta, v, chains, stream):
        direction, info = pcd_step(theta, v, chains, k=1, rng=stream, variant=variant)
        return direction, info.chains

    chains = data[:BATCH] if variant.chain == "visible" else np.zeros((BATCH, HIDDEN), data.dtype)
    step, memory = {"CD-1": (cd, ()), "PCD-1": (pcd, chains)}[method]
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

    def entry(name: str, absent: str, make: Callable[[], Callable[[], object]], products: str, passes: int):
        if absent:
            return timing.Contestant(name, None, note=absent)
        count = len(products.split())
        note = f"{count} products: {products}"
        return timing.Contestant(name, make(), count * product, (count + passes) * passing, note)

    def missing(*modules: str) -> str:
        return ", ".join(f"{m} is not installed" for m in modules if timing.peer(m) is None)

    # Up is v W, down is h W^T; the statistics of the data and of the model take one outer product each.
    five, six, seven = "up down up outer outer", "up up down up outer outer", "up up up down up outer outer"
    loop = partial(torch_loop, theta, data, method)
    if method == "CD-1":
        return [
            entry("exactgen", "", partial(ours, theta, data, method), five, 5),
            entry("PyTorch loop", missing("torch"), loop, five, 6),
            entry(SKLEARN, "offers PCD only", partial(sklearn_fit, data), five, 8),
            entry(RBMS, missing("torch", "rbms"), partial(rbms_loop, theta, data, method), seven, 12),
        ]
    return [
        entry("exactgen, v-chains", "", partial(ours, theta, data, method), six, 5),
        entry("exactgen, h-chains", "", partial(ours, theta, data, method, HIDDEN_CHAIN), five, 5),
        entry("PyTorch loop", missing("torch"), loop, six, 6),
        entry(SKLEARN, missing("sklearn"), partial(sklearn_fit, data), five, 8),
        entry(RBMS, missing("torch", "rbms"), partial(rbms_loop, theta, data, method), six, 12),
    ]


def judged(table: list[timing.Timing], ceiling: float) -> dict[str, dict[str, dict[str, float]]]:
    """Return, for each row of ours and each peer, the ratio of medians, of the fastest, and its bound."""
    rows = [t for t in table if t.name.startswith("exactgen")]
    peers = [t for t in table if t.name in TARGETS and t.median is not None]
    return {
        row.name: {
            t.name: {
                "ratio": t.median / row.median,
                "ratio of the fastest": t.fastest / row.fastest,
                "bound": t.median / (row.flops / ceiling),
                "target": TARGETS[t.name],
            }
            for t in peers
        }
        for row in rows
    }


def parts_of_a_step(dtype: str) -> list[timing.Contestant]:
    """Return what one CD-1 step is made of, each timed alone: the first line is the step with its update."""
    theta, v = problem(BATCH, dtype)
    stream, optimizer = native(0, like=v), sgd(RATE)
    state = optimizer.start(theta)
    h, x_h, x_v = sigmoid(v @ theta.W), v @ theta.W, v @ theta.W @ theta.W.T
    both_v, both_h, p_v = np.concatenate([v, v]), np.concatenate([h, h]), sigmoid(x_v)
    weights = np.repeat(np.array([1 / BATCH, -1 / BATCH], dtype), BATCH)
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
        "checks of input": (lambda: contract(free_energy).check((theta, v), {}), 0),
        "update": (lambda: optimizer.ascend(state, theta, direction), 0),
        "joining the phases": (
            lambda: (np.concatenate([v, v]), weights[:, None] * np.concatenate([h, h])),
            0,
        ),
        "signed means over rows": (lambda: (weights @ both_v, weights @ both_h), 0),
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
            verdicts[title] = judged(tables[title], ceiling)
        title = f"where a step of CD-1 spends its time, {dtype}"
        tables[title] = timing.race(parts_of_a_step(dtype), rounds=60, gemm_rate=ceiling)
        timing.show(title, tables[title])
    for title, rows_of_ours in verdicts.items():
        print(f"\n{title}")
        for row, peers in rows_of_ours.items():
            for name, found in peers.items():
                word = "met" if found["ratio"] >= found["target"] else "MISSED"
                print(
                    f"  {row} beside {name}: {found['ratio']:.2f}x (fastest"
                    f" {found['ratio of the fastest']:.2f}x, bound {found['bound']:.2f}x),"
                    f" target {found['target']}x {word}"
                )
    if not options.quick:
        timing.record(
            Path(__file__).stem, tables, packages=("numpy", "torch", "scikit-learn", "rbms"), targets=verdicts
        )


if __name__ == "__main__":
    main()
