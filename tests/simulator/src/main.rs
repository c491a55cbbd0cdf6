//! Which seeds does the broker pass? `tests/simulation SEED`, `tests/simulation --seeds N`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use hikyaku_simulator::{FLAWS, Failure, Flaw, Log, find, play};

/// How many failed seeds are shown before it gives up.
const FAILURES_MAX: usize = 10;

/// Plays the broker's core under a clock and a disk of its own. A seed decides everything: a failed one fails again.
#[derive(Debug, Parser)]
#[command(name = "tests/simulation")]
struct Arguments {
    /// The seed to play, with its last events.
    #[arg(conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many seeds to play.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// The first of them; by chance if it is not given.
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Shows all events of the seed, and not only the last.
    #[arg(long, requires = "seed")]
    all: bool,
    /// Plants a bug, which must be found.
    #[arg(long, value_name = "NAME", value_parser = flaw)]
    planted: Option<Flaw>,
}

fn flaw(name: &str) -> Result<Flaw, String> {
    let found = FLAWS.iter().find(|(known, _)| *known == name).map(|(_, flaw)| *flaw);
    found.ok_or_else(|| format!("no bug has this name; there are {}", FLAWS.map(|(name, _)| name).join(", ")))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let flaw = arguments.planted.unwrap_or(Flaw::None);
    if let Some(seed) = arguments.seed {
        return replay(seed, flaw, if arguments.all { Log::All } else { Log::Last });
    }
    let from = arguments.from.unwrap_or_else(by_chance);
    let to = from.saturating_add(arguments.seeds);
    println!("seeds {from} to {}", to.saturating_sub(1));
    if flaw == Flaw::None { batch(from, to) } else { hunt(flaw, from, to) }
}

/// A number that is small enough to be typed.
fn by_chance() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) * 1000 + since.as_secs() % 1000
}

fn replay(seed: u64, flaw: Flaw, log: Log) -> ExitCode {
    match play(seed, flaw, log) {
        Ok(()) => {
            println!("seed {seed} passes");
            ExitCode::SUCCESS
        }
        Err(Failure { what, log, .. }) => {
            println!("{log}\nseed {seed}: {what}");
            ExitCode::FAILURE
        }
    }
}

fn hunt(flaw: Flaw, from: u64, to: u64) -> ExitCode {
    match find(flaw, from..to) {
        Some(Failure { seed, what, .. }) => {
            println!("found by seed {seed}, the {}. of them: {what}", seed - from + 1);
            ExitCode::SUCCESS
        }
        None => {
            println!("not found");
            ExitCode::FAILURE
        }
    }
}

/// Plays many seeds, on all processors.
fn batch(from: u64, to: u64) -> ExitCode {
    let next = AtomicU64::new(from);
    let failures = Mutex::new(Vec::new());
    let is_full = || failures.lock().is_ok_and(|failures| failures.len() >= FAILURES_MAX);
    let work = || {
        while !is_full() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to {
                return;
            }
            if let Err(failure) = play(seed, Flaw::None, Log::None) {
                println!("tests/simulation {seed}   # {}", failure.what);
                failures.lock().map(|mut failures| failures.push(seed)).unwrap_or_default();
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let failed = failures.lock().map_or(0, |failures| failures.len());
    println!("{} seeds played, {failed} failed", next.into_inner().min(to) - from);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
