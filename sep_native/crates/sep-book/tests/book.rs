//! The book against a model that is slow and obvious, and its laws.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use sep_book::{Book, Refusal, SelfTrade, Side, TimeInForce};

#[derive(Clone, Debug)]
enum Step {
    Submit {
        owner: u32,
        side: Side,
        price: u64,
        size: u64,
        how: TimeInForce,
    },
    Cancel(u64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn how() -> impl Strategy<Value = TimeInForce> {
    prop_oneof![
        4 => Just(TimeInForce::GoodTillCancelled),
        2 => Just(TimeInForce::ImmediateOrCancel),
        1 => Just(TimeInForce::FillOrKill),
        1 => Just(TimeInForce::PostOnly),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..4_u32, side(), 95..106_u64, 0..20_u64, how())
            .prop_map(|(owner, side, price, size, how)| Step::Submit { owner, side, price, size, how }),
        1 => (0..60_u64).prop_map(Step::Cancel),
    ]
}

/// One list of all that rests, searched from end to end for each unit lot of an order.
#[derive(Default)]
struct Model {
    resting: Vec<(u64, u32, Side, u64, u64)>,
    cancel_incoming: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    matches: Vec<(u64, u64, u64)>,
    resting: u64,
    cancelled: u64,
    displaced: Vec<(u64, u64)>,
}

impl Model {
    fn best(&self, side: Side) -> Option<usize> {
        let mut found: Option<usize> = None;
        for (place, (_, _, whose, price, _)) in self.resting.iter().enumerate() {
            if *whose != side {
                continue;
            }
            let better = found.is_none_or(|known| match side {
                Side::Buy => *price > self.resting[known].3,
                Side::Sell => *price < self.resting[known].3,
            });
            if better {
                found = Some(place);
            }
        }
        found
    }

    fn submit(
        &mut self,
        id: u64,
        owner: u32,
        side: Side,
        price: u64,
        size: u64,
        how: TimeInForce,
    ) -> Option<Done> {
        if size == 0 || price == 0 {
            return None;
        }
        let before = self.resting.clone();
        let mut done = Done::default();
        let mut left = size;
        let mut stopped = false;
        while left > 0 {
            let Some(place) = self.best(side.other()) else {
                break;
            };
            let (maker, whose, _, at, _) = self.resting[place];
            let fits = if side == Side::Buy {
                at <= price
            } else {
                at >= price
            };
            if !fits {
                break;
            }
            if how == TimeInForce::PostOnly {
                self.resting = before;
                return None;
            }
            if whose == owner {
                if self.cancel_incoming {
                    stopped = true;
                    break;
                }
                let (id, _, _, _, size) = self.resting.remove(place);
                done.displaced.push((id, size));
                continue;
            }
            self.resting[place].4 -= 1;
            left -= 1;
            match done.matches.last_mut() {
                Some(last) if last.0 == maker => last.2 += 1,
                _ => done.matches.push((maker, at, 1)),
            }
            if self.resting[place].4 == 0 {
                self.resting.remove(place);
            }
        }
        if how == TimeInForce::FillOrKill && left > 0 {
            self.resting = before;
            return None;
        }
        let rests = matches!(how, TimeInForce::GoodTillCancelled | TimeInForce::PostOnly);
        if left > 0 && rests && !stopped {
            self.resting.push((id, owner, side, price, left));
            done.resting = left;
        } else {
            done.cancelled = left;
        }
        Some(done)
    }

