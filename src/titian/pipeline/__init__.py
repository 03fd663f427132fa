"""Reads the project file, orders stages, runs, caches and signs them."""
