"""Pools are named by id or by address, nothing else."""

import pytest
from pydantic import ValidationError
from sep_venue_balancer import BalancerConfig

ADDRESS = "0x93d199263632a4EF4Bb438F1feB99e57b4b5f0BD"
ID = "0x93d199263632a4EF4Bb438F1feB99e57b4b5f0BD0000000000000000000005C2"


def test_both_names_are_kept_in_lower_case() -> None:
    assert BalancerConfig.model_validate({"pools": [ADDRESS, ID]}).pools == (ADDRESS.lower(), ID.lower())


@pytest.mark.parametrize("pools", [[], ["0x12"], [ID[:-1]], [ID + "0"], ["stable"], [7]])
def test_other_names_are_refused(pools: list[object]) -> None:
    with pytest.raises(ValidationError):
        BalancerConfig.model_validate({"pools": pools})
