"""Flashbots, and other relays that speak the same words, for SEP."""

from sep_relay_flashbots.config import FlashbotsConfig
from sep_relay_flashbots.relay import Flashbots

__all__ = ["Flashbots", "FlashbotsConfig"]
