"""Whether a model file is safe to open, found without opening it: default deny."""
