"""Limits on notional, share of holdings, slippage and lists of what is allowed."""
