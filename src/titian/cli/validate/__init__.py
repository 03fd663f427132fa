"""Commands that hold a model's predictions, or the model itself, to the test."""
