"""Ground floor: the namespace and device of the arrays at hand, and random streams."""
