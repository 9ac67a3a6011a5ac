//! A batch is what its events are one by one: joined, chained, hashed, added to the tree.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use proptest::prelude::*;
use sep_log::{
    Batch, Entry, Hash, Previous, SUBTREE_WIDTH, Tree, TreeError, leaf_hash,
    record::{LARGEST_INTEGER, is_key, is_stream, is_type, write_integer, write_text, write_uuid},
    tree_root,
};

const RECORDED: &[u8] = b"2026-01-01T00:00:00.000000Z";

fn entry(version: u64, previous: Previous) -> Entry<'static> {
    Entry {
        head: b"{\"body\":{}}",
        tail: b"\",\"v\":1,\"ver\":",
        version,
        previous,
    }
}

#[test]
fn records_are_joined_in_their_place() {
    let entries = [
        entry(1, Previous::Nothing),
        entry(2, Previous::InBatch(0)),
        entry(9, Previous::Leaf([0xab; 32])),
    ];
    let batch = Batch::new(Tree::default(), Vec::new(), RECORDED, &entries).unwrap();
    let text = String::from_utf8(batch.records.clone()).unwrap();
    let hex = batch.leaves[0].map(|byte| format!("{byte:02x}")).concat();
    let record = |pos: u64, previous: &str, version: u64| {
        format!(
            "{{\"body\":{{}},\"pos\":{pos},\"prev\":{previous},\"rec\":\"2026-01-01T00:00:00.000000Z\",\"v\":1,\"ver\":{version}}}"
        )
    };
    let expected = [
        record(1, "null", 1),
        record(2, &format!("\"0x{hex}\""), 2),
        record(3, &format!("\"0x{}\"", "ab".repeat(32)), 9),
    ];
    assert_eq!(text, expected.concat());
    assert_eq!(batch.ends.last(), Some(&text.len()));
    assert_eq!(batch.leaves[2], leaf_hash(expected[2].as_bytes()));
}

#[test]
fn an_event_follows_only_earlier_ones() {
    for earlier in [0, 7] {
        assert_eq!(
            Batch::new(
                Tree::default(),
                Vec::new(),
                RECORDED,
                &[entry(1, Previous::InBatch(earlier))]
            )
            .unwrap_err(),
            TreeError::Chain { index: 0, earlier }
        );
    }
}

proptest! {
    #[test]
    fn the_tree_goes_on_as_if_leaves_came_alone(before in 0_usize..600, count in 0_usize..600) {
        let old: Vec<Hash> = (0..before).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut tree = Tree::default();
        tree.extend(&old);
        let tail = old[before / SUBTREE_WIDTH * SUBTREE_WIDTH..].to_vec();
        let entries: Vec<_> = (0..count).map(|n| entry(n as u64 + 1, Previous::Nothing)).collect();
        let batch = Batch::new(tree, tail, RECORDED, &entries).unwrap();
        let all = [old, batch.leaves.clone()].concat();
        prop_assert_eq!(batch.tree.root(), tree_root(&all));
        let (first, full) = (before / SUBTREE_WIDTH, all.len() / SUBTREE_WIDTH);
        let subtrees: Vec<Hash> =
            all.chunks(SUBTREE_WIDTH).take(full).skip(first).map(tree_root).collect();
        prop_assert_eq!(batch.subtrees, subtrees);
        prop_assert_eq!(batch.tail, all[full * SUBTREE_WIDTH..].to_vec());
    }

    #[test]
    fn integers_are_written_up_to_two_to_the_53(value in any::<i64>()) {
        let mut out = Vec::new();
        let fits = value.unsigned_abs() <= LARGEST_INTEGER.unsigned_abs();
        prop_assert_eq!(write_integer(&mut out, value), fits);
        prop_assert_eq!(String::from_utf8(out).unwrap(), if fits { value.to_string() } else { String::new() });
    }
}

#[test]
fn strings_are_escaped_as_rfc_8785_says() {
    let mut out = Vec::new();
    write_text(
        &mut out,
        "\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f}\"\\/\u{7f}\u{20ac}",
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\u{7f}\u{20ac}\""
    );
    let mut out = Vec::new();
    write_uuid(&mut out, &[0x0f; 16]);
    assert_eq!(out, b"\"0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f\"");
}

#[test]
fn names_have_their_forms() {
    assert!(is_key("a_1") && !is_key("") && !is_key("_a") && !is_key("A") && !is_key("a-b"));
    assert!(is_stream(&"x".repeat(255)) && !is_stream(&"x".repeat(256)));
    assert!(
        is_stream("1:/@+-._a") && !is_stream(":a") && !is_stream("a b") && !is_stream("\u{e9}")
    );
    assert!(is_type(&"x".repeat(128)) && !is_type(&"x".repeat(129)));
    assert!(is_type("A.b_1") && !is_type("1a") && !is_type("a-b") && !is_type(""));
}
