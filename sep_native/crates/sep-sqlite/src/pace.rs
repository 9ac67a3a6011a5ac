use std::time::{Duration, Instant};

use crate::Restraint;

/// How long a wait may keep a processor busy: waking a thread that sleeps can take as long as this.
pub(crate) const SPIN: Duration = Duration::from_micros(150);
/// What a producer takes from an answer to its next append, about.
const TO_DECIDE: Duration = Duration::from_micros(15);
/// What a commit takes for the pages of one more event, about.
const TO_WRITE: Duration = Duration::from_micros(8);
/// After this long without work nobody is expected back.
const REST: Duration = Duration::from_millis(1);
const MOST_OF_A_CROWD: usize = 64;

/// The least time without an append after which nobody is expected any more.
const LULL: Duration = Duration::from_micros(100);

/// How many appends to wait for, and how to wait: remembers how long commits take and how many come at a time.
#[derive(Debug)]
pub(crate) struct Pace {
    commit: Duration,
    crowd: usize,
    answered_at: Option<Instant>,
    hot: bool,
    pub(crate) restraint: Restraint,
}

/// How a batch is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gathering {
    /// Appends that are worth waiting for.
    pub(crate) wanted: usize,
    /// Appends that it takes at most.
    pub(crate) most: usize,
    /// For how long to wait in all.
    pub(crate) patience: Duration,
    /// For how long to wait for one more.
    pub(crate) lull: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            commit: Duration::ZERO,
            crowd: 0,
            answered_at: None,
            hot: false,
            restraint: Restraint::default(),
        }
    }

    /// A commit has ended. What counts is its share that does not grow with the batch: that of the disk.
    pub(crate) fn committed(&mut self, took: Duration, events: usize) {
        let written = TO_WRITE * u32::try_from(events).unwrap_or(u32::MAX);
        let took = took.saturating_sub(written).max(took / 4);
        self.commit = if self.commit.is_zero() {
            took
        } else {
            (self.commit * 3 + took) / 4
        };
    }

    /// What a commit takes, however small.
    pub(crate) fn commit(&self) -> Duration {
        self.commit
    }

    /// Some producers have their answers and may be back soon, while others are `queued`; still others, of a crowd
    /// that is remembered for some batches, are about to decide.
    pub(crate) fn answered(&mut self, appends: usize, queued: usize, now: Instant) {
        self.crowd = (appends + queued).max(self.crowd - self.crowd / 8);
        self.answered_at = Some(now);
    }

    /// A wait ended in a lull: `here` is all that there is.
    pub(crate) fn lull(&mut self, here: usize) {
        self.crowd = here;
    }

    /// Whether to look for the next append without a rest, because the last came at once.
    pub(crate) fn hurries(&self) -> bool {
        self.hot
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
        let patience = crowd_decides.max(self.commit);
        let recent = self
            .answered_at
            .is_some_and(|at| now.duration_since(at) <= patience + REST);
        let quick = self.commit < crowd_decides;
        let half = crowd.div_ceil(2);
        Gathering {
            wanted: match (recent, quick) {
                (false, _) => 1,
                (true, true) => half,
                (true, false) => crowd,
            },
            most: if quick {
                half.max(MOST_OF_A_CROWD)
            } else {
                usize::MAX
            },
            patience,
            lull: LULL.max(self.commit / 2).min(patience),
        }
    }
}
