"""Commands that take a trained model to a priced, placed and bit-exact accelerator."""