    fn depth(&self, side: Side) -> Vec<(u64, u64)> {
        let mut levels = std::collections::BTreeMap::new();
        for (_, _, whose, price, size) in &self.resting {
            if *whose == side {
                *levels.entry(*price).or_insert(0) += size;
            }
        }
        let mut depth: Vec<_> = levels.into_iter().collect();
        if side == Side::Buy {
            depth.reverse();
        }
        depth
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60), incoming in any::<bool>()) {
        let rule = if incoming { SelfTrade::CancelIncoming } else { SelfTrade::CancelResting };
        let mut book = Book::new(rule);
        let mut model = Model { cancel_incoming: incoming, ..Model::default() };
        for (id, step) in (0_u64..).zip(&steps) {
            match *step {
                Step::Submit { owner, side, price, size, how } => {
                    let expected = model.submit(id, owner, side, price, size, how);
                    let before = book.clone();
                    let found = book.submit(id, owner, side, price, size, how);
                    prop_assert_eq!(found.is_ok(), expected.is_some());
                    if let (Ok(found), Some(expected)) = (&found, &expected) {
                        let traded: u64 = found.matches.iter().map(|one| one.size).sum();
                        prop_assert_eq!(traded + found.resting + found.cancelled, size);
                        let told = Done {
                            matches: found.matches.iter().map(|one| (one.maker, one.price, one.size)).collect(),
                            resting: found.resting,
                            cancelled: found.cancelled,
                            displaced: found.displaced.clone(),
                        };
                        prop_assert_eq!(&told, expected);
                    } else {
                        prop_assert_eq!(&book, &before, "a refusal changes nothing");
                    }
                }
                Step::Cancel(id) => {
                    let place = model.resting.iter().position(|one| one.0 == id);
                    let expected = place.map(|place| model.resting.remove(place).4);
                    prop_assert_eq!(book.cancel(id), expected);
                }
            }
            for side in [Side::Buy, Side::Sell] {
                prop_assert_eq!(book.depth(side, usize::MAX), model.depth(side));
            }
            let (bid, ask) = (book.best(Side::Buy), book.best(Side::Sell));
            prop_assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid < ask), "the book never stays crossed");
        }
    }

    #[test]
    fn who_follows_the_changes_has_the_book(steps in prop::collection::vec(step(), 1..60)) {
        let mut book = Book::default();
        let mut followed = std::collections::BTreeMap::new();
        for (id, step) in (0_u64..).zip(steps) {
            let before = book.sequence();
            match step {
                Step::Submit { owner, side, price, size, how } => {
                    drop(book.submit(id, owner, side, price, size, how));
                }
                Step::Cancel(id) => drop(book.cancel(id)),
            }
            let changes = book.take_changes();
            prop_assert_eq!(book.sequence() > before, !changes.is_empty());
            for (side, price, lots) in changes {
                if lots == 0 {
                    followed.remove(&(side, price));
                } else {
                    followed.insert((side, price), lots);
                }
            }
            let mut whole = std::collections::BTreeMap::new();
            for side in [Side::Buy, Side::Sell] {
                for (price, lots) in book.depth(side, usize::MAX) {
                    whole.insert((side, price), lots);
                }
            }
            prop_assert_eq!(&followed, &whole);
        }
    }
}

#[test]
fn first_come_first_served_at_one_price() {
    let mut book = Book::default();
    let rest = TimeInForce::GoodTillCancelled;
    book.submit(1, 1, Side::Sell, 100, 3, rest).unwrap();
    book.submit(2, 2, Side::Sell, 100, 3, rest).unwrap();
    book.submit(3, 3, Side::Sell, 99, 1, rest).unwrap();
    let done = book
        .submit(4, 4, Side::Buy, 100, 5, TimeInForce::ImmediateOrCancel)
        .unwrap();
    let order: Vec<_> = done
        .matches
        .iter()
        .map(|one| (one.maker, one.price, one.size))
        .collect();
    assert_eq!(order, [(3, 99, 1), (1, 100, 3), (2, 100, 1)]);
    assert_eq!(book.resting(2), Some((Side::Sell, 100, 2)));
}

#[test]
fn a_level_never_counts_beyond_its_number() {
    let mut book = Book::default();
    let rest = TimeInForce::GoodTillCancelled;
    book.submit(1, 1, Side::Sell, 100, u64::MAX, rest).unwrap();
    assert_eq!(
        book.submit(2, 2, Side::Sell, 100, 1, rest),
        Err(Refusal::TooMuch)
    );
}
