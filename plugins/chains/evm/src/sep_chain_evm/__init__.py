"""Ethereum for SEP: preset and family of the chain."""
