//! The exchange: money is conserved, ids stay unique, faults are what they say, and all repeats.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use sep_book::{Exchange, Genesis, Side};
use serde_json::{Value, json};

fn genesis(seed: u64, latency: (u64, u64), flow: bool) -> Genesis {
    let flow =
        flow.then(|| json!({"every_ms": 10, "levels": 8, "lots": [1, 40], "takes_percent": 30}));
    let document = json!({
        "seed": seed,
        "assets": {"WETH": 18, "USDC": 6},
        "markets": [{
            "name": "WETH-USDC", "base": "WETH", "quote": "USDC",
            "lot": "1000000000000000", "tick": "10", "least_notional": "1000000",
            "maker_fee_ppm": -20, "taker_fee_ppm": 450, "price": 300_000,
        }],
        "accounts": {"fund": {"WETH": "10000000000000000000", "USDC": "30000000000"}},
        "latency_ms": [latency.0, latency.1],
        "flow": flow,
    });
    Genesis::parse(&document.to_string()).unwrap()
}

fn submit(id: &str, side: &str, price: u64, size: u64, how: &str) -> String {
    json!({"method": "submit", "client_id": id, "market": "WETH-USDC", "side": side, "price": price,
           "size": size, "time_in_force": how, "expires_ms": 1_000_000_u64})
    .to_string()
}

/// Asks and waits by the exchange's own clock.
fn call(exchange: &mut Exchange, now: &mut u64, request: &str) -> Value {
    let ticket = exchange.ask("fund", *now, request).unwrap();
    loop {
        let told: Value = serde_json::from_str(&exchange.told(ticket, *now)).unwrap();
        match told.get("wait_ms").and_then(Value::as_u64) {
            Some(wait) => *now += wait,
            None => return told,
        }
    }
}

