"""Boltzmann machines: general, restricted, Gaussian; their training and their partition functions."""
