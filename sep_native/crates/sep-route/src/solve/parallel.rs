//! Searches side by side, where they take so long that a thread costs nothing beside them.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use super::splits::SOME_EDGES;

/// What two searches over so many edges find.
pub(super) fn both<A: Send, B: Send>(
    edges: usize,
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if edges <= SOME_EDGES {
        return (one(), other());
    }
    thread::scope(|scope| {
        let other = scope.spawn(other);
        (one(), joined(other))
    })
}

/// What a search over so many edges finds for each of some items, in their order.
pub(super) fn each<T: Send, R: Send>(
    edges: usize,
    items: Vec<T>,
    search: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    if edges <= SOME_EDGES {
        return items.into_iter().map(search).collect();
    }
    thread::scope(|scope| {
        let search = &search;
        let running: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || search(item)))
            .collect();
        running.into_iter().map(joined).collect()
    })
}

fn joined<T>(running: ScopedJoinHandle<'_, T>) -> T {
    running.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_change_neither_results_nor_their_order() {
        for edges in [SOME_EDGES, SOME_EDGES + 1] {
            let squares = each(edges, (0u32..9).collect(), |at| at * at);
            assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64]);
            assert_eq!(both(edges, || 1, || "two"), (1, "two"));
        }
    }

    #[test]
    #[should_panic(expected = "a fault of a search")]
    fn a_fault_is_not_lost_in_a_thread() {
        let edges = SOME_EDGES + 1;
        both(edges, || (), || assert_eq!(edges, 0, "a fault of a search"));
    }
}
