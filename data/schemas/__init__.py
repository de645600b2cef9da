"""JSON schemas of the command line's outputs."""
