"""Two-layer stacks of RBMs on Tea, one random search: the process pool, one process, and a hand-written loop.

    python benchmarks/sweeps.py [--quick] [--models N]

The search is that of [AO] table 1: 100 models (6 with --quick), 2,469 epochs of CD-1 for each machine.
The hand-written loop trains the same sizes and rates for as long, in plain NumPy, and keeps nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import _timing as timing  # first: pins the threads
import numpy as np
from exactgen.proofs_check.reproduce.models import plan, rows, run
from exactgen.proofs_check.sweeps import sweep
from exactgen.reference.layerwise.selection import epochs

WORKERS = 2


def by_hand(setting: dict[str, Any]) -> None:
    """Train a stack as one would without a library: means of the first machine are the data of the second."""
    rng = np.random.default_rng(0)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def train(data, hidden):
        W = 0.01 * rng.standard_normal((data.shape[1], hidden))
        b, c = np.zeros(data.shape[1]), np.zeros(hidden)
        for _ in range(epochs(len(data))):
            order = rng.permutation(len(data))
            for start in range(0, len(data), setting["batch"]):
                mean = data[order[start : start + setting["batch"]]]
                v = (rng.random(mean.shape) < mean).astype(float)
                h = sigmoid(v @ W + c)
                drawn = (rng.random(h.shape) < h).astype(float)
                v_mean = sigmoid(drawn @ W.T + b)
                v_model = (rng.random(v_mean.shape) < v_mean).astype(float)
                h_model = sigmoid(v_model @ W + c)
                rate = setting["cd_rate"]
                W += rate * (v.T @ h - v_model.T @ h_model)
                b += rate * (v - v_model).sum(axis=0)
                c += rate * (h - h_model).sum(axis=0)
        return sigmoid(data @ W + c)

    data, _ = rows("tea", setting["split"])
    train(train(data, setting["hidden"]), setting["hidden2"])


def main() -> None:
    """Time the three, once each: every one is hundreds of thousands of steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="6 models")
    parser.add_argument("--models", type=int, help="how many models (100)")
    chosen = parser.parse_args()
    models = chosen.models or (6 if chosen.quick else 100)
    settings = plan("srbm", "tea", models, seed=0)
    spent: dict[str, float] = {}

    def clock(name: str, job: Any) -> Any:
        start = time.perf_counter()
        result = job()
        spent[name] = time.perf_counter() - start
        return result

    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(rows, ["tea"] * WORKERS, [0] * WORKERS))  # the workers' imports are not timed
        pooled = clock(f"pool of {WORKERS} processes", lambda: sweep(run, settings, seed=0, executor=pool))
    serial = clock("one process", lambda: sweep(run, settings, seed=0))
    clock("by hand, training alone", lambda: [by_hand(setting) for setting in settings])
    assert pooled == serial, "results must not depend on the executor"

    first = next(iter(spent))
    table = [
        timing.Timing(name, s, s, s, s / spent[first], 0.0, 0.0, None, f"{s / models:.2f} s a model")
        for name, s in spent.items()
    ]
    title = f"{models} two-layer SRBMs on Tea, {timing.THREADS} thread(s) a process"
    timing.show(title, table, clock_name="wall time")
    timing.record("sweeps", {title: table}, packages=("numpy", "scipy"), models=models, clock="wall time")


if __name__ == "__main__":
    main()
