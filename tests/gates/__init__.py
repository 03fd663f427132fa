"""Each gate of the project, and the proof that it can turn red."""
