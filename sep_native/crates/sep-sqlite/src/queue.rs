use std::{
    collections::VecDeque,
    hint::spin_loop,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sep_log::Append;

use crate::{
    Restraint,
    pace::{Gathering, Pace, SPIN},
};

/// An append in the queue, with what its producer knows it by.
#[derive(Debug)]
pub struct Queued<T> {
    /// What is to be written.
    pub append: Arc<Append>,
    /// Microseconds since 1970 when the store took it.
    pub taken_at: i64,
    /// Whether somebody wants to see each step of its commit.
    pub stepwise: bool,
    /// Its producer's handle.
    pub ticket: T,
}

/// Appends in their order, from many threads to the one that writes.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
    /// How many are queued, readable without the lock; a stop counts as one.
    length: AtomicUsize,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<Queued<T>>,
    stop: bool,
    /// The length at which the sleeping writer wants to be woken.
    wake_at: Option<usize>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                items: VecDeque::new(),
                stop: false,
                wake_at: None,
            }),
            changed: Condvar::new(),
            length: AtomicUsize::new(0),
        }
    }
}

impl<T> Queue<T> {
    /// Queues an append.
    pub fn put(&self, item: Queued<T>) {
        let mut waiting = self.lock();
        waiting.items.push_back(item);
        self.grown(waiting);
    }

    /// Ends the queue behind what is in it.
    pub fn stop(&self) {
        let mut waiting = self.lock();
        waiting.stop = true;
        self.grown(waiting);
    }

