//! How often may the power go? `cargo run --release -p hikyaku-power -- --rounds N`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use hikyaku_power::{Backend, Flaw, command, play_all};

/// Takes the power from stores at random moments, and looks whether all that was acknowledged is there afterwards.
#[derive(Debug, Parser)]
#[command(name = "hikyaku-power")]
struct Arguments {
    /// The backend; both if it is not given.
    #[arg(long)]
    backend: Option<Backend>,
    /// How many rounds to play with each.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rounds: u64,
    /// The seed of the first; each round has the next one.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Arguments { backend, rounds, seed } = Arguments::parse();
    let backends = backend.map_or(vec![Backend::Redb, Backend::Sqlite], |one| vec![one]);
    let mut failed = 0;
    for backend in backends {
        let began = Instant::now();
        let report = play_all(backend, seed..seed.saturating_add(rounds), Flaw::None);
        for (seed, what) in &report.failures {
            println!("{}   # {}: {what}", command(backend, *seed), backend.name());
        }
        let (count, lost) = (report.rounds, report.failures.len());
        println!("{}: {count} rounds in {:.0?}, {lost} failed; {}", backend.name(), began.elapsed(), report.tally);
        failed += lost;
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
