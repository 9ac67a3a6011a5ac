//! Interfaces of the emulated contracts.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::too_many_arguments
)]

use alloy_sol_types::sol;

sol! {
    interface Erc20 {
        event Transfer(address indexed from, address indexed to, uint256 value);
        event Approval(address indexed owner, address indexed spender, uint256 value);
        function name() external view returns (string);
        function symbol() external view returns (string);
        function decimals() external view returns (uint8);
        function totalSupply() external view returns (uint256);
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 value) external returns (bool);
        function transfer(address to, uint256 value) external returns (bool);
        function transferFrom(address from, address to, uint256 value) external returns (bool);
    }

    interface WrappedNative {
        event Deposit(address indexed dst, uint256 wad);
        event Withdrawal(address indexed src, uint256 wad);
        function deposit() external payable;
        function withdraw(uint256 wad) external;
    }

    interface Pair {
        event Sync(uint112 reserve0, uint112 reserve1);
        event Swap(address indexed sender, uint256 amount0In, uint256 amount1In, uint256 amount0Out, uint256 amount1Out, address indexed to);
        function token0() external view returns (address);
        function token1() external view returns (address);
        function fee() external view returns (uint24);
        function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 blockTimestampLast);
    }

    interface Concentrated {
        event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, uint160 sqrtPriceX96, uint128 liquidity, int24 tick);
        function token0() external view returns (address);
        function token1() external view returns (address);
        function fee() external view returns (uint24);
        function tickSpacing() external view returns (int24);
        function liquidity() external view returns (uint128);
        function slot0() external view returns (uint160 sqrtPriceX96, int24 tick, uint16 observationIndex, uint16 observationCardinality, uint16 observationCardinalityNext, uint8 feeProtocol, bool unlocked);
        function ticks() external view returns (int24[] memory indexes, int128[] memory liquidityNet);
    }

    interface Router {
        function pools() external view returns (address[] memory);
        function swapExactIn(address[] calldata pools, address assetIn, uint256 amountIn, uint256 minimumOut, address recipient, uint256 deadline) external returns (uint256);
        function swapExactOut(address[] calldata pools, address assetIn, uint256 amountOut, uint256 maximumIn, address recipient, uint256 deadline) external returns (uint256);
        function quoteExactIn(address[] calldata pools, address assetIn, uint256 amountIn) external view returns (uint256);
        function quoteExactOut(address[] calldata pools, address assetIn, uint256 amountOut) external view returns (uint256);
    }

    error Error(string reason);
}
