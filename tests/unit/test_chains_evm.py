"""The preset of Ethereum, and what node texts mean."""

import pytest
from pydantic import ValidationError
from sep_chain_evm import Ethereum, EthereumConfig
from sep_hooks.chain import ChainPreset
from sep_hooks.context import PluginContext
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import AnswerKind

from sep_core.chains.broadcast import meaning

PUBLIC = "https://node.example/v2/key"


def preset(**config: object) -> ChainPreset:
    context = PluginContext("ethereum", FakeClock(), FakeLog())
    return Ethereum(EthereumConfig.model_validate({"rpc": PUBLIC, **config}), context).preset()


def test_mainnet_is_the_default_and_no_test_chain() -> None:
    found = preset()
    assert (found.chain_id, found.test, found.finality.rule) == (1, False, "finalized")
    assert found.transaction_gas_limit == 2**24
    assert found.wrapped_native == "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    assert found.minimum_tip > 0


@pytest.mark.parametrize(
    ("config", "test"),
    [
        ({"rpc": "http://127.0.0.1:8545"}, True),
        ({"rpc": ["http://localhost:1", "http://[::1]:2"]}, True),
        ({"rpc": ["http://127.0.0.1:8545", PUBLIC]}, False),
        ({"rpc": "http://127.0.0.1.evil.example"}, False),
        ({"rpc": "http://127.0.0.1:8545@evil.example/"}, False),
        ({"rpc": "http://localhost@evil.example"}, False),
        ({"rpc": "http://user:pass@127.0.0.1:8545/path?x=@y"}, True),
        ({"rpc": "http://evil.example?@127.0.0.1"}, False),
        ({"rpc": "http://evil.example#@127.0.0.1"}, False),
        ({"rpc": "HTTP://LOCALHOST:1"}, True),
        ({"chain_id": 11155111}, True),
        ({"chain_id": 10, "wrapped_native": "0x4200000000000000000000000000000000000006"}, False),
    ],
)
def test_what_counts_as_a_test_chain(config: dict[str, object], test: bool) -> None:
    assert preset(**config).test is test


@pytest.mark.parametrize(
    "config",
    [
        {"rpc": []},
        {"rpc": "ftp://x"},
        {"rpc": "node.example"},
        {"rpc": "http://"},
        {"rpc": "http://a b"},
        {"rpc": "http://evil.example\\@127.0.0.1"},
        {"chain_id": 0},
        {"chain_id": 5},
        {"finality": "depth"},
        {"finality_depth": 3},
        {"finality": "latest"},
        {"minimum_tip": 0},
        {"surprise": 1},
    ],
)
def test_broken_tables_are_refused_without_showing_the_key(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as raised:
        EthereumConfig.model_validate({"rpc": "https://node.example/secret", **config})
    assert "secret" not in str(raised.value)


def test_endpoints_hide_in_the_config_and_show_to_the_kernel() -> None:
    config = EthereumConfig.model_validate({"rpc": [PUBLIC]})
    assert "key" not in repr(config)
    assert Ethereum(config, PluginContext("e", FakeClock(), FakeLog())).endpoints() == (PUBLIC,)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("already known", AnswerKind.KNOWN),
        ("ALREADY KNOWN", AnswerKind.KNOWN),
        ("transaction already imported", AnswerKind.KNOWN),
        ("AlreadyKnown", AnswerKind.KNOWN),
        ("nonce too low: next nonce 5, tx nonce 4", AnswerKind.NONCE_TOO_LOW),
        ("replacement transaction underpriced", AnswerKind.UNDERPRICED),
        ("transaction underpriced: tip needed 1, tip permitted 0", AnswerKind.AMBIGUOUS),
        ("max fee per gas less than block base fee", AnswerKind.AMBIGUOUS),
        ("Insufficient funds for gas * price + value", AnswerKind.AMBIGUOUS),
        ("intrinsic gas too low", AnswerKind.AMBIGUOUS),
        ("unknown transaction type", AnswerKind.AMBIGUOUS),
        ("txpool is full", AnswerKind.AMBIGUOUS),
        ("", AnswerKind.AMBIGUOUS),
    ],
)
def test_texts_of_nodes(text: str, kind: AnswerKind) -> None:
    assert meaning(text, preset().broadcast_texts) is kind
