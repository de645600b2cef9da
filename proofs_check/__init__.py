"""The statements of the five documents as computations that can fail, and the audit of other code."""
