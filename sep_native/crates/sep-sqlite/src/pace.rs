use std::time::{Duration, Instant};

/// How long a wait may keep a processor busy: waking a thread that sleeps can take as long as this.
pub(crate) const SPIN: Duration = Duration::from_micros(150);
/// What a producer takes from an answer to its next append, about.
const TO_DECIDE: Duration = Duration::from_micros(15);
const REST: Duration = Duration::from_millis(1);
const MOST_OF_A_CROWD: usize = 64;

/// How many appends to wait for, and how to wait: remembers how long commits take and who was answered last.
#[derive(Debug)]
pub(crate) struct Pace {
    commit: Duration,
    crowd: usize,
    answered_at: Option<Instant>,
    hot: bool,
    parallel: bool,
}

/// How a batch is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gathering {
    /// Appends that are worth waiting for.
    pub(crate) wanted: usize,
    /// Appends that it takes at most.
    pub(crate) most: usize,
    /// For how long to wait.
    pub(crate) patience: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            commit: Duration::ZERO,
            crowd: 0,
            answered_at: None,
            hot: false,
            parallel: std::thread::available_parallelism().is_ok_and(|count| count.get() > 1),
        }
    }

    /// A commit has ended.
    pub(crate) fn committed(&mut self, took: Duration) {
        self.commit = if self.commit.is_zero() {
            took
        } else {
            (self.commit * 3 + took) / 4
        };
    }

    /// What a commit takes.
    pub(crate) fn commit(&self) -> Duration {
        self.commit
    }

    /// Some producers have their answers and may be back soon, while others are `queued`.
    pub(crate) fn answered(&mut self, appends: usize, queued: usize, now: Instant) {
        self.crowd = appends + queued;
        self.answered_at = Some(now);
    }

    /// Whether to look for the next append without a rest, because the last came at once.
    pub(crate) fn spins(&self) -> bool {
        self.hot && self.parallel
    }

    /// A wait for the next append has ended.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.hot = time <= 2 * SPIN;
    }

    /// How to gather the next batch, while `queued` appends are there.
    ///
    /// Of a crowd that is quicker than the disk takes half: two groups, of which one decides while the other is
    /// written, never rest; one group would wait for itself. Where commits are slow, fewer of them win.
    pub(crate) fn gathering(&self, queued: usize, now: Instant) -> Gathering {
        let crowd = self.crowd.max(queued);
        let crowd_decides = TO_DECIDE * u32::try_from(crowd).unwrap_or(u32::MAX);
        let recent = self
            .answered_at
            .is_some_and(|at| now.duration_since(at) <= crowd_decides + REST);
        if self.commit >= crowd_decides {
            return Gathering {
                wanted: if recent { crowd } else { 1 },
                most: usize::MAX,
                patience: crowd_decides,
            };
        }
        let half = crowd.div_ceil(2);
        Gathering {
            wanted: if recent { half } else { 1 },
            most: half.max(MOST_OF_A_CROWD),
            patience: crowd_decides,
        }
    }
}
