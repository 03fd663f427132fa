"""Disparity: every measure for each group and intersection, and the gaps between them."""
