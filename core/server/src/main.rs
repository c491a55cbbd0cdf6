//! The command `hikyaku`: reads the configuration, runs the broker, ends it cleanly on SIGTERM and SIGINT.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use hikyaku_server::Server;
use hikyaku_server::banner::banner;
use hikyaku_server::cli::{Cli, Next};
use hikyaku_server::config::{Backend, Loaded, Storage};
use tokio::signal::unix::{SignalKind, signal};

/// The broker could not start, or its store could not be used any more.
const EXIT_FAILED: u8 = 1;

fn main() -> ExitCode {
    match Cli::parse().next() {
        Next::Leave(farewell) => {
            print!("{}", farewell.stdout);
            eprint!("{}", farewell.stderr);
            ExitCode::from(farewell.code)
        }
        Next::Store(job) => job.run(),
        Next::Run(loaded) => run(&loaded),
    }
}

fn run(loaded: &Loaded) -> ExitCode {
    let level = if loaded.config.log.verbose { tracing::Level::DEBUG } else { tracing::Level::INFO };
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Cannot start the worker threads: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let code = runtime.block_on(serve(loaded));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}

async fn serve(loaded: &Loaded) -> ExitCode {
    let mut server = match Server::start(&loaded.config).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let notes: Vec<String> = loaded.notes.iter().chain(server.notes()).cloned().collect();
    eprint!("{}", banner(&loaded.config, &loaded.source, server.listening(), &notes));
    let failed = tokio::select! {
        error = server.failed() => Some(error),
        () = asked_to_stop() => None,
    };
    if let Some(error) = failed {
        tracing::error!("{error}");
        return ExitCode::from(EXIT_FAILED);
    }
    let hub = server.hub().clone();
    match server.stop().await {
        Ok(()) => {
            let counts: Vec<String> = hub
                .counters
                .each()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| format!("{name}={count}"))
                .collect();
            tracing::info!("stopped{}. {}", kept(&loaded.config.storage), counts.join(" "));
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("the store did not end well: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// What an orderly end leaves, whatever the durability.
fn kept(storage: &Storage) -> &'static str {
    if storage.backend == Backend::Memory { "; memory is gone" } else { "; everything acknowledged is on disk" }
}

/// Ends with SIGTERM or SIGINT.
async fn asked_to_stop() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::warn!(
            "signals cannot be caught: SIGTERM ends the broker at once, which loses nothing that was acknowledged"
        );
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
