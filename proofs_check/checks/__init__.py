"""The checks, one file per document and subject; importing this package registers them all."""
