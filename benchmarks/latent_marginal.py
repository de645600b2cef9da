"""Two-layer likelihoods and the best latent marginal, beside PyTorch and beside plain EM.

    python benchmarks/latent_marginal.py [--quick] [--data-dir FOLDER]

Prints log P(x) and one data-incorporation sweep of 4,000 data of 100 bits under a table P(h) of 2^16 states,
then the time to a certificate of 1e-6 nats on Tea and CMNIST, and writes results/latent_marginal.json.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import _timing as timing  # first: pins the threads
import numpy as np
from exactgen.data.digits import cmnist
from exactgen.data.sources import MissingDataError
from exactgen.data.teapot import tea_split
from exactgen.reference.boltzmann.contrastive import DOCUMENT, cd_step
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed.layers import Sigmoid
from exactgen.reference.directed.mixtures import Likelihoods, likelihoods, log_mixture
from exactgen.reference.layerwise.incorporation import expectation_maximisation, incorporate
from exactgen.reference.layerwise.marginal import best_marginal
from exactgen.reference.trees import add, scale

DATA, VISIBLE, HIDDEN = 4000, 100, 16
TOLERANCE = 1e-6
PATIENCE, LEAST = 15, 40  # plain EM is given up after so many times our seconds, and so many seconds
ROWS = 100  # of PyTorch at a time: 52 MB; larger blocks are slower


def problem(hidden: int, data: int) -> tuple[Sigmoid, np.ndarray, np.ndarray]:
    """Return a layer of trained scale, data drawn from it, and a law on h."""
    rng = np.random.default_rng(0)
    layer = Sigmoid(0.5 * rng.standard_normal((VISIBLE, hidden)), rng.standard_normal(VISIBLE) - 1)
    h = rng.random((data, hidden)) < 0.5
    x = rng.random((data, VISIBLE)) < 1 / (1 + np.exp(-(h @ layer.W.T + layer.b)))
    return layer, x.astype(float), rng.dirichlet(np.ones(2**hidden))


class Torch:
    """The same by one table of log P(x, h) per block of data: a matrix product, a log-sum-exp, a softmax."""

    def __init__(self, layer: Sigmoid, x: np.ndarray, Q: np.ndarray) -> None:
        import torch

        self.torch, self.states = torch, len(Q)
        self.W, self.b, self.x, self.Q = (torch.from_numpy(a) for a in (*layer, x, Q))

    def _table(self) -> tuple[object, object]:
        torch, units = self.torch, self.W.shape[1]
        h = torch.arange(self.states)[:, None] >> torch.arange(units - 1, -1, -1) & 1
        logits = h.to(self.W.dtype) @ self.W.T + self.b
        return logits.T.contiguous(), self.Q.log() - torch.nn.functional.softplus(logits).sum(dim=1)

    def log_p(self) -> np.ndarray:
        """Return log P(x) of all data."""
        logits, rest = self._table()
        return np.concatenate(
            [self.torch.logsumexp(x @ logits + rest, dim=1).numpy() for x in self.x.split(ROWS)]
        )

    def incorporate(self) -> np.ndarray:
        """Return the mean posterior over the data."""
        logits, rest = self._table()
        total = self.torch.zeros(self.states, dtype=self.x.dtype)
        for x in self.x.split(ROWS):
            total += self.torch.softmax(x @ logits + rest, dim=1).sum(dim=0)
        return (total / len(self.x)).numpy()


def sums(hidden: int, data: int, rounds: int) -> tuple[dict[str, list[timing.Timing]], dict[str, float]]:
    """Return the timings of both tasks, and the largest differences to PyTorch."""
    layer, x, Q = problem(hidden, data)
    pairs = data * 2.0**hidden
    ours = {
        "log P(x)": lambda: log_mixture(likelihoods(layer, x), Q),
        "data incorporation": lambda: incorporate(likelihoods(layer, x), Q),
    }
    peer = Torch(layer, x, Q) if timing.peer("torch") is not None else None
    theirs = {"log P(x)": peer.log_p, "data incorporation": peer.incorporate} if peer else {}
    tables, differences = {}, {}
    for products, task in enumerate(ours, 1):
        title = f"{task}, {data} x {VISIBLE}, 2^{hidden} states, float64, {timing.THREADS} thread(s)"
        # A multiplication and an addition per pair; tables of the halves are read and written.
        small = 16.0 * data * 2 ** (hidden / 2)
        entries = [timing.Contestant("exactgen", ours[task], 2 * products * pairs, 4 * products * small)]
        # The product x logits; then three passes over the table, exp counted as one operation.
        entries.append(timing.Contestant("PyTorch", theirs.get(task), (2 * VISIBLE + 4) * pairs, 48 * pairs))
        tables[title] = timing.race(entries, rounds=rounds, gemm_rate=timing.gemm_rate("float64"))
        timing.show(title, tables[title])
        if peer:
            found, expected = ours[task](), theirs[task]()
            scale = found.max() if products == 2 else 1.0
            differences[task] = float(np.abs(found - expected).max() / scale)
            unit = "of the largest mass" if products == 2 else "nats"
            print(f"  largest difference: {differences[task]:.1e} {unit}")
    return tables, differences


def trained(x: np.ndarray, *, epochs: int, batch: int) -> Likelihoods:
    """Return the likelihoods of the data under the bottom layer of an RBM trained by CD-1."""
    rng = np.random.default_rng(0)
    theta = RBM(0.1 * rng.standard_normal((VISIBLE, HIDDEN)), np.zeros(VISIBLE), np.zeros(HIDDEN))
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch):
            step, _ = cd_step(theta, x[order[start : start + batch]], k=1, rng=rng, variant=DOCUMENT)
            theta = add(theta, scale(0.05, step))
    return likelihoods(Sigmoid(theta.W, theta.b), x)


def certificate(name: str, p: Likelihoods, *, rounds: int) -> tuple[str, list[timing.Timing]]:
    """Return the seconds to the certificate: ours, and plain EM's, given up when that takes too long."""
    spent = []
    for _ in range(rounds):
        start = timing.clock()
        best = best_marginal(p, tolerance=TOLERANCE)
        spent.append(timing.clock() - start)
    ours, support = statistics.median(spent), int((best.Q > 0).sum())
    value = float(best.log_likelihood)
    note = f"gap {best.gap:.1e}, {best.steps} steps, {support} of {p.states} states, {value:.6f} nats"
    start, steps = timing.clock(), 0
    Q, gap, seconds = np.full(p.states, 1 / p.states), np.inf, 0.0
    while gap > TOLERANCE and seconds < max(PATIENCE * ours, LEAST):
        em = expectation_maximisation(p, Q, tolerance=TOLERANCE, most_steps=100)
        Q, gap, steps, seconds = em.Q, em.gap, steps + em.steps, timing.clock() - start
    fate = "reached" if gap <= TOLERANCE else "given up at"
    title = f"best latent marginal of {name} to {TOLERANCE:.0e} nats, {HIDDEN} hidden units"
    table = [
        timing.Timing("exactgen", ours, min(spent), max(spent), 1.0, 0, 0, None, note),
        timing.Timing(
            "plain EM, same sweeps", seconds, seconds, seconds, seconds / ours, 0, 0, None,
            f"{fate} gap {gap:.1e}, {steps} steps, one run",
        ),
    ]  # fmt: skip
    timing.show(title, table)
    return title, table


