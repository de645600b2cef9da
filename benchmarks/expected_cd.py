"""The exact expected CD-k update of a 12 x 10 machine: ours beside plain enumerations.

    python benchmarks/expected_cd.py [--quick]

Plain enumeration makes the 2^12 x 2^12 kernel of a Gibbs step and raises it to the power k.  Two thriftier
ways are raced too: the kernel applied k times to the law, and its two factors applied in turn, never
multiplied.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import _timing as timing  # first: pins the threads
import numpy as np
from exactgen.reference.boltzmann.contrastive import expected_cd_step
from exactgen.reference.boltzmann.rbm import RBM


def on(inputs: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-inputs))


def states(units: int) -> np.ndarray:
    return (np.arange(2**units)[:, None] >> np.arange(units - 1, -1, -1) & 1).astype(float)


def table(inputs: np.ndarray) -> np.ndarray:
    """Return p(y | x) of every y, given the inputs (n, units) at x, by the log-probability of each y."""
    y = states(inputs.shape[1])
    return np.exp(-np.logaddexp(0, -inputs) @ y.T - np.logaddexp(0, inputs) @ (1 - y).T)


class Plain:
    """Statistics of the data minus those of the law that some way of enumerating reaches."""

    def __init__(self, theta: RBM, data: np.ndarray, k: int) -> None:
        self.theta, self.data, self.k = theta, data, k
        self.v = states(theta.W.shape[0])
        index = (data @ 2 ** np.arange(data.shape[1] - 1, -1, -1)).astype(int)
        self.start = np.bincount(index, minlength=len(self.v)) / len(data)

    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        W, b, c = self.theta
        return table(self.v @ W + c), table(states(W.shape[1]) @ W.T + b)

    def _contrast(self, law: np.ndarray) -> list[np.ndarray]:
        W, _, c = self.theta
        h, h_data = on(self.v @ W + c), on(self.data @ W + c)
        return [
            self.data.T @ h_data / len(self.data) - self.v.T @ (law[:, None] * h),
            self.data.mean(axis=0) - law @ self.v,
            h_data.mean(axis=0) - law @ h,
        ]

    def matrix_power(self) -> list[np.ndarray]:
        """Make the kernel and raise it to the power k."""
        up, down = self._factors()
        return self._contrast(self.start @ np.linalg.matrix_power(up @ down, self.k))

    def kernel(self) -> list[np.ndarray]:
        """Make the kernel and apply it k times."""
        up, down = self._factors()
        kernel, law = up @ down, self.start
        for _ in range(self.k):
            law = law @ kernel
        return self._contrast(law)

    def two_factors(self) -> list[np.ndarray]:
        """Apply the two halves of a step k times."""
        (up, down), law = self._factors(), self.start
        for _ in range(self.k):
            law = law @ up @ down
        return self._contrast(law)


def contestants(visible: int, hidden: int, k: int) -> tuple[list[timing.Contestant], dict[str, float]]:
    """Return who runs, with operations and bytes of the products, and the largest differences to ours."""
    rng = np.random.default_rng(0)
    theta = RBM(*(rng.standard_normal(shape) for shape in ((visible, hidden), (visible,), (hidden,))))
    data = (rng.random((100, visible)) < 0.4).astype(float)
    plain = Plain(theta, data, k)
    V, H = 2.0**visible, 2.0**hidden
    squarings = k.bit_length() - 1 + k.bit_count() - 1  # products that a power takes
    halves = V * 2 ** (hidden / 2) + H * 2 ** (visible / 2)
    make = 2 * V * H * V
    entries = [
        timing.Contestant(
            "exactgen",
            lambda: expected_cd_step(theta, data, k=k),
            (2 * k - 1) * 2 * V * H,
            (2 * k - 1) * 8 * 2 * halves,
        ),
        timing.Contestant(
            "kernel to the power k",
            plain.matrix_power,
            make + squarings * 2 * V**3,
            8 * (1 + squarings) * 3 * V * V,
        ),
        timing.Contestant("kernel applied k times", plain.kernel, make + k * 2 * V * V, 8 * (k + 1) * V * V),
        timing.Contestant(
            "two factors applied in turn", plain.two_factors, k * 4 * V * H, 8 * (k + 3) * 2 * V * H
        ),
    ]
    ours = expected_cd_step(theta, data, k=k)
    difference = {
        e.name: max(float(np.max(np.abs(a - b))) for a, b in zip(ours, e.run(), strict=True))
        for e in entries[1:]
        if e.run is not None
    }
    return entries, difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="9 x 7, written nowhere")
    options = parser.parse_args()
    visible, hidden = (9, 7) if options.quick else (12, 10)
    tables, agreement = {}, {}
    for k in (1, 10):
        title = f"expected CD-{k} update, {visible} x {hidden}, float64, {timing.THREADS} thread(s)"
        entries, agreement[title] = contestants(visible, hidden, k)
        tables[title] = timing.race(entries, rounds=5 if k == 1 else 3, gemm_rate=timing.gemm_rate("float64"))
        timing.show(title, tables[title])
        for name, difference in agreement[title].items():
            print(f"  largest difference of {name} to ours: {difference:.1e}")
    if not options.quick:
        timing.record(Path(__file__).stem, tables, packages=("numpy",), largest_difference_to_ours=agreement)


if __name__ == "__main__":
    main()
