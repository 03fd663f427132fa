"""8-bit networks: made from a model, read, computed exactly, and compared."""
