//! Times and gaps of the solver on drawn networks, as one JSON line.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sep_amm::U256;
use sep_route::generate::{Instance, Mix, Recipe, draw};
use sep_route::{Limits, Problem, Solution, Utility};

/// Repetitions of each instance; the fastest counts, since others use the machine too.
const REPEATS: usize = 5;

#[derive(Default)]
struct Row {
    seed: u64,
    cold_ms: f64,
    warm_ms: f64,
    gap_bp: f64,
    search_gap_bp: f64,
    net_gap_bp: f64,
    legs: usize,
    iterations: u32,
    evaluations: u32,
    failures: Vec<String>,
    /// What the plan is better by than other methods, in basis points after gas.
    better_bp: BTreeMap<&'static str, f64>,
    method: &'static str,
    is_ordered: bool,
}

struct Options {
    flags: BTreeMap<String, String>,
}

impl Options {
    fn read() -> Self {
        let mut flags = BTreeMap::new();
        let mut args = std::env::args().skip(1).peekable();
        while let Some(name) = args.next() {
            let value = if args.peek().is_some_and(|next| !next.starts_with("--")) {
                args.next().unwrap()
            } else {
                "1".to_owned()
            };
            flags.insert(name.trim_start_matches("--").to_owned(), value);
        }
        Self { flags }
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.flags
            .get(name)
            .map_or(default, |text| text.parse().unwrap())
    }
}

fn main() {
    let options = Options::read();
    let mix = match options.flags.get("mix").map_or("curved", String::as_str) {
        "products" => Mix::Products,
        "books" => Mix::Books,
        _ => Mix::Curved,
    };
    let markets = usize::try_from(options.number("markets", 1000)).unwrap();
    let assets = usize::try_from(options.number("assets", 150)).unwrap();
    let stale = options.flags.contains_key("stale");
    let recipe = Recipe {
        markets,
        assets,
        mix,
        stale_percent: if stale { 10 } else { 0 },
        dead_end_percent: 10,
        edge_percent: 5,
    };
    let first_seed = options.number("seed", 7);
    let instances = options.number("instances", 20);
    let threads = options.number("threads", 1);
    let next = AtomicU64::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= instances {
                        break;
                    }
                    let row = measure(&options, &recipe, first_seed + at);
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|row| row.seed);
    report(&options, &recipe, &rows);
}

fn limits(options: &Options, instance: &Instance) -> Limits {
    let mut limits = Limits::default();
    if let Some(legs) = options.flags.get("legs") {
        limits.max_legs = legs.parse().unwrap();
        limits.gas_price = instance.gas_price;
    }
    if options.flags.contains_key("gas") {
        limits.gas_price = instance.gas_price;
    }
    if let Some(hops) = options.flags.get("hops") {
        limits.max_hops = hops.parse().unwrap();
    }
    limits
}

fn measure(options: &Options, recipe: &Recipe, seed: u64) -> Row {
    let instance = draw(recipe, seed);
    instance.network.prepare();
    let mut row = Row {
        seed,
        ..Row::default()
    };
    let utility = Utility::ExactIn {
        spend: vec![(instance.source.clone(), instance.amount)],
        want: instance.target.clone(),
    };
    let problem = Problem::new(utility, limits(options, &instance)).unwrap();
    let mut best: Option<Solution> = None;
    row.cold_ms = f64::INFINITY;
    let is_quick = options.flags.contains_key("quick");
    let repeats = if is_quick { 1 } else { REPEATS };
    for _ in 0..repeats {
        let begun = Instant::now();
        match instance.network.solve(&problem) {
            Ok(solution) => {
                row.cold_ms = row.cold_ms.min(begun.elapsed().as_secs_f64() * 1e3);
                best = Some(solution);
            }
            Err(error) => {
                row.failures.push(error.to_string());
                return row;
            }
        }
    }
    let solution = best.unwrap();
    row.gap_bp = solution.gap * 1e4;
    row.net_gap_bp = solution.net_gap * 1e4;
    row.search_gap_bp = solution.unlimited_gap * 1e4;
    row.legs = solution.legs.len();
    row.iterations = solution.iterations;
    row.evaluations = solution.evaluations;
    row.method = solution.method.name();
    row.is_ordered = !solution.order.is_empty();
    if let Err(error) = solution.verify(&instance.network) {
        row.failures.push(error.to_string());
    }
    if !is_quick {
        compare(&mut row, &instance, &problem, &solution);
    }
    warm(&mut row, &instance, &problem, &solution, repeats);
    row
}

