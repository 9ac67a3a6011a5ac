use std::collections::BTreeMap;

use alloy_primitives::keccak256;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::Deserialize;

use crate::RpcError;

/// What goes wrong when a rule fires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Fault {
    /// The caller gets no answer, whether the call was `taken` or not.
    Drop { taken: bool },
    /// The transaction that is sent waits so many blocks longer.
    Delay { blocks: u64 },
    /// The newest blocks are replaced before the call is answered; their transactions wait `hold` blocks.
    Reorganise {
        depth: u64,
        #[serde(default)]
        hold: u64,
    },
    /// The price moves against the swap that is sent, just before it executes.
    Revert {
        #[serde(default = "adverse_bps")]
        bps: u32,
    },
    /// The call is answered by an error and not performed.
    Error { code: i64, message: String },
    /// The call is answered `null` and not performed.
    Null,
}

fn adverse_bps() -> u32 {
    1_000
}

/// When a fault happens: by chance, or on counted calls of the method (from 1, since the rules were set).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Rule {
    method: String,
    #[serde(default)]
    probability_ppm: u32,
    #[serde(default)]
    at: Vec<u64>,
    #[serde(default)]
    times: Option<u64>,
    #[serde(flatten)]
    fault: Fault,
}

/// The rules in force. Each method draws from a stream of its own, so that other methods' calls do not matter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    seed: u64,
    rules: Vec<(Rule, u64)>,
    streams: BTreeMap<String, (u64, ChaCha8Rng)>,
    fired: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64, rules: Vec<Rule>) -> Result<Self, RpcError> {
        if let Some(rule) = rules.iter().find(|rule| rule.method.starts_with("sim_")) {
            return Err(RpcError::params(format!(
                "{} is the simulation's own and never fails",
                rule.method
            )));
        }
        Ok(Self {
            seed,
            rules: rules.into_iter().map(|rule| (rule, 0)).collect(),
            ..Self::default()
        })
    }

    /// How often a fault has fired.
    pub(crate) fn fired(&self) -> u64 {
        self.fired
    }

    /// The fault of the next call of a method, if any: the first rule that fires.
    pub(crate) fn next(&mut self, method: &str) -> Option<Fault> {
        if self.rules.is_empty() {
            return None;
        }
        let seed = self.seed;
        let (calls, random) = self.streams.entry(method.to_owned()).or_insert_with(|| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let digest = keccak256(method.as_bytes());
            random.set_stream(
                digest
                    .as_slice()
                    .iter()
                    .take(8)
                    .fold(0, |word, byte| word << 8 | u64::from(*byte)),
            );
            (0, random)
        });
        *calls += 1;
        let mut chosen = None;
        for (rule, fired) in self
            .rules
            .iter_mut()
            .filter(|(rule, _)| rule.method == method)
        {
            // Every rule draws on every call: whether one fires never shifts another's chances.
            let drawn = rule.probability_ppm > 0
                && random.next_u64() % 1_000_000 < u64::from(rule.probability_ppm);
            let spent = rule.times.is_some_and(|times| *fired >= times);
            if chosen.is_none() && !spent && (drawn || rule.at.contains(calls)) {
                *fired += 1;
                chosen = Some(rule.fault.clone());
            }
        }
        self.fired += u64::from(chosen.is_some());
        chosen
    }
}
