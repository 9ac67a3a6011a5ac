"""The snapshot file: what is written is read again, and what is wrong is refused at its place."""

import copy
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sep_core.markets.snapshot_format import snapshot_schema
from sep_core.markets.snapshot_reader import read_snapshot, snapshot_of
from sep_core.markets.snapshot_writer import snapshot_document
from sep_core.markets.strict_json import FileRefused, decode_strictly, read_file

from ..harness.mainnet import POOLS, mainnet_document

ETH, USD, BTC, DAI = (f"eip155:1/erc20:0x{byte * 20}" for byte in ("0a", "0b", "0c", "0d"))
E18 = 10**18


def market(name: str, family: str, assets: list[str], state: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"v/{name}",
        "venue": "v",
        "chain": "eip155:1",
        "family": family,
        "address": None,
        "assets": assets,
        "fee_ppm": 3000,
        "gas": 100_000,
        "state": state,
    }


def document() -> dict[str, Any]:
    """One market of each family."""
    return {
        "format": "sep-snapshot",
        "version": 1,
        "chains": [
            {
                "chain": "eip155:1",
                "block": {"number": 7, "hash": "0x" + "07" * 32, "timestamp": 1_700_000_000},
                "fee_per_gas": "1000000000",
                "gas_asset": ETH,
            }
        ],
        "assets": [
            {"id": ETH, "symbol": "WETH", "decimals": 18},
            {"id": USD, "symbol": "USDC", "decimals": 6},
            {"id": BTC, "symbol": "WBTC", "decimals": 8},
            {"id": DAI, "symbol": "DAI", "decimals": 18},
        ],
        "markets": [
            market(
                "product",
                "constant_product",
                [ETH, USD],
                {"reserve0": str(10**21), "reserve1": str(2 * 10**12), "fee_ppm": 3000},
            ),
            market(
                "ticks",
                "concentrated_liquidity",
                [ETH, USD],
                {
                    "sqrt_price_x96": str(3543191142285914205922034),
                    "tick": -200312,
                    "liquidity": str(10**17),
                    "fee_ppm": 500,
                    "tick_spacing": 10,
                    "ticks": [[-201_000, str(10**17)], [-200_000, str(-(10**17))]],
                    "loaded": [-887_272, 887_272],
                },
            ),
            market(
                "stable",
                "stable_swap",
                [USD, DAI],
                {
                    "balances": [str(10**12), str(10**24)],
                    "rates": [str(10**30), str(10**18)],
                    "amplification": "20000",
                    "fee": "4000000",
                    "rule": "curve",
                },
            ),
            market(
                "weighted",
                "weighted_product",
                [ETH, USD, BTC],
                {
                    "balances": [str(10**21), str(10**12), str(25 * 10**8)],
                    "scaling": [str(E18), str(10**30), str(10**28)],
                    "weights": [str(E18 // 2), str(E18 // 4), str(E18 // 4)],
                    "fee": str(3 * 10**15),
                },
            ),
            market(
                "book",
                "order_book",
                [ETH, USD],
                {
                    "sequence": 4,
                    "bids": [["1999", "5"], ["1998", "10"]],
                    "asks": [["2001", "5"], ["2002", "10"]],
                    "lot": str(10**16),
                    "tick": str(10**4),
                    "taker_fee_ppm": 500,
                    "least_notional": "0",
                },
            ),
            market(
                "lane",
                "lane",
                [USD, ETH],
                {
                    "rate": [str(E18), str(2001 * 10**6)],
                    "fee_ppm": 100,
                    "fixed_fee": "1000000",
                    "capacity": str(10**12),
                    "delay_seconds": 60,
                },
            ),
            market(
                "sampled",
                "sampled",
                [ETH, BTC],
                {
                    "ladders": [
                        {
                            "asset_in": ETH,
                            "asset_out": BTC,
                            "samples": [[str(E18), "5000000"], [str(2 * E18), "9900000"]],
                        }
                    ]
                },
            ),
        ],
        "left_out": [{"name": "v/other", "reason": "it does not answer"}],
    }


def written(value: object) -> bytes:
    return json.dumps(value).encode()


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value = document()
    change(value)
    return value


def test_every_family_is_read_and_written_as_it_was() -> None:
    first = read_snapshot(written(document()), "it")
    assert {one.family for one in first.markets.values()} == {one["family"] for one in document()["markets"]}
    again = snapshot_document(first)
    assert again == {
        **document(),
        "digest": first.digest,
        "markets": sorted(document()["markets"], key=lambda one: str(one["id"])),
    }
    second = read_snapshot(written(again), "it")
    assert second.digest == first.digest
    assert (second.markets, second.states, second.assets) == (first.markets, first.states, first.assets)


@pytest.mark.skipif(not POOLS.is_file(), reason=f"no sample data at {POOLS}; set SEP_SAMPLE_DATA")
def test_real_pools_are_read_and_written_as_they_were() -> None:
    first = read_snapshot(written(mainnet_document()), "it")
    assert len(first.network) == 19
    assert snapshot_document(read_snapshot(written(snapshot_document(first)), "it")) == snapshot_document(
        first
    )


def test_the_shipped_schema_is_that_of_the_reader() -> None:
    shipped = files("sep_core.markets").joinpath("snapshot.schema.json").read_text()
    assert json.loads(shipped) == snapshot_schema(), (
        "write it anew: python -m sep_core.markets.snapshot_format"
    )


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("", lambda it: it.update(format="other")),
        ("", lambda it: it.update(version=2)),
        ("", lambda it: it.update(version=True)),
        ("", lambda it: it.update(version="1")),
        ("", lambda it: it.pop("format")),
        ("/extra", lambda it: it.update(extra=1)),
        ("/chains", lambda it: it.update(chains=[])),
        ("/chains", lambda it: it.pop("chains")),
        ("/chains/1/chain", lambda it: it["chains"].append(it["chains"][0])),
        ("/chains/0/block/hash", lambda it: it["chains"][0]["block"].update(hash="0x12")),
        ("/chains/0/gas_asset", lambda it: it["chains"][0].update(gas_asset="eip155:1/erc20:0x" + "0e" * 20)),
        ("/chains/0/fee_per_gas", lambda it: it["chains"][0].update(fee_per_gas=7)),
        ("/assets/4/id", lambda it: it["assets"].append(it["assets"][0])),
        ("/assets/0/id", lambda it: it["assets"][0].update(id="WETH")),
        ("/assets/0/symbol", lambda it: it["assets"][0].update(symbol="W\u202eETH")),
        ("/assets/0/decimals", lambda it: it["assets"][0].update(decimals=78)),
        ("/assets/0/decimals", lambda it: it["assets"][0].update(decimals="18")),
        ("/markets/7/id", lambda it: it["markets"].append(it["markets"][0])),
        ("/markets/0/chain", lambda it: it["markets"][0].update(chain="eip155:2")),
        (
            "/markets/0/assets/1",
            lambda it: it["markets"][0].update(assets=[ETH, "eip155:1/erc20:0x" + "0e" * 20]),
        ),
        ("/markets/0", lambda it: it["markets"][0].update(assets=[ETH, ETH])),
        ("/markets/0/assets", lambda it: it["markets"][0].update(assets=[ETH])),
        ("/markets/0", lambda it: it["markets"][0].update(family="unheard of")),
        ("/markets/0/state/reserve0", lambda it: it["markets"][0]["state"].update(reserve0="1.5")),
        ("/markets/0/state/reserve0", lambda it: it["markets"][0]["state"].update(reserve0=-5)),
        ("/markets/0/state/reserve0", lambda it: it["markets"][0]["state"].update(reserve0="-5")),
        ("/markets/0/state/reserve0", lambda it: it["markets"][0]["state"].update(reserve0="007")),
        ("/markets/0/state/reserve0", lambda it: it["markets"][0]["state"].update(reserve0=str(2**256))),
        ("/markets/0/state/reserve0", lambda it: it["markets"][0]["state"].update(reserve0="٣")),
        ("/markets/0/state/reserve0", lambda it: it["markets"][0]["state"].pop("reserve0")),
        ("/markets/0/state/fee_ppm", lambda it: it["markets"][0]["state"].update(fee_ppm=1_000_000)),
        ("/markets/0/gas", lambda it: it["markets"][0].update(gas=2**40)),
        ("/markets/0/id", lambda it: it["markets"][0].update(id="")),
        ("/markets/0", lambda it: it["markets"][0].update(id="with blank")),
        ("/markets/1/state", lambda it: it["markets"][1]["state"].update(tick=5)),
        ("/markets/1/state/ticks/0/0", lambda it: it["markets"][1]["state"].update(ticks=[[10**9, "1"]])),
        ("/markets/2", lambda it: it["markets"][2]["state"].update(balances=["1", "2", "3"])),
        ("/markets/2/state/rule", lambda it: it["markets"][2]["state"].update(rule="mine")),
        ("/markets/3/state", lambda it: it["markets"][3]["state"].update(weights=["1", "1", "1"])),
        ("/markets/6", lambda it: it["markets"][6]["state"]["ladders"][0].update(asset_in=USD)),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(
    place: str, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(FileRefused) as refused:
        read_snapshot(written(changed(change)), "it")
    assert refused.value.pointer == place, refused.value.message
    assert refused.value.message.isprintable()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{",
        b'{"format": NaN}',
        b'{"format": 1.5}',
        b'{"format": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 200_000,
        b'{"a":' * 200_000,
    ],
)
def test_what_is_no_strict_json_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused):
        read_snapshot(content, "it")


def test_a_digest_that_is_not_that_of_the_markets_is_refused() -> None:
    sound = snapshot_document(read_snapshot(written(document()), "it"))
    sound["markets"][0]["gas"] += 1
    with pytest.raises(FileRefused, match="digest") as refused:
        snapshot_of(sound, "it", "/snapshot")
    assert refused.value.pointer == "/snapshot/digest"


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_bytes(b" " * 101)
    with pytest.raises(FileRefused, match="100 bytes"):
        read_file(path, 100)
    assert read_file(path, 101) == b" " * 101


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["1", "0", ETH, "v/book"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_place_is_taken_or_refused_and_nothing_else(data: st.DataObject) -> None:
    value = copy.deepcopy(document())
    at: Any = value
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.integers(0, 4)) == 0:
            break
        at = at[key]
    at[key] = data.draw(_json)
    try:
        read = snapshot_of(decode_strictly(written(value), "it"), "it")
    except FileRefused:
        return
    assert snapshot_of(snapshot_document(read), "it").digest == read.digest