fn compare(row: &mut Row, instance: &Instance, problem: &Problem, solution: &Solution) {
    let float = |amount: U256| f64::from(amount);
    let ours = float(solution.output(&instance.target)) - float(solution.gas_worth);
    if let Some(path) = &solution.best_path {
        let path = float(path.amount_out) - float(path.gas_worth);
        row.better_bp.insert("best_path", (ours / path - 1.0) * 1e4);
    }
    for (name, chunks) in [("greedy_20", 20), ("greedy_256", 256)] {
        if let Some(other) = instance.network.greedy(problem, chunks) {
            let net = float(other.0) - float(other.1);
            row.better_bp.insert(name, (ours / net - 1.0) * 1e4);
        }
    }
}

/// The next block: one market in a hundred has moved.
fn warm(
    row: &mut Row,
    instance: &Instance,
    problem: &Problem,
    solution: &Solution,
    repeats: usize,
) {
    row.warm_ms = f64::INFINITY;
    let moved = instance.next_block();
    for _ in 0..repeats {
        let begun = Instant::now();
        if let Ok(next) = moved.solve_from(problem, solution) {
            row.warm_ms = row.warm_ms.min(begun.elapsed().as_secs_f64() * 1e3);
            if next.unlimited_gap > 1e-5 {
                row.failures
                    .push(format!("warm gap {:e}", next.unlimited_gap));
            }
        }
    }
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a position"
    )]
    let at = ((values.len() as f64 - 1.0) * share).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

fn report(options: &Options, recipe: &Recipe, rows: &[Row]) {
    let column = |pick: &dyn Fn(&Row) -> f64| {
        rows.iter()
            .filter(|row| row.legs > 0)
            .map(pick)
            .collect::<Vec<f64>>()
    };
    let q = |pick: &dyn Fn(&Row) -> f64, share: f64| quantile(&mut column(pick), share);
    let mut text = format!(
        "{{\"bench\":\"route\",\"markets\":{},\"assets\":{},\"mix\":\"{:?}\",\"stale_percent\":{},\"instances\":{},\
         \"median_ms\":{:.4},\"p90_ms\":{:.4},\"max_ms\":{:.4},\"warm_median_ms\":{:.4},\"warm_p90_ms\":{:.4},\
         \"search_gap_bp_median\":{:.6},\"search_gap_bp_worst\":{:.6},\"gap_bp_median\":{:.6},\"gap_bp_worst\":{:.6},\
         \"net_gap_bp_median\":{:.4},\"legs_median\":{},\"iterations_median\":{},\"evaluations_median\":{},\
         \"ordered\":{},\"not_dual\":{}",
        recipe.markets,
        recipe.assets,
        recipe.mix,
        recipe.stale_percent,
        rows.len(),
        q(&|row| row.cold_ms, 0.5),
        q(&|row| row.cold_ms, 0.9),
        q(&|row| row.cold_ms, 1.0),
        q(&|row| row.warm_ms, 0.5),
        q(&|row| row.warm_ms, 0.9),
        q(&|row| row.search_gap_bp, 0.5),
        q(&|row| row.search_gap_bp, 1.0),
        q(&|row| row.gap_bp, 0.5),
        q(&|row| row.gap_bp, 1.0),
        q(&|row| row.net_gap_bp, 0.5),
        q(&|row| f64::from(u32::try_from(row.legs).unwrap()), 0.5),
        q(&|row| f64::from(row.iterations), 0.5),
        q(&|row| f64::from(row.evaluations), 0.5),
        rows.iter().filter(|row| row.is_ordered).count(),
        rows.iter().filter(|row| row.method != "dual").count(),
    );
    for name in ["best_path", "greedy_20", "greedy_256"] {
        let mut better: Vec<f64> = rows
            .iter()
            .filter_map(|row| row.better_bp.get(name).copied())
            .collect();
        if better.is_empty() {
            continue;
        }
        let worst = better.iter().copied().fold(f64::INFINITY, f64::min);
        let _ = write!(
            text,
            ",\"better_than_{name}_bp\":{{\"median\":{:.4},\"worst\":{worst:.6}}}",
            quantile(&mut better, 0.5)
        );
    }
    let failed = rows.iter().filter(|row| !row.failures.is_empty()).count();
    let _ = write!(text, ",\"failures\":{failed}}}");
    println!("{text}");
    if options.flags.contains_key("verbose") {
        for row in rows {
            println!(
                "  seed {} cold {:.3} warm {:.3} search gap {:.6} gap {:.4} net {:.3} legs {} its {} evals {} {} {:?} {:?}",
                row.seed,
                row.cold_ms,
                row.warm_ms,
                row.search_gap_bp,
                row.gap_bp,
                row.net_gap_bp,
                row.legs,
                row.iterations,
                row.evaluations,
                row.method,
                row.better_bp,
                row.failures
            );
        }
    }
}
