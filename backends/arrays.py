"""Which namespace, device and dtype the arrays at hand have.

The arrays carry the backend: no function of ``reference`` names NumPy or CuPy. Frameworks are recognised by
array-api-compat, which looks only at modules that are loaded already.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, TypeAlias

import array_api_compat
import array_api_compat.numpy as compat_numpy
import numpy as np

from . import BACKENDS

Array: TypeAlias = Any
"""An array of any backend that array-api-compat knows."""

Namespace: TypeAlias = Any
"""An Array API namespace."""

_MODULES = {"cupy": "cupy", "torch": "torch", "strict": "array_api_strict"}


def array_namespace(*arrays: Array) -> Namespace:
    """Return the one Array API namespace of ``arrays``.

    Raises: TypeError where an argument is no array; ValueError where backends or devices are mixed.
    """
    if arrays and all(type(a) is np.ndarray for a in arrays):  # the rest asks twenty times longer
        return compat_numpy
    if not all(map(array_api_compat.is_array_api_obj, arrays)):
        raise TypeError(f"every argument must be an array of one backend, got {_kinds(arrays)}")
    try:
        xp = array_api_compat.array_namespace(*arrays)
    except TypeError as problem:
        raise ValueError(f"arrays of one backend are wanted, got a mixture: {_kinds(arrays)}") from problem
    devices = {str(array_api_compat.device(a)) for a in arrays} - {
        "None"
    }  # while traced, an array is nowhere
    if len(devices) > 1:
        raise ValueError(f"arrays on one device are wanted, got a mixture: {', '.join(sorted(devices))}")
    return xp


def is_array(thing: Any) -> bool:
    """Return whether ``thing`` is an array of a backend that array-api-compat knows."""
    return type(thing) is np.ndarray or bool(array_api_compat.is_array_api_obj(thing))


def _kinds(things: Iterable[Any]) -> str:
    return ", ".join(sorted({f"{type(a).__module__.split('.')[0]}.{type(a).__name__}" for a in things}))


def device(array: Array) -> Any:
    """Return the device on which ``array`` lies."""
    return array_api_compat.device(array)


def load_backend(name: str) -> Namespace:
    """Return the namespace called ``name`` (one of ``BACKENDS``); the only place that imports a framework.

    Raises: ValueError for an unknown name; ModuleNotFoundError, with what to install, for an absent one.
    """
    if name not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {name!r}")
    if name == "numpy":
        return importlib.import_module("array_api_compat.numpy")
    try:
        module = importlib.import_module(_MODULES[name])
    except ModuleNotFoundError as problem:
        extra = "array-api-strict" if name == "strict" else f"exactgen[{name}]"
        raise ModuleNotFoundError(f"backend {name!r} is not installed: pip install '{extra}'") from problem
    return module if name == "strict" else importlib.import_module(f"array_api_compat.{name}")


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """Return a NumPy copy of ``array``, from whatever device it is on."""
    if isinstance(array, np.ndarray):
        return array.copy()
    if array_api_compat.is_torch_array(array):
        return np.array(array.detach().cpu().numpy())
    if array_api_compat.is_cupy_array(array):
        return np.array(array.get())
    return np.array(np.from_dlpack(array)) if hasattr(array, "__dlpack__") else np.array(array)


def from_numpy(values: np.ndarray[Any, Any], *, like: Array) -> Array:
    """Return ``values`` as an array of the backend and device of ``like``; memory may be shared."""
    xp = array_namespace(like)
    if array_api_compat.is_numpy_namespace(xp):
        return values
    # PyTorch takes no negative strides, and warns of memory that it must not write to.
    return xp.asarray(np.require(values, requirements=("C", "W")), device=device(like))


def eigenvalues(matrix: Array) -> np.ndarray[Any, Any]:
    """Return the eigenvalues of a square matrix, computed on the host: the standard lacks them."""
    return np.asarray(np.linalg.eigvals(to_numpy(matrix)))
