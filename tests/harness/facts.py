"""Facts as a log would give them back."""

from sep_core.events.codec import encode
from sep_core.events.registry import Fact, decode_fact, encode_fact, fact_type


def as_read(fact: Fact) -> Fact:
    """A fact after it was written and read."""
    return decode_fact(*fact_type(fact), encode(encode_fact(fact)))
