"""Networks: kinds of layers as rows of one table, nets of them, errors of their outputs."""
