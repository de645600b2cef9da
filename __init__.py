"""The exact, executable reference for deep generative models.

``exactgen.reference`` is the mathematics, ``exactgen.backends`` the arrays and random streams below it,
``exactgen.proofs_check`` the statements of the five documents and the audit above it.
"""

__version__ = "0.1.0"
