"""What a model asks of an accelerator: matrix products, vector work, and the rest."""
