//! A ledger plans what the tables then hold, and goes on only from what was adopted.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::sync::Arc;

use proptest::prelude::*;
use sep_log::{
    ANY_VERSION, Append, Draft, Ledger, LogHead, NoteSigner, Outlook, Placed, SOME_VERSION,
    StreamHead, Tree, Write, leaf_hash, moment_text,
};

const HEAD: LogHead = LogHead {
    store_id: [7; 16],
    epoch: 3,
    last_recorded: 1_000_000,
};

fn ledger() -> Ledger {
    let signer = Arc::new(NoteSigner::new("sep/s".to_owned(), &[1; 32]));
    let mut ledger = Ledger::new(HEAD, Tree::default(), Vec::new(), signer);
    for stream in ["a", "b", "c"] {
        ledger.learn(stream.into(), StreamHead::default());
    }
    ledger
}

fn append(stream: &str, needed: i64, ids: &[u8]) -> Append {
    let drafts = ids.iter().map(|id| {
        Arc::new(Draft {
            id: [*id; 16],
            kind: "t".to_owned(),
            schema_version: 1,
            correlation: None,
            cause: None,
            bytes: b"{\"body\":{}}\",\"v\":1,\"ver\":".to_vec(),
            split: 11,
        })
    });
    let write = Write {
        stream: stream.into(),
        needed,
        drafts: drafts.collect(),
    };
    Append::new(vec![write], false)
}

fn placed(ledger: &Ledger, appends: &[Append]) -> Option<Placed> {
    match ledger.plan(appends.iter(), 5).unwrap() {
        Outlook::Placed(placed) => Some(*placed),
        Outlook::Undecided => None,
    }
}

#[test]
fn what_needs_a_look_at_the_log_is_left_to_others() {
    let ledger = ledger();
    let conditional = Append {
        conditional: true,
        ..append("a", ANY_VERSION, &[1])
    };
    for appends in [
        vec![append("a", 1, &[1])],
        vec![append("a", SOME_VERSION, &[1])],
        vec![append("d", ANY_VERSION, &[1])],
        vec![append("a", 0, &[1]), append("b", 0, &[1])],
        vec![append("a", 0, &[1]), append("a", 0, &[2])],
        vec![append("a", 0, &[])],
        vec![conditional],
    ] {
        assert!(placed(&ledger, &appends).is_none(), "{appends:?}");
    }
    assert_eq!(
        ledger.unknown_streams(&[append("d", 0, &[1]), append("a", 0, &[2])]),
        ["d".into()]
    );
}

#[test]
fn the_log_never_goes_back_in_time() {
    let mut ledger = ledger();
    let first = placed(&ledger, &[append("a", 0, &[1])]).unwrap();
    assert_eq!(first.recorded_at, HEAD.last_recorded);
    ledger.adopt(&first);
    let Outlook::Placed(second) = ledger
        .plan([append("a", 1, &[2])].iter(), 2_000_000)
        .unwrap()
    else {
        unreachable!("nothing speaks against it");
    };
    ledger.adopt(&second);
    assert_eq!(ledger.head().last_recorded, 2_000_000);
    assert_eq!(
        placed(&ledger, &[append("a", 2, &[3])])
            .unwrap()
            .recorded_at,
        2_000_000
    );
}

proptest! {
    #[test]
    fn batches_make_the_log_that_single_appends_make(
        appends in prop::collection::vec((0..3_usize, 1..4_usize), 1..40),
        cut in 0..40_usize,
    ) {
        let mut id = 0;
        let appends: Vec<Append> = appends
            .into_iter()
            .map(|(stream, count)| {
                let ids: Vec<u8> = (0..count).map(|_| { id += 1; id }).collect();
                append(["a", "b", "c"][stream], ANY_VERSION, &ids)
            })
            .collect();
        let (mut one, mut two) = (ledger(), ledger());
        let mut records = Vec::new();
        for single in &appends {
            let batch = placed(&one, std::slice::from_ref(single)).unwrap();
            records.extend((0..batch.decided.len()).map(|index| batch.record(index).to_vec()));
            one.adopt(&batch);
        }
        let (left, right) = appends.split_at(cut.min(appends.len()));
        let mut joined = Vec::new();
        let mut answers = Vec::new();
        for part in [left, right] {
            if part.is_empty() { continue; }
            let batch = placed(&two, part).unwrap();
            joined.extend((0..batch.decided.len()).map(|index| batch.record(index).to_vec()));
            answers.extend(batch.answers.clone());
            for (index, leaf) in batch.batch.leaves.iter().enumerate() {
                prop_assert_eq!(leaf, &leaf_hash(batch.record(index)));
            }
            two.adopt(&batch);
        }
        prop_assert_eq!(records, joined);
        prop_assert_eq!(one.tree(), two.tree());
        for stream in ["a", "b", "c"] {
            prop_assert_eq!(one.stream(stream), two.stream(stream));
        }
        let mut next = 1;
        for (append, (first, last)) in appends.iter().zip(answers) {
            prop_assert_eq!(first, next);
            next += append.event_count as u64;
            prop_assert_eq!(last, next - 1);
        }
    }

    #[test]
    fn moments_are_counted_as_the_calendar_counts(day in -700_000_i64..2_900_000, micro in 0..86_400_000_000_i64) {
        let text = moment_text(day * 86_400_000_000 + micro);
        let (year, month, date) = calendar(day);
        let second = micro / 1_000_000;
        prop_assert_eq!(text, format!(
            "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}.{:06}Z",
            second / 3600, second % 3600 / 60, second % 60, micro % 1_000_000
        ));
    }
}

/// Year, month and day of a day since 1970, by walking through the months of its year.
fn calendar(day: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let start = |year: i64| {
        let before = year - 1;
        365 * before + before / 4 - before / 100 + before / 400 - 719_162
    };
    let mut year = 1970 + day / 366;
    while start(year + 1) <= day {
        year += 1;
    }
    while start(year) > day {
        year -= 1;
    }
    let mut left = day - start(year);
    let february = if leap(year) { 29 } else { 28 };
    for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if left < length {
            return (year, month, left + 1);
        }
        left -= length;
    }
    (year, 12, 31)
}
