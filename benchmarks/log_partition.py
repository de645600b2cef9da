"""Exact log Z of an RBM with 784 visible units: ours, naive NumPy, and the enumeration of the `rbms` package.

    python benchmarks/log_partition.py [--quick]

Prints one table per size and dtype, and writes results/log_partition.json.  The couplings have the scale of a
trained machine (standard deviation 0.5, visible biases around -1).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import _timing as timing  # first: pins the threads
import numpy as np
from exactgen.reference.boltzmann.partition import log_partition
from exactgen.reference.boltzmann.rbm import RBM

VISIBLE = 784
MEMORY_HIDDEN = 24


def machine(hidden: int, dtype: str) -> RBM:
    rng = np.random.default_rng(hidden)
    W = 0.5 * rng.standard_normal((VISIBLE, hidden))
    b, c = rng.standard_normal(VISIBLE) - 1, rng.standard_normal(hidden)
    return RBM(*(x.astype(dtype) for x in (W, b, c)))


def states(start: int, stop: int, hidden: int, dtype: str) -> np.ndarray:
    return (np.arange(start, stop)[:, None] >> np.arange(hidden - 1, -1, -1) & 1).astype(dtype)


def naive(theta: RBM, *, rows: int = 128) -> float:
    """Return log Z by one softplus per (state, visible unit) pair, in blocks that stay in the cache."""
    hidden = theta.W.shape[1]
    minus_f = []
    for start in range(0, 2**hidden, rows):
        h = states(start, start + rows, hidden, str(theta.W.dtype))
        x = h @ theta.W.T + theta.b
        minus_f.append(h @ theta.c + (np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))).sum(axis=1))
    x = np.concatenate(minus_f)
    return float(x.max() + np.log(np.exp(x - x.max()).sum()))


class Peer:
    """The enumeration of `rbms`, in blocks of states: its one table would need tens of gigabytes."""

    def __init__(self, theta: RBM, *, rows: int = 1024) -> None:
        import torch
        from rbms.bernoulli_bernoulli.classes import BBRBM
        from rbms.partition_function.exact import compute_partition_function

        self.call, self.torch = compute_partition_function, torch
        W, b, c = (torch.from_numpy(x) for x in theta)
        self.theta = BBRBM(weight_matrix=W, vbias=b, hbias=c)
        table = torch.from_numpy(states(0, 2 ** theta.W.shape[1], theta.W.shape[1], str(theta.W.dtype)))
        self.blocks = torch.split(table, rows)

    def __call__(self) -> float:
        """Return log Z."""
        parts = [self.call(self.theta, block) for block in self.blocks]
        return float(self.torch.logsumexp(self.torch.tensor(parts, dtype=self.torch.float64), 0))


def contestants(theta: RBM) -> tuple[list[timing.Contestant], dict[str, float]]:
    """Return who runs, with operations and bytes by formula, and how far each value is from ours."""
    pairs, size = VISIBLE * 2.0 ** theta.W.shape[1], theta.W.dtype.itemsize
    plain = (2 * theta.W.shape[1] + 5) * pairs
    ours = lambda: float(log_partition(theta))  # noqa: E731
    entries = [
        # Per group of 3 units and state: an inner product of 8, one factor; written once and read once.
        timing.Contestant("exactgen", ours, (16 + 1) / 3 * pairs, 2 / 3 * pairs * size),
        # Per pair: the product h W, and nine passes of reading and writing; exp and log1p count as one each.
        timing.Contestant("NumPy, one softplus per pair", lambda: naive(theta), plain, 18 * pairs * size),
    ]
    if timing.peer("torch") is None or timing.peer("rbms") is None:
        entries.append(timing.Contestant("rbms (PyTorch)", None, note="absent: pip install rbms"))
    else:
        entries.append(timing.Contestant("rbms (PyTorch)", Peer(theta), plain, 14 * pairs * size))
    value = ours()
    return entries, {e.name: abs(e.run() / value - 1) for e in entries[1:] if e.run is not None}


def peak_memory(hidden: int) -> dict[str, float]:
    """Return seconds and peak resident memory of one float64 run in a process of its own."""
    child = subprocess.run(
        [sys.executable, __file__, "--child", str(hidden)], check=True, capture_output=True, text=True
    )
    seconds, before, peak = map(float, child.stdout.split())
    return {"hidden": hidden, "seconds": seconds, "MB before": before, "MB peak": peak}


def run_child(hidden: int) -> None:
    theta = machine(hidden, "float64")
    before = high_water()
    start = timing.clock()
    log_partition(theta)
    print(timing.clock() - start, before, high_water())


def high_water() -> float:
    """Return the peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would include the parent's, up to the moment of the fork
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024**2 if sys.platform == "darwin" else 1024
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="10 and 12 hidden units, written nowhere")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return run_child(options.child)
    tables, agreement = {}, {}
    for hidden, rounds in ((10, 5), (12, 5)) if options.quick else ((16, 7), (20, 3)):
        for dtype in ("float64", "float32"):
            title = f"log Z, {VISIBLE} x {hidden}, {dtype}, {timing.THREADS} thread(s)"
            entries, agreement[title] = contestants(machine(hidden, dtype))
            rate = timing.gemm_rate(dtype)  # the agreement was the warm-up
            tables[title] = timing.race(entries, rounds=rounds, warm_ups=0, gemm_rate=rate)
            timing.show(title, tables[title])
            for name, difference in agreement[title].items():
                print(f"  relative difference of {name} to ours: {difference:.1e}")
    if options.quick:
        return None
    memory = peak_memory(MEMORY_HIDDEN)
    print("\nfloat64 in a process of its own:", ", ".join(f"{k} {v:.4g}" for k, v in memory.items()))
    timing.record(
        Path(__file__).stem,
        tables,
        packages=("numpy", "torch", "rbms"),
        relative_difference_to_ours=agreement,
        memory=memory,
    )
    return None


if __name__ == "__main__":
    main()
