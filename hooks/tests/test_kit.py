"""The kit for authors: fakes, the ABI, what importing may do, packaging, and the pytest plugin."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.context import Abi, Clock, Log, Rpc, RpcFailed, RpcOk, RpcRequest
from sep_hooks.errors import CallReverted, Permanent, RpcUnavailable
from sep_hooks.testing.abi import EthAbi, selector, split_types
from sep_hooks.testing.dists import manifest_text, write_dist
from sep_hooks.testing.fakes import FakeClock, FakeLog, FakeRpc, plugin_context, venue_context
from sep_hooks.testing.import_purity import measure_import

WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"


def test_the_fakes_are_what_plugins_are_handed() -> None:
    clock: Clock = FakeClock()
    log: Log = FakeLog()
    rpc: Rpc = FakeRpc()
    abi: Abi = EthAbi()
    context = venue_context(FakeRpc(), "uni", chain_id=10)
    assert (context.instance, context.chain_id) == ("uni", 10)
    assert plugin_context(clock=clock, log=log).clock is clock
    assert rpc is not None
    assert abi is not None


def test_time_stands_still_until_it_is_moved() -> None:
    clock = FakeClock()
    before = clock.now()
    clock.advance(timedelta(seconds=5))
    assert clock.now() - before == timedelta(seconds=5)
    with pytest.raises(AssertionError):
        clock.advance(timedelta(seconds=-1))


def test_messages_are_kept() -> None:
    log = FakeLog()
    log.warning("slow", seconds=3)
    assert [(one.level, one.event, one.fields) for one in log.messages] == [
        ("warning", "slow", {"seconds": 3})
    ]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_answers_follow_the_script() -> None:
    rpc = FakeRpc()
    rpc.answer("eth_blockNumber", "0x1", "0x2")
    rpc.answer("eth_call", CallReverted("no"), params=({"to": WETH}, "latest"))
    rpc.answer("eth_call", "0x")
    assert [await rpc.call(RpcRequest("eth_blockNumber")) for _ in range(3)] == [b'"0x1"', b'"0x2"', b'"0x2"']
    with pytest.raises(CallReverted):
        await rpc.call(RpcRequest("eth_call", ({"to": WETH}, "latest")))
    with pytest.raises(RpcUnavailable, match="eth_getLogs"):
        await rpc.call(RpcRequest("eth_getLogs"))
    good, bad = await rpc.calls([RpcRequest("eth_call", ("other",)), RpcRequest("eth_nothing")])
    assert good == RpcOk(b'"0x"')
    assert isinstance(bad, RpcFailed)
    assert len(rpc.requests) == 7


def test_calls_are_encoded_as_the_chain_expects() -> None:
    data = EthAbi().encode_call("transfer(address,uint256)", [WETH, 10**18])
    assert data.hex() == "a9059cbb" + "0" * 24 + WETH[2:] + f"{10**18:064x}"
    assert EthAbi().decode_call("transfer(address,uint256)", data) == (WETH, 10**18)
    assert (
        selector("exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))").hex()
        == "04e45aaf"
    )
    with pytest.raises(Permanent, match="selector"):
        EthAbi().decode_call("approve(address,uint256)", data)


@pytest.mark.parametrize(
    ("types", "members"),
    [
        ("()", []),
        ("(uint256)", ["uint256"]),
        ("(address, (uint256,bytes)[], bool)", ["address", "(uint256,bytes)[]", "bool"]),
        ("((uint8,uint8),(uint8,uint8))", ["(uint8,uint8)", "(uint8,uint8)"]),
    ],
)
def test_tuples_of_types_are_split(types: str, members: Sequence[str]) -> None:
    assert split_types(types) == members


def test_malformed_data_is_a_permanent_error() -> None:
    for data in (b"", b"\x01", b"\xff" * 32):
        with pytest.raises(Permanent):
            EthAbi().decode("(uint256,bytes)", data)
    with pytest.raises(Permanent):
        EthAbi().encode("(uint8)", [256])


@given(
    numbers=st.lists(st.integers(0, 2**256 - 1), max_size=4),
    blob=st.binary(max_size=70),
    flag=st.booleans(),
    who=st.binary(min_size=20, max_size=20),
)
def test_what_is_encoded_is_decoded(numbers: list[int], blob: bytes, flag: bool, who: bytes) -> None:
    values = (tuple(numbers), (blob, flag), "0x" + who.hex())
    types = "(uint256[],(bytes,bool),address)"
    assert EthAbi().decode(types, EthAbi().encode(types, values)) == values


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", ""),
        ("import socket; socket.socket().close()", "opens a socket"),
        ("import os; os.system('true')", "shell"),
        ("import os; os.fork()", "forks"),
        ("import _thread; _thread.start_new_thread(int, ())", "starts a thread"),
        ("open('/dev/null', 'a').close()", "writes the file /dev/null"),
        ("import os; os.environ['X'] = '1'", "environment"),
        ("1 / 0", "ZeroDivisionError"),
        ("import os; os._exit(4)", "code 4"),
        ("import time\nwhile time.process_time() < 1.0: pass", "ms of CPU"),
        ("import sep_core", "imports sep_core"),
    ],
)
def test_an_import_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str) -> None:
    (tmp_path / "acme_watched.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report = measure_import("acme_watched")
    assert report.ok is (not said)
    assert said in f"{report.error} {report.breaches}"
    assert not (tmp_path / "__pycache__").exists()


RULE = """
    from sep_hooks.config import PluginConfig
    from sep_hooks.risk import RiskRule

    class Rule(RiskRule[PluginConfig]):
        Config = PluginConfig
        version = "1"

        def assess(self, plan, view, stage):
            return ()
"""
CASES = """
    from sep_hooks.testing.packaging import PackagingSuite

    class TestPackaging(PackagingSuite):
        dist = "acme-rule"

    def test_has_fakes(fake_clock, fake_log, fake_rpc, eth_abi):
        assert fake_rpc.requests == []
"""


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({}, set()),
        (
            {
                "manifest": manifest_text("risk", "other", api=">=9"),
                "code": "class Rule: pass\nimport socket\nsocket.socket().close()\n",
                "typed": "",
            },
            {"SEP-P02", "SEP-P03", "SEP-P04", "SEP-P05", "SEP-P07"},
        ),
    ],
)
def test_the_packaging_suite_finds_what_is_wrong(
    tmp_path: Path, change: dict[str, str], failing: set[str]
) -> None:
    site = tmp_path / "site"
    files = {
        "acme_rule/__init__.py": change.get("code", RULE),
        "acme_rule/sep-plugin.toml": change.get("manifest", manifest_text("risk", "acme")),
    }
    if "typed" not in change:
        files["acme_rule/py.typed"] = ""
    write_dist(
        site, "acme-rule", entry_points={"sep_core.risk": {"acme": "acme_rule:Rule"}}, files=files
    )  # fmt: skip
    tests = tmp_path / "suite"
    tests.mkdir()
    (tests / "conftest.py").write_text('pytest_plugins = ["sep_hooks.testing.plugin"]\n')
    (tests / "test_acme.py").write_text(dedent(CASES))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tests),
         "--conformance", str(tmp_path / "out.json"), str(tests)],
        env={**os.environ, "PYTHONPATH": str(site), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, cwd=tests,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    outcome = json.loads((tmp_path / "out.json").read_text())
    cases = outcome["cases"]
    assert set(cases) == {f"SEP-P0{number}" for number in range(1, 8)}, done.stdout
    assert {case for case, results in cases.items() if "failed" in results.values()} == failing, done.stdout
    assert (done.returncode == 0) is (not failing)
