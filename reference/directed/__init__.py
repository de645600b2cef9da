"""Directed models: belief nets of any depth, deep belief networks."""
