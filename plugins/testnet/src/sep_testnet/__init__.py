"""Local Ethereum nodes with genuine Uniswap contracts: a testnet in a box."""
