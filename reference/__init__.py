"""The mathematics of the five documents: pure functions over arrays of any Array API backend."""
