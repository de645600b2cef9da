"""The backends over which the tests run: one fixture, every namespace."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from exactgen.backends.arrays import Array, load_backend


def _gpu_answers() -> bool:
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    try:
        return bool(cupy.cuda.runtime.getDeviceCount() > 0)
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def _installed(backend: str) -> bool:
    return importlib.util.find_spec({"strict": "array_api_strict"}.get(backend, backend)) is not None


def _available() -> list[Any]:
    names = ["numpy", "numpy-readonly"]
    names += [name for name in ("strict", "torch") if _installed(name)]
    return names + (["cupy"] if _gpu_answers() else [])


class Backend:
    """A namespace, and how the tests make arrays in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.namespace = load_backend(name.removesuffix("-readonly"))

    def __call__(self, values: Any, dtype: str = "float64") -> Array:
        """Return ``values`` as an array of this backend, read-only on ``numpy-readonly``."""
        array = np.array(values, dtype=dtype)
        if self.name == "numpy-readonly":
            array.flags.writeable = False
            return array
        return array if self.name == "numpy" else self.namespace.asarray(array)


@pytest.fixture(params=_available())
def xp(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Return each backend in turn; ``xp(values)`` makes an array, ``xp.namespace`` is the namespace."""
    backend = Backend(request.param)
    if backend.name != "strict":
        yield backend
        return
    import array_api_strict

    # The strictest flags: of what the standard makes optional, linear algebra only.
    array_api_strict.set_array_api_strict_flags(
        boolean_indexing=False, data_dependent_shapes=False, enabled_extensions=("linalg",)
    )
    yield backend
    array_api_strict.reset_array_api_strict_flags()


@pytest.fixture
def arr(xp: Backend) -> Callable[..., Array]:
    """Return the maker of arrays of the backend at hand."""
    return xp
