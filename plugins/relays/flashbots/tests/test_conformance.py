"""The package is what it says."""

from sep_hooks.testing.packaging import PackagingSuite


class TestPackaging(PackagingSuite):
    """Manifest, entry points and import."""

    dist = "sep-relay-flashbots"
