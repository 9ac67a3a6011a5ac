"""Facts about venues; stream `venue:<instance>`."""

from typing import Literal

from sep_core.events.registry import Fact, fact

type VenueStanding = Literal["ok", "stale", "circuit_open", "disabled"]


@fact("VenueStandingChanged")
class VenueStandingChanged(Fact):
    """Whether plans use a venue, from now on: `ok` is what it stands at before the first of these facts.

    `by` is who saw or wanted it: `engine`, or the face through which an operator spoke.
    """

    venue: str
    standing: VenueStanding
    reason: str
    by: str
