"""Conformance of chains: the preset is sane, and unknown answers stay ambiguous."""

from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from sep_hooks.chain import ChainAdapter, ChainPreset
from sep_hooks.config import PluginConfig
from sep_hooks.testing.purity import impurities
from sep_hooks.types import AnswerKind, address

type AnyChain = ChainAdapter[PluginConfig]

_ACCEPTED = frozenset({AnswerKind.KNOWN, AnswerKind.NONCE_TOO_LOW, AnswerKind.UNDERPRICED})
_UNCLEAR = (
    "insufficient funds",
    "intrinsic gas too low",
    "transaction underpriced",
    "unknown transaction type",
    "",
)


class ChainSuite:
    """Subclass it and define the fixture `chain`, an instance as configured."""

    def test_c01_configuration_is_closed_and_frozen(self, chain: AnyChain) -> None:
        """SEP-C01: the configuration is a frozen table that refuses unknown keys."""
        assert issubclass(type(chain).Config, PluginConfig)
        assert type(chain).Config.model_config.get("frozen") is True
        with pytest.raises(ValidationError):
            type(chain).Config.model_validate({"a key that no chain has": 1})

    def test_c02_source_is_pure(self, chain: AnyChain) -> None:
        """SEP-C02: no clock, randomness, file, socket, task or thread of its own."""
        assert impurities(type(chain)) == ()

    def test_c03_preset_is_sane(self, chain: AnyChain) -> None:
        """SEP-C03: the preset is the same each time, with numbers that a chain can have."""
        preset = chain.preset()
        assert type(preset) is ChainPreset
        assert preset == chain.preset()
        assert preset.name
        assert preset.chain_id > 0
        assert preset.block_time_seconds > 0
        assert preset.transaction_gas_limit >= 21_000
        assert preset.minimum_tip >= 1, "a tip is never zero"
        assert preset.wrapped_native == address(preset.wrapped_native)
        assert (preset.finality.rule == "depth") == (preset.finality.depth > 0)

    def test_c04_has_a_way_to_speak(self, chain: AnyChain) -> None:
        """SEP-C04: a transport of its own, or HTTP endpoints."""
        if chain.transport() is not None:
            return
        assert chain.endpoints()
        for endpoint in chain.endpoints():
            assert urlsplit(endpoint).scheme in ("http", "https")

    def test_c05_only_clear_texts_are_listed(self, chain: AnyChain) -> None:
        """SEP-C05: texts are fragments in lower case, and what is no evidence matches none of them."""
        texts = chain.preset().broadcast_texts
        for fragment, kind in texts:
            assert fragment
            assert fragment == fragment.lower()
            assert kind in _ACCEPTED
        for unclear in _UNCLEAR:
            assert not any(fragment in unclear for fragment, _ in texts)
