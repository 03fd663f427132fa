"""The worst subgroups that nobody named: an exact search, corrected for having searched."""
