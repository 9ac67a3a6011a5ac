"""The process that alone holds keys: signs what its own policy allows, one payload for each nonce."""
