"""The vectors of the native crate are those of the references, and the references agree with numbers of others."""

import pytest

from tests.oracles import amm_vectors
from tests.oracles.stable_swap import CurvePool


@pytest.mark.parametrize("family", amm_vectors.FAMILIES)
def test_the_file_is_what_the_reference_says(family: str) -> None:
    assert (amm_vectors.FOLDER / f"{family}.txt").read_text() == amm_vectors.text(family)


def test_the_reference_agrees_with_another_implementation() -> None:
    lines = (amm_vectors.FOLDER / "curve_other.txt").read_text().splitlines()
    assert len(lines) == 300
    for line in lines:
        _, balances, rates, _, amplification, fee, _, i, j, amount, _, result = line.split("; ")
        pool = CurvePool(
            [int(text) for text in balances.split()],
            [int(text) for text in rates.split()],
            int(amplification),
            int(fee),
        )
        assert pool.amount_out(int(i), int(j), int(amount)) == int(result), line
