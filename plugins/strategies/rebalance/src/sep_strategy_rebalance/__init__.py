"""Keeps two assets at a weight by acquiring and disposing."""
