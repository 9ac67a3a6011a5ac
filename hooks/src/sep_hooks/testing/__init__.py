"""Conformance suites and test doubles for authors of plugins; needs the extra `testing`."""
