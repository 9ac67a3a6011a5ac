"""What facts are folded into."""

import msgspec


class State(msgspec.Struct, frozen=True):
    """The base of every state that a fact makes anew: a value, frozen and comparable.

    Made anew by `msgspec.structs.replace`: what `dataclasses.replace` does costs fifty times as much, for each event of
    a log.
    """
