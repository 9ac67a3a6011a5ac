use std::time::{Duration, Instant};

/// A look at the clock that takes longer was cut short: somebody else wanted the processor.
const CUT_SHORT: Duration = Duration::from_micros(250);
const SHORTEST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Whether waiting may keep a processor busy. Where others want it, a busy wait is paid for with its next turn, so it
/// is given up for a time that doubles with each loss.
#[derive(Debug)]
pub struct Restraint {
    alone: bool,
    rest: Duration,
    rest_until: Option<Instant>,
    looked_at: Option<Instant>,
}

impl Default for Restraint {
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().is_ok_and(|count| count.get() > 1))
    }
}

impl Restraint {
    /// With one processor there is nobody to wait for: whoever is awaited needs it.
    pub fn new(parallel: bool) -> Self {
        Self {
            alone: !parallel,
            rest: SHORTEST_REST,
            rest_until: None,
            looked_at: None,
        }
    }

    /// Whether a busy wait may begin.
    pub fn permits(&self, now: Instant) -> bool {
        !self.alone && self.rest_until.is_none_or(|until| now >= until)
    }

    /// A busy wait begins.
    pub fn begin(&mut self, now: Instant) {
        self.looked_at = Some(now);
    }

    /// It looks again; whether it may go on.
    pub fn look(&mut self, now: Instant) -> bool {
        let before = self.looked_at.replace(now);
        if before.is_none_or(|before| now.saturating_duration_since(before) < CUT_SHORT) {
            return true;
        }
        self.rest_until = Some(now + self.rest);
        self.rest = (self.rest * 2).min(LONGEST_REST);
        false
    }

    /// It ended with what it waited for.
    pub fn rewarded(&mut self) {
        self.rest = (self.rest / 2).max(SHORTEST_REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_loses_the_processor_rests_longer_each_time() {
        let mut restraint = Restraint::new(true);
        let mut now = Instant::now();
        for rest in [50, 100, 200, 400, 800, 1600, 2000, 2000] {
            assert!(restraint.permits(now));
            restraint.begin(now);
            now += Duration::from_micros(249);
            assert!(restraint.look(now));
            now += Duration::from_micros(250);
            assert!(!restraint.look(now));
            now += Duration::from_micros(rest * 1000 - 1);
            assert!(!restraint.permits(now));
            now += Duration::from_micros(1);
        }
        restraint.rewarded();
        restraint.begin(now);
        now += Duration::from_millis(1);
        assert!(!restraint.look(now));
        assert!(restraint.permits(now + Duration::from_secs(1)));
    }

    #[test]
    fn one_processor_is_never_kept_busy() {
        assert!(!Restraint::new(false).permits(Instant::now()));
    }
}
