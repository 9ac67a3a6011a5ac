"""Names of distributions, and what somebody who misspelt one may have meant."""

import difflib
import re
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[-_.]+")


def normalised(dist: str) -> str:
    """A distribution's name in the one form in which names are compared: lower case, single hyphens."""
    return _SEPARATORS.sub("-", dist).lower()


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names that look most like `name`, as a half-sentence; empty where none does."""
    found = difflib.get_close_matches(name, sorted(set(known)), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(repr(one) for one in found)}?" if found else ""
