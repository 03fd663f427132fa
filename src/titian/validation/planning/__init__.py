"""How many cases a validation study needs."""
