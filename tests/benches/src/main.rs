//! What does durability cost? Each store of the broker beside the yardstick, a file that is appended to and synced, in
//! alternation within one run.
//!
//! `storage-bench durable | latency | online`; the broker runs in a process of its own. Figures and marks:
//! `docs/benchmarks.md`.
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

mod broker;
mod engine;
mod file;
mod load;

use std::path::PathBuf;
use std::time::Duration;

use broker::{Running, Setup, Store};
use clap::{Parser, Subcommand};
use load::Load;

/// Measures the broker's stores.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The directory whose disk is measured.
    #[arg(long, global = true, default_value = "target")]
    base: PathBuf,
    /// How often each store has its turn.
    #[arg(long, global = true, default_value_t = 5)]
    rounds: usize,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Messages per second to offline sessions: publishers with a window
    Durable {
        #[arg(long, default_value_t = 100)]
        publishers: usize,
        #[arg(long, default_value_t = 100)]
        window: usize,
        /// Messages of each publisher
        #[arg(long, default_value_t = 3_000)]
        messages: usize,
        #[arg(long, default_value_t = 256)]
        payload: usize,
    },
    /// One publisher with a window of 1, beside the engine's own commit and a ping
    Latency {
        #[arg(long, default_value_t = 3_000)]
        messages: usize,
    },
    /// Subscribers online and commits of 2 ms: how many messages need no write
    Online {
        #[arg(long, default_value_t = 2)]
        delay_ms: u64,
        #[arg(long, default_value_t = 10)]
        window: usize,
    },
    /// The engine's own commits, without a broker
    Engine {
        #[arg(long, default_value_t = 1_000)]
        rows: usize,
        #[arg(long, default_value_t = 300)]
        value: usize,
        #[arg(long, default_value_t = 300)]
        commits: usize,
    },
    /// A broker on a store, as the other commands start it
    #[command(hide = true)]
    Broker(Setup),
}

const STORES: [Store; 6] =
    [Store::File, Store::Redb, Store::Sqlite, Store::RedbAlone, Store::SqliteAlone, Store::Memory];

fn main() {
    let cli = Cli::parse();
    let mut builder = match cli.command {
        Command::Broker(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build().expect("the runtime starts");
    runtime.block_on(async {
        match &cli.command {
            &Command::Durable { publishers, window, messages, payload } => {
                durable(&cli, Load { publishers, window, messages, payload_bytes: payload }).await;
            }
            &Command::Latency { messages } => latency(&cli, messages).await,
            &Command::Online { delay_ms, window } => online(&cli, delay_ms, window).await,
            &Command::Engine { rows, value, commits } => engine(&cli, commits, rows, value).await,
            Command::Broker(setup) => broker::run(setup.clone()).await,
        }
    });
}

async fn durable(cli: &Cli, load: Load) {
    println!("{load:?}, each publisher to an offline session of its own; messages per second (of the yardstick), CPU");
    let mut ratios = [const { Vec::new() }; STORES.len()];
    for _ in 0..cli.rounds {
        let mut yardstick = 0.0;
        for (place, store) in STORES.into_iter().enumerate() {
            let (rate, cpu) = one_durable(cli, store, load).await;
            if store == Store::File {
                yardstick = rate;
            }
            ratios[place].push(rate / yardstick);
            print!("{store:?} {rate:.0} ({:.2}) {cpu:.2} us   ", rate / yardstick);
        }
        println!();
    }
    for (store, mut ratios) in STORES.into_iter().zip(ratios) {
        ratios.sort_unstable_by(f64::total_cmp);
        println!("{store:?}: median {:.2} of the yardstick", ratios[ratios.len() / 2]);
    }
}

/// Messages per second, and microseconds of the broker's CPU per message.
async fn one_durable(cli: &Cli, store: Store, load: Load) -> (f64, f64) {
    let broker = Running::start(&cli.base, store, 0);
    load::sleepers(broker.address, load.publishers).await;
    let before = broker.cpu();
    let (took, _) = load::publish(broker.address, load).await;
    let count = (load.publishers * load.messages) as f64;
    (count / took.as_secs_f64(), (broker.cpu() - before).as_secs_f64() * 1e6 / count)
}

async fn engine(cli: &Cli, commits: usize, rows: usize, value: usize) {
    println!("{commits} commits of {rows} rows of {value} bytes; microseconds");
    for _ in 0..cli.rounds {
        for store in STORES {
            let times = engine::commits(&cli.base, store, commits, rows, value).await;
            let all: Duration = times.iter().sum();
            let per_row = all.as_secs_f64() * 1e6 / (commits * rows) as f64;
            let (p50, p99) = (middle(&times), times[times.len() * 99 / 100].as_secs_f64() * 1e6);
            print!("{store:?}: {per_row:.2} a row, median {p50:.0}, p99 {p99:.0}   ");
        }
        println!();
    }
}

async fn latency(cli: &Cli, messages: usize) {
    println!("one publisher, window 1, 256 bytes; microseconds");
    for _ in 0..cli.rounds {
        for (store, engine) in
            [(Store::Redb, Store::RedbAlone), (Store::Sqlite, Store::SqliteAlone), (Store::File, Store::File)]
        {
            let commit = middle(&engine::commits(&cli.base, engine, messages, 1, 300).await);
            let broker = Running::start(&cli.base, store, 0);
            load::sleepers(broker.address, 1).await;
            let ping = middle(&load::pings(broker.address, messages).await);
            let load = Load { publishers: 1, window: 1, messages, payload_bytes: 256 };
            let (_, times) = load::publish(broker.address, load).await;
            let (p50, p99) = (middle(&times), times[times.len() * 99 / 100].as_secs_f64() * 1e6);
            println!(
                "{store:?}: median {p50:.0} = {:.2} of (commit {commit:.0} + ping {ping:.0}); p99 {p99:.0} = {:.1} medians",
                p50 / (commit + ping),
                p99 / p50
            );
        }
    }
}

async fn online(cli: &Cli, delay_ms: u64, window: usize) {
    println!(
        "100 publishers, window {window}, each to a persistent session that is online; commits take {delay_ms} ms longer"
    );
    for _ in 0..cli.rounds {
        let mut broker = Running::start(&cli.base, Store::File, delay_ms);
        let listeners = load::listeners(broker.address, 100).await;
        let load = Load { publishers: 100, window, messages: 1_000, payload_bytes: 256 };
        let (took, _) = load::publish(broker.address, load).await;
        let (stored, spared) = (broker.counter("messages_stored"), broker.counter("writes_spared"));
        listeners.iter().for_each(tokio::task::JoinHandle::abort);
        let share = spared as f64 * 100.0 / (stored + spared) as f64;
        println!(
            "{:.0} per second; {spared} of {} needed no write: {share:.0} %",
            1e5 / took.as_secs_f64(),
            stored + spared
        );
    }
}

/// The middle of rising times, in microseconds.
fn middle(times: &[Duration]) -> f64 {
    times[times.len() / 2].as_secs_f64() * 1e6
}
