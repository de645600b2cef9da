"""The audit: is this implementation right, and if not, which mistake is it?

    command    the command line and what it prints          protocol   what an adapter may offer and declare
    adapters   from a name to an adapter: scikit-learn's    plain      ... of a plain NumPy or PyTorch class
    engine     measure, compare, name                       scripted   exact means over foreign draws
    training   what the code learns by itself               cases      what every family of models shares

and of each family ``_quantities`` (calls, exact values, cases), the right ``_machine`` and the ``_mistakes``.
"""