def peak_memory() -> dict[str, float]:
    """Return seconds and peak resident memory of log P(x) and a sweep in a process of its own."""
    child = subprocess.run([sys.executable, __file__, "--child"], check=True, capture_output=True, text=True)
    seconds, before, peak = map(float, child.stdout.split())
    return {"seconds": seconds, "MB before": before, "MB peak": peak}


def run_child() -> None:
    layer, x, Q = problem(HIDDEN, DATA)
    kilobytes = 1024 if sys.platform != "darwin" else 1024**2
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kilobytes
    start = timing.clock()
    log_mixture(likelihoods(layer, x), Q)
    incorporate(likelihoods(layer, x), Q)
    spent = timing.clock() - start
    print(spent, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kilobytes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="400 data, 2^12 states, Tea only; written nowhere"
    )
    parser.add_argument("--data-dir", help="where the MNIST files are (default: $EXACTGEN_DATA)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return run_child()
    memory = peak_memory()  # first: a child's peak starts at its parent's size
    tables, differences = sums(12, 400, 3) if options.quick else sums(HIDDEN, DATA, 3)
    tea = tea_split(0)[0].astype(float)
    found = [certificate("Tea", trained(tea, epochs=2469, batch=81), rounds=3)]
    if options.quick:
        return None
    try:
        digits = cmnist(reading="half", seed=0, data_dir=options.data_dir)[0].astype(float)
        found.append(certificate("CMNIST", trained(digits, epochs=20, batch=100), rounds=3))
    except MissingDataError as problem_with_files:
        print(f"\nCMNIST is left out: {problem_with_files}")
    print(
        "\nlog P(x) and a sweep in a process of its own:",
        ", ".join(f"{k} {v:.4g}" for k, v in memory.items()),
    )
    timing.record(
        Path(__file__).stem,
        tables | dict(found),
        packages=("numpy", "torch"),
        largest_difference=differences,
        memory=memory,
    )
    return None


if __name__ == "__main__":
    main()
