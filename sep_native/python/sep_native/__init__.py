"""The native core of SEP. Import from its nouns: `log`, `amm`, `route`, `decode`, `sign`, `sim`."""
