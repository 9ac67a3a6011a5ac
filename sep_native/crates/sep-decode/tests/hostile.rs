//! Logs and call data that were mutated at random: a value or a row of its own, never a panic.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use sep_decode::{
    AbiCall, Argument, B256, DynSolValue as V, EventDecoder, I256, RowKind, TypeList, U256,
};

const SWAP: &str = "event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, \
                    uint160 sqrtPriceX96, uint128 liquidity, int24 tick)";
const TRANSFER: &str = "event Transfer(address indexed from, address indexed to, uint256 value)";
const TRANSFER_NFT: &str =
    "event Transfer(address indexed from, address indexed to, uint256 indexed id)";
const NAMED: &str = "event Named(string indexed key, string text, (uint8 a, bytes b)[] pairs, bool done, int64[2] two)";

fn decoder() -> EventDecoder {
    EventDecoder::new(&[SWAP, TRANSFER, TRANSFER_NFT, NAMED]).unwrap()
}

fn word(value: u128) -> [u8; 32] {
    U256::from(value).to_be_bytes()
}

fn swap_log() -> (Vec<B256>, Vec<u8>) {
    let topics = vec![decoder().layouts()[0].topic, word(7).into(), word(8).into()];
    let mut data = Vec::new();
    data.extend(word(5));
    data.extend([0xff; 32]);
    data.extend(word(1 << 96));
    data.extend(word(10));
    data.extend([0xff; 32]);
    (topics, data)
}

fn named_log() -> (Vec<B256>, Vec<u8>) {
    let types = TypeList::parse("string,(uint8,bytes)[],bool,int64[2]").unwrap();
    let pair = |a: u8, b: &[u8]| V::Tuple(vec![V::Uint(U256::from(a), 8), V::Bytes(b.to_vec())]);
    let two = V::FixedArray(vec![V::Int(I256::MINUS_ONE, 64), V::Int(I256::ONE, 64)]);
    let data = types
        .encode(vec![
            V::String("héllo".into()),
            V::Array(vec![pair(1, b"x"), pair(255, &[0; 40])]),
            V::Bool(true),
            two,
        ])
        .unwrap();
    (vec![decoder().layouts()[3].topic, word(3).into()], data)
}

fn decode(topics: &[B256], data: &[u8]) -> RowKind {
    let batch = decoder().decode([(&[1u8; 20][..], topics, data)]);
    assert_eq!(batch.len(), 1);
    let row = batch.row(0).unwrap();
    assert_eq!((row.topics, row.data), (topics, data));
    if let RowKind::Decoded { event, at } = row.kind {
        for column in batch.columns(event).unwrap() {
            assert!(column.get(at).is_some());
            assert_eq!(column.len(), 1);
        }
    }
    row.kind
}

fn to_json(topics: &[B256], data: &[u8]) -> String {
    let topics: Vec<String> = topics.iter().map(|topic| format!("\"{topic}\"")).collect();
    let data = data
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!(
        "{{\"address\":\"0x{}\",\"topics\":[{}],\"data\":\"0x{data}\",\"blockNumber\":\"0x10\",\"logIndex\":\"0x2\",\
         \"blockHash\":null,\"removed\":false,\"transactionIndex\":\"0x1\"}}",
        "01".repeat(20),
        topics.join(",")
    )
}

#[test]
fn good_logs_are_decoded() {
    let (topics, data) = swap_log();
    assert_eq!(decode(&topics, &data), RowKind::Decoded { event: 0, at: 0 });
    let (topics, data) = named_log();
    assert_eq!(decode(&topics, &data), RowKind::Decoded { event: 3, at: 0 });
}

#[test]
fn the_two_transfers_are_told_apart_by_their_topics() {
    let transfer = decoder().layouts()[1].topic;
    let topics = [transfer, word(1).into(), word(2).into(), word(3).into()];
    assert_eq!(
        decode(&topics[..3], &word(9)),
        RowKind::Decoded { event: 1, at: 0 }
    );
    assert_eq!(decode(&topics, &[]), RowKind::Decoded { event: 2, at: 0 });
    assert!(matches!(
        decode(&topics[..2], &word(9)),
        RowKind::Malformed(_)
    ));
    assert!(matches!(decode(&topics[..3], &[]), RowKind::Malformed(_)));
    assert!(matches!(decode(&topics, &word(9)), RowKind::Malformed(_)));
}

#[test]
fn dirty_padding_is_malformed() {
    let (topics, data) = swap_log();
    for (word, byte, value) in [(2, 0, 1), (3, 15, 1), (4, 28, 0), (4, 29, 0x7f)] {
        let mut dirty = data.clone();
        dirty[word * 32 + byte] = value;
        assert!(
            matches!(decode(&topics, &dirty), RowKind::Malformed(_)),
            "{word} {byte}"
        );
    }
    let mut dirty = topics.clone();
    dirty[1].0[0] = 1;
    assert!(matches!(decode(&dirty, &data), RowKind::Malformed(_)));
}

#[test]
fn an_unknown_event_stays_raw() {
    assert_eq!(decode(&[B256::ZERO], &[1, 2, 3]), RowKind::Unknown);
    assert_eq!(decode(&[], &[]), RowKind::Unknown);
}

