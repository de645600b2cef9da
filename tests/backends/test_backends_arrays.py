"""Namespaces, devices and conversions; and that no framework is loaded unasked."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import (
    BACKENDS,
    array_namespace,
    device,
    eigenvalues,
    from_numpy,
    load_backend,
    to_numpy,
)


def test_one_namespace_of_several_arrays(xp: Any) -> None:
    ns = array_namespace(xp([0.0]), xp([[1.0]]))
    assert ns.zeros is array_namespace(xp(0.0)).zeros
    assert device(xp([0.0])) == xp([1.0]).device


@pytest.mark.parametrize("other", [1.0, None, [0.0], "v"])
def test_what_is_no_array_is_refused(xp: Any, other: Any) -> None:
    with pytest.raises(
        TypeError, match=f"every argument must be an array of one backend, got .*{type(other).__name__}"
    ):
        array_namespace(xp([0.0]), other)


def test_mixtures_are_refused(xp: Any) -> None:
    other = load_backend("numpy" if xp.name in ("strict", "torch", "cupy") else "torch").asarray([0.0])
    with pytest.raises(ValueError, match=r"arrays of one backend are wanted, got a mixture: .*, "):
        array_namespace(xp([0.0]), other)


def test_devices_are_not_mixed() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="arrays on one device are wanted, got a mixture: cpu, meta"):
        array_namespace(torch.zeros(1), torch.zeros(1, device="meta"))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_there_and_back(xp: Any, dtype: str) -> None:
    """From memory that is read-only, reversed, transposed or 0-d, without a warning; and back as a copy."""
    base = np.arange(12).reshape(3, 4).astype(dtype)
    frozen = base.copy()
    frozen.flags.writeable = False
    for values in (base, frozen, base[::-1], base.T, base[1, 1:2].reshape(())):
        there = from_numpy(values, like=xp([0.0]))
        assert array_namespace(there) is array_namespace(xp([0.0]))
        assert there.shape == values.shape
        back = to_numpy(there)
        assert back.dtype == values.dtype
        np.testing.assert_array_equal(back, values)
        back[...] = 0  # a copy: neither the array nor what it was made of changes
        np.testing.assert_array_equal(to_numpy(there), values)


def test_gradients_are_left_behind() -> None:
    torch = pytest.importorskip("torch")
    assert to_numpy(torch.ones(2, requires_grad=True)).tolist() == [1, 1]


def test_eigenvalues_of_a_rotation(xp: Any) -> None:
    values = eigenvalues(xp([[0.0, 2.0], [-2.0, 0.0]]))
    assert sorted(values.tolist(), key=lambda z: z.imag) == pytest.approx([-2j, 2j])


def test_backends_are_loaded_by_name() -> None:
    for name in ("numpy", "strict", "torch"):
        assert float(load_backend(name).asarray(2.0)) == 2
    with pytest.raises(ValueError, match="backend must be one of numpy, cupy, torch, strict, got 'jax'"):
        load_backend("jax")


def test_an_absent_backend_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, extra in (
        ("cupy", r"exactgen\[cupy\]"),
        ("torch", r"exactgen\[torch\]"),
        ("strict", "array-api-strict"),
    ):
        monkeypatch.setitem(sys.modules, {"strict": "array_api_strict"}.get(name, name), None)
        with pytest.raises(
            ModuleNotFoundError, match=f"backend '{name}' is not installed: pip install '{extra}'"
        ):
            load_backend(name)
    assert set(BACKENDS) == {"numpy", "cupy", "torch", "strict"}


NO_FRAMEWORK = """
import importlib, pkgutil, sys
import numpy as np
import exactgen.backends, exactgen.reference
for package in (exactgen.backends, exactgen.reference):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
from exactgen.backends.enumerating import expect
from exactgen.backends.streams import as_stream
p = np.full((2, 3), 0.5)
for rng in (0, np.random.default_rng(0)):
    as_stream(rng, like=p).bernoulli(p)
expect(lambda p, *, rng: as_stream(rng, like=p).bernoulli(p), p).mean()
print(*sorted({"torch", "cupy", "jax", "sklearn", "array_api_strict", "rbms"} & set(sys.modules)))
"""


def test_no_framework_is_loaded_that_the_user_has_not() -> None:
    """Import all of backends and reference and draw from NumPy arrays, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", NO_FRAMEWORK],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""
