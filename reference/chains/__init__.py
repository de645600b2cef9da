"""Markov chains on finite state spaces."""
