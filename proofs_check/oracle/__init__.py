"""Independent channels: what checks compare the reference with.

Nothing here imports the reference but its types, so that a mistake in it cannot be in both.
"""