    /// How many are queued.
    pub fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn grown(&self, mut waiting: MutexGuard<'_, Waiting<T>>) {
        let length = self.length.fetch_add(1, Ordering::Release) + 1;
        let wake = waiting.stop || waiting.wake_at.is_some_and(|wanted| length >= wanted);
        if wake {
            waiting.wake_at = None;
        }
        drop(waiting);
        if wake {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for appends and takes as many as a batch holds; none at the end of the queue.
    pub(crate) fn take(
        &self,
        pace: &mut Pace,
        most_events: usize,
        most_bytes: usize,
    ) -> Vec<Queued<T>> {
        if self.is_empty() {
            let start = Instant::now();
            if !(pace.hurries() && self.spins(1, SPIN, &mut pace.restraint)) {
                self.wait_for_one();
            }
            pace.waited(start.elapsed());
        }
        let Gathering {
            wanted,
            most,
            patience,
            lull,
        } = pace.gathering(self.len(), Instant::now());
        if wanted > 1
            && !self.spins(wanted, lull.min(2 * SPIN), &mut pace.restraint)
            && !self.wait_for(wanted, patience, lull)
        {
            pace.lull(self.len());
        }
        let mut waiting = self.lock();
        let mut taken = Vec::with_capacity(waiting.items.len().min(most));
        let (mut events, mut bytes) = (0, 0);
        while taken.len() < most && events < most_events && bytes < most_bytes {
            let Some(item) = waiting.items.pop_front() else {
                break;
            };
            events += item.append.event_count;
            bytes += item.append.size_bytes;
            taken.push(item);
        }
        self.length.fetch_sub(taken.len(), Ordering::Release);
        taken
    }

    /// Waits without a rest until as many are queued as are wanted; whether that many came in time.
    fn spins(&self, wanted: usize, time: Duration, restraint: &mut Restraint) -> bool {
        let start = Instant::now();
        if self.len() < wanted && !restraint.permits(start) {
            return false;
        }
        restraint.begin(start);
        while self.len() < wanted {
            let now = Instant::now();
            if now.duration_since(start) >= time || !restraint.look(now) {
                return false;
            }
            spin_loop();
        }
        restraint.rewarded();
        true
    }

    /// Waits for an append or the end of the queue.
    fn wait_for_one(&self) {
        let mut waiting = self.lock();
        while waiting.items.is_empty() && !waiting.stop {
            waiting.wake_at = Some(1);
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.wake_at = None;
    }

    /// Waits until as many are queued as are wanted, or none has come for a while; whether that many came.
    fn wait_for(&self, wanted: usize, patience: Duration, lull: Duration) -> bool {
        let start = Instant::now();
        let (mut length, mut grown_at) = (0, start);
        let mut waiting = self.lock();
        while waiting.items.len() < wanted && !waiting.stop {
            let now = Instant::now();
            if waiting.items.len() > length {
                (length, grown_at) = (waiting.items.len(), now);
            }
            let left = patience
                .saturating_sub(now.duration_since(start))
                .min(lull.saturating_sub(now.duration_since(grown_at)));
            if left.is_zero() {
                break;
            }
            waiting.wake_at = Some(wanted);
            waiting = self
                .changed
                .wait_timeout(waiting, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        waiting.wake_at = None;
        waiting.items.len() >= wanted
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn item(ticket: (usize, usize), events: usize, bytes: usize) -> Queued<(usize, usize)> {
        let append = Append {
            writes: Vec::new(),
            conditional: false,
            event_count: events,
            size_bytes: bytes,
        };
        Queued {
            append: Arc::new(append),
            taken_at: 0,
            stepwise: false,
            ticket,
        }
    }

    #[test]
    fn nothing_is_lost_and_each_producer_keeps_its_order() {
        let queue = Queue::default();
        let mut next = [0; 4];
        thread::scope(|scope| {
            for producer in 0..next.len() {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..2000 {
                        queue.put(item((producer, number), 1, 1));
                        if number % 97 == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
            let mut pace = Pace::new();
            let mut left = 8000;
            while left > 0 {
                let taken = queue.take(&mut pace, 64, usize::MAX);
                assert!(!taken.is_empty());
                assert!(taken.len() <= 64);
                left -= taken.len();
                pace.committed(Duration::from_micros(50), 0);
                pace.answered(taken.len(), queue.len(), Instant::now());
                for Queued {
                    ticket: (producer, number),
                    ..
                } in taken
                {
                    assert_eq!(number, next[producer]);
                    next[producer] += 1;
                }
            }
        });
        assert!(queue.is_empty());
    }

    #[test]
    fn a_batch_ends_with_the_append_that_fills_it() {
        let queue = Queue::default();
        for (number, (events, bytes)) in [(3, 10), (3, 10), (1, 90), (1, 1)].into_iter().enumerate()
        {
            queue.put(item((0, number), events, bytes));
        }
        queue.stop();
        let mut pace = Pace::new();
        let counts = [(5, 1000), (5, 80), (5, 1000), (5, 1000)]
            .map(|(events, bytes)| queue.take(&mut pace, events, bytes).len());
        assert_eq!(counts, [2, 1, 1, 0]);
        assert_eq!(queue.take(&mut pace, 1, 1).len(), 0);
    }

    #[test]
    fn a_sleeping_taker_is_woken_by_an_append_and_by_the_end() {
        let queue = Queue::default();
        thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let mut pace = Pace::new();
                let first = queue.take(&mut pace, 10, 10).len();
                (first, queue.take(&mut pace, 10, 10).len())
            });
            while lock_of(&queue).wake_at.is_none() {
                thread::yield_now();
            }
            queue.put(item((0, 0), 1, 1));
            while !queue.is_empty() || lock_of(&queue).wake_at.is_none() {
                thread::yield_now();
            }
            queue.stop();
            assert_eq!(taker.join().ok(), Some((1, 0)));
        });
    }

    #[test]
    fn a_crowd_that_stays_away_is_not_waited_for_again() {
        let queue = Queue::default();
        let mut pace = Pace::new();
        pace.committed(Duration::from_millis(2), 0);
        pace.answered(50, 0, Instant::now());
        queue.put(item((0, 0), 1, 1));
        assert_eq!(queue.take(&mut pace, 100, 100).len(), 1);
        assert_eq!(pace.gathering(1, Instant::now()).wanted, 1);
    }

    fn lock_of<T>(queue: &Queue<T>) -> MutexGuard<'_, Waiting<T>> {
        queue.lock()
    }

    #[test]
    fn half_of_a_quick_crowd_is_enough_and_a_slow_disk_waits_for_all() {
        let now = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.gathering(1, now).wanted, 1);
        pace.committed(Duration::from_micros(100), 0);
        pace.answered(100, 20, now);
        assert_eq!(pace.gathering(20, now).wanted, 60);
        assert_eq!(pace.gathering(20, now).most, 64);
        assert_eq!(pace.gathering(20, now + Duration::from_secs(1)).wanted, 1);
        pace.committed(Duration::from_millis(100), 0);
        assert_eq!(pace.gathering(20, now).wanted, 120);
        pace.answered(10, 0, now);
        assert_eq!(pace.gathering(10, now).wanted, 105);
        pace.lull(1);
        pace.answered(1, 0, now);
        assert_eq!(pace.gathering(1, now).wanted, 1);
    }
}
