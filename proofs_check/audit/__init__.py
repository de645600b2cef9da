"""The audit: is this implementation right, and if not, which mistake is it?

    command    the command line and what it prints          protocol   what an adapter may offer and declare
    adapters   from a name to an adapter: scikit-learn's    plain      ... of a plain NumPy or PyTorch class
    engine     run the checks of what is offered            foreign    a quantity as checks ask for it
    naming     the mistake under which the reference fits   scripted   exact means over foreign draws
    conduct    what shows in no single call                 training   what the code learns by itself

The quantities, their cases and exact values are checks (``checks/*_quantities.py``), the mistakes those of
the catalogue (``mistakes/``).
"""


class TargetError(Exception):
    """The target cannot be imported, built or understood: wrong usage, not a finding."""
