"""Ground floor: the namespace and device of the arrays at hand, and random streams."""

BACKENDS = ("numpy", "cupy", "torch", "strict")
"""The names that ``arrays.load_backend`` knows: here, where no array library is loaded yet."""