fn totals(exchange: &Exchange) -> (i128, i128) {
    (
        exchange.accounts().total("WETH"),
        exchange.accounts().total("USDC"),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn money_is_conserved_and_all_repeats(
        seed in any::<u64>(),
        orders in prop::collection::vec((any::<bool>(), 299_980..300_020_u64, 1..200_u64, 0..4_usize, 0..50_u64), 1..40),
    ) {
        let kinds = ["GOOD_TILL_CANCELLED", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL", "POST_ONLY"];
        let run = |exchange: &mut Exchange| {
            let mut now = 0;
            let mut told = Vec::new();
            for (place, (buys, price, size, kind, wait)) in orders.iter().enumerate() {
                now += wait;
                let side = if *buys { "BUY" } else { "SELL" };
                told.push(call(exchange, &mut now, &submit(&place.to_string(), side, *price, *size, kinds[*kind])));
                if place % 3 == 0 {
                    let cancel = json!({"method": "cancel", "client_id": (place / 2).to_string()}).to_string();
                    told.push(call(exchange, &mut now, &cancel));
                }
            }
            told.push(call(exchange, &mut now, r#"{"method": "balances"}"#));
            told
        };
        let mut exchange = Exchange::new(genesis(seed, (0, 30), true), 0).unwrap();
        let mut copy = exchange.clone();
        let before = totals(&exchange);
        let told = run(&mut exchange);
        prop_assert_eq!(before, totals(&exchange));
        prop_assert_eq!(told, run(&mut copy));
        // A closed order binds nothing.
        let mut now = exchange.now_ms();
        for place in 0..orders.len() {
            call(&mut exchange, &mut now, &json!({"method": "cancel", "client_id": place.to_string()}).to_string());
        }
        let held = call(&mut exchange, &mut now, r#"{"method": "balances"}"#);
        for one in held["answer"].as_array().unwrap() {
            prop_assert_eq!(one["held"].as_str(), Some("0"));
        }
    }

    #[test]
    fn an_order_costs_what_its_levels_say(size in 1..120_u64, buys in any::<bool>()) {
        let mut exchange = Exchange::new(genesis(7, (0, 0), true), 0).unwrap();
        let mut now = 0;
        let book = call(&mut exchange, &mut now, r#"{"method": "book", "market": "WETH-USDC"}"#);
        let (levels, side, limit) = if buys { ("asks", "BUY", 400_000) } else { ("bids", "SELL", 1) };
        let mut left = size;
        let mut worth = 0_u128;
        for level in book["answer"][levels].as_array().unwrap() {
            let lots = level[1].as_u64().unwrap().min(left);
            worth += u128::from(level[0].as_u64().unwrap()) * u128::from(lots) * 10;
            left -= lots;
        }
        let before = exchange.accounts().balance(exchange.accounts().find("fund").unwrap(), "USDC").free;
        let told = call(&mut exchange, &mut now, &submit("x", side, limit, size, "IMMEDIATE_OR_CANCEL"));
        if told.get("refused").is_some() {
            // The hold at a far limit is more than the account has.
            return Ok(());
        }
        prop_assert_eq!(told["answer"]["filled"].as_u64().unwrap(), size - left);
        let after = exchange.accounts().balance(exchange.accounts().find("fund").unwrap(), "USDC").free;
        let fee = (worth * 450).div_ceil(1_000_000);
        let expected = if buys { before - worth - fee } else { before + worth - fee };
        prop_assert_eq!(after, expected);
    }
}

#[test]
fn a_client_order_id_is_unique_for_ever() {
    let mut exchange = Exchange::new(genesis(1, (0, 0), true), 0).unwrap();
    let mut now = 0;
    let order = submit("once", "BUY", 300_020, 1, "IMMEDIATE_OR_CANCEL");
    assert_eq!(
        call(&mut exchange, &mut now, &order)["answer"]["status"],
        "FILLED"
    );
    let again = call(&mut exchange, &mut now, &order);
    assert!(again["refused"].as_str().unwrap().contains("in use"));
}

#[test]
fn a_lost_answer_leaves_the_order_and_a_lost_message_none() {
    for taken in [true, false] {
        let mut exchange = Exchange::new(genesis(1, (5, 5), true), 0).unwrap();
        let faults = json!({"control": "faults", "faults": [
            {"method": "submit", "kind": "lost", "taken": taken, "at": [1]}]});
        exchange.control(&faults.to_string()).unwrap();
        let mut now = 0;
        let told = call(
            &mut exchange,
            &mut now,
            &submit("a", "BUY", 300_020, 1, "GOOD_TILL_CANCELLED"),
        );
        assert_eq!(told["lost"], true);
        let found = call(
            &mut exchange,
            &mut now,
            r#"{"method": "lookup", "client_id": "a"}"#,
        );
        assert_eq!(found["answer"].is_null(), !taken);
        assert_eq!(exchange.faulted(), 1);
    }
}

#[test]
fn what_arrives_after_its_expiry_is_not_taken_in() {
    let mut exchange = Exchange::new(genesis(1, (0, 0), true), 0).unwrap();
    let faults = json!({"control": "faults", "faults": [
        {"method": "submit", "kind": "late", "by_ms": 2_000_000, "at": [1]}, {"method": "submit", "kind": "late", "by_ms": 500, "at": [2]}]});
    exchange.control(&faults.to_string()).unwrap();
    let mut now = 0;
    for id in ["too late", "in time"] {
        let told = call(
            &mut exchange,
            &mut now,
            &submit(id, "BUY", 300_020, 1, "IMMEDIATE_OR_CANCEL"),
        );
        assert_eq!(told["lost"], true);
    }
    let lookup = |id: &str| json!({"method": "lookup", "client_id": id}).to_string();
    assert!(call(&mut exchange, &mut now, &lookup("in time"))["answer"].is_null());
    exchange.advance(3_000_000);
    now = exchange.now_ms();
    assert!(call(&mut exchange, &mut now, &lookup("too late"))["answer"].is_null());
    assert_eq!(
        call(&mut exchange, &mut now, &lookup("in time"))["answer"]["status"],
        "FILLED"
    );
}

#[test]
fn malformed_documents_are_named() {
    for (change, why) in [
        (json!({"markets": [{"name": "x"}]}), "missing field"),
        (json!({"stranger": 1}), "unknown field"),
        (json!({"assets": {}}), "there is no asset WETH"),
    ] {
        let mut document = serde_json::to_value(genesis(1, (0, 0), false)).unwrap();
        for (key, value) in change.as_object().unwrap() {
            document[key] = value.clone();
        }
        let error = Genesis::parse(&document.to_string()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn others_trade_however_often_the_clock_is_moved() {
    let run = |step: usize| {
        let mut exchange = Exchange::new(genesis(3, (0, 0), true), 0).unwrap();
        for now in (0..=2_000).step_by(step) {
            exchange.advance(now);
        }
        exchange.count()
    };
    assert!(run(1) > 150);
    assert_eq!(run(1), run(500));
}

/// All that an account could ever learn of the exchange.
fn known(exchange: &Exchange) -> Vec<String> {
    let fund = exchange.accounts().find("fund").unwrap();
    let book = exchange.book("WETH-USDC").unwrap();
    let mut told: Vec<_> = exchange
        .orders()
        .filter(|one| one.owner == fund)
        .map(|one| format!("{} {} {:?}", one.client_id, one.filled, one.status))
        .collect();
    told.extend(exchange.trades().iter().map(|one| format!("{one:?}")));
    told.extend(
        exchange
            .accounts()
            .of(fund)
            .map(|(asset, held)| format!("{asset} {held:?}")),
    );
    for side in [Side::Buy, Side::Sell] {
        told.push(format!("{:?}", book.depth(side, usize::MAX)));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_arrived_makes_the_same_exchange_again(
        seed in any::<u64>(),
        orders in prop::collection::vec((any::<bool>(), 299_990..300_010_u64, 1..90_u64, 0..4_usize, 0..900_u64), 1..30),
    ) {
        let kinds = ["GOOD_TILL_CANCELLED", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL", "POST_ONLY"];
        let mut first = Exchange::new(genesis(seed, (0, 30), true), 0).unwrap();
        let mut now = 0;
        for (place, (buys, price, size, kind, wait)) in orders.iter().enumerate() {
            now += wait;
            let side = if *buys { "BUY" } else { "SELL" };
            call(&mut first, &mut now, &submit(&place.to_string(), side, *price, *size, kinds[*kind]));
            call(&mut first, &mut now, r#"{"method": "balances"}"#);
            if place % 4 == 1 {
                call(&mut first, &mut now, &json!({"method": "cancel", "client_id": (place - 1).to_string()}).to_string());
            }
        }
        now += 1_000;
        first.advance(now);
        let arrivals = first.control(r#"{"control": "arrivals", "after": 0}"#).unwrap();
        let mut second = Exchange::new(genesis(seed, (0, 30), true), 0).unwrap();
        let replay = format!(r#"{{"control": "replay", "arrivals": {arrivals}}}"#);
        second.control(&replay).unwrap();
        second.advance(now);
        prop_assert_eq!(known(&first), known(&second));
    }
}
