"""The compiled module; import its names from the noun modules instead."""

__all__: list[str] = []