#[test]
fn signatures_that_cannot_be_told_apart_are_refused() {
    assert!(EventDecoder::new(&[TRANSFER, TRANSFER]).is_err());
    assert!(EventDecoder::new(&["event A(uint256) anonymous"]).is_err());
    assert!(
        EventDecoder::new(&[
            "event A(uint256 indexed a, uint256 indexed b, uint256 indexed c, bool indexed d)"
        ])
        .is_err()
    );
    assert!(EventDecoder::new(&["event A(uint256 a, uint256 a)"]).is_err());
    assert!(EventDecoder::new(&["event A(uint257 a)"]).is_err());
    assert!(EventDecoder::new(&["event A(()[] a)"]).is_err());
    assert!(TypeList::parse("uint256[0]").is_err());
    assert!(EventDecoder::new(&["nonsense"]).is_err());
}

#[test]
fn short_type_names_mean_their_long_forms() {
    let short = EventDecoder::new(&["event A(uint a, int b)"]).unwrap();
    let long = EventDecoder::new(&["event A(uint256 a, int256 b)"]).unwrap();
    assert_eq!(short.layouts()[0].topic, long.layouts()[0].topic);
    assert_eq!(
        AbiCall::parse("f(uint)").unwrap().selector(),
        AbiCall::parse("f(uint256)").unwrap().selector()
    );
}

/// Thousands of offsets that all point at the next level: read naively, 30 kB become 27 million values.
#[test]
fn offsets_that_share_their_bytes_cost_nothing() {
    let types = TypeList::parse("uint256[][][]").unwrap();
    let count = 300u128;
    let mut data = word(32).to_vec();
    for offset in [count * 32, count * 32, 1] {
        data.extend(word(count));
        for _ in 0..count {
            data.extend(word(offset));
        }
    }
    let begun = std::time::Instant::now();
    assert!(types.decode(&data).is_err());
    assert!(begun.elapsed() < std::time::Duration::from_millis(100));
}

#[test]
fn one_bad_element_costs_itself_alone() {
    let (topics, data) = swap_log();
    let good = to_json(&topics, &data);
    let text = format!(
        "[{good}, 5, {{\"address\":1}}, {}, {}, {}, {good}]",
        good.replacen("\"data\":\"0x0", "\"data\":\"0xg", 1),
        good.replacen("\"blockNumber\":\"0x10\"", "\"blockNumber\":\"ten\"", 1),
        good.replacen("\"0x0101", "\"0x01", 1),
    );
    let batch = decoder().decode_json(text.as_bytes()).unwrap();
    let counts = batch.counts();
    assert_eq!(
        (counts.decoded, counts.unknown, counts.malformed),
        (2, 0, 5)
    );
    assert_eq!(batch.row(6).unwrap().place.block_number, Some(16));
    assert!(decoder().decode_json(b"{}").is_err());
    assert!(decoder().decode_json(b"[").is_err());
    assert!(decoder().decode_json(b"[] x").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn mutated_logs_never_panic(
        named: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        extra in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (topics, mut data) = if named { named_log() } else { swap_log() };
        for (at, byte) in flips {
            let at = at.index(data.len());
            data[at] = byte;
        }
        if let Some(cut) = cut {
            data.truncate(cut.index(data.len() + 1));
        }
        data.extend(extra);
        let raw = decode(&topics, &data);
        let batch = decoder().decode_json(format!("[{}]", to_json(&topics, &data)).as_bytes()).unwrap();
        let row = batch.row(0).unwrap();
        prop_assert_eq!(row.kind, raw);
        prop_assert_eq!(row.data, &data[..]);
        // What is accepted is exactly what encodes to these bytes again.
        if let (RowKind::Decoded { event, at }, true) = (raw, named) {
            let layout = &batch.layouts()[event];
            let types = layout.fields.iter().filter(|field| !field.indexed).map(|field| field.kind.clone());
            let values = TypeList::new(types.collect()).decode_exact(&data).unwrap();
            prop_assert_eq!(TypeList::parse("string,(uint8,bytes)[],bool,int64[2]").unwrap().encode(values).unwrap(), data);
            prop_assert!(matches!(batch.columns(event).unwrap()[1].get(at), Some(Argument::Value(_))));
        }
    }

    #[test]
    fn random_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..400), small in prop::collection::vec(0u8..3, 0..400)) {
        for bytes in [&data, &small] {
            for types in ["bytes", "string,uint8", "uint256[][]", "(bytes,(bool,string)[])[3]", "bytes4[2],function", ""] {
                let types = TypeList::parse(types).unwrap();
                if let Ok(values) = types.decode(bytes) {
                    let again = types.encode(values).unwrap();
                    prop_assert_eq!(&bytes[..again.len()], &again[..]);
                }
            }
            let _ = AbiCall::parse("f(bytes[],uint256)").unwrap().decode(bytes);
            let _ = decoder().decode_json(bytes);
        }
    }

    #[test]
    fn mutated_json_never_panics(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let (topics, data) = swap_log();
        let mut text = format!("[{},{}]", to_json(&topics, &data), to_json(&topics, &data)).into_bytes();
        for (at, byte) in flips {
            let at = at.index(text.len());
            text[at] = byte;
        }
        if let Ok(batch) = decoder().decode_json(&text) {
            let counts = batch.counts();
            prop_assert_eq!(counts.decoded + counts.unknown + counts.malformed, batch.len());
        }
    }

    #[test]
    fn random_signatures_never_panic(text in "(event |function )?[a-zA-Z(),\\[\\]0-9 ]{0,40}") {
        let _ = EventDecoder::new(&[&text]);
        let _ = AbiCall::parse(&text);
        let _ = TypeList::parse(&text);
    }
}
