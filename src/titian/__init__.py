"""Titian: from raw data to a signed release dossier."""

__version__ = "0.1.0"
