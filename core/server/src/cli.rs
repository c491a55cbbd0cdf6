//! What was asked on the command line? Run, or answer and leave.

use clap::{Parser, Subcommand};

use crate::config::{self, ConfigErrors, ConfigSource, Flags, Loaded};
use crate::store_tool::{Job, StoreCommand};

/// The exit code for a configuration that cannot be used.
pub const EXIT_CONFIG: u8 = 2;

/// A durable MQTT broker.
///
/// Without a command it runs. Later wins: the defaults, the file, the environment
/// (HIKYAKU__STORAGE__PATH), these flags.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "hikyaku", version = version())]
pub struct Cli {
    /// What configures the broker.
    #[command(flatten)]
    pub flags: Flags,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of running.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Say whether the configuration is good, with everything that is wrong
    Check,
    /// Print the resolved configuration as YAML, with the origin of each value
    Config,
    /// Print the version and the storage backends
    Version,
    /// Copy, export, import, inspect a store that no broker has open
    Store {
        /// What to do with it.
        #[command(subcommand)]
        command: StoreCommand,
    },
}

/// What `main` does next.
pub enum Next {
    /// Run the broker.
    Run(Box<Loaded>),
    /// Do something with a store and leave.
    Store(Box<Job>),
    /// Print and leave.
    Leave(Farewell),
}

/// The last words of a process that does not run the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// For stdout, with its line end.
    pub stdout: String,
    /// For stderr, with its line end.
    pub stderr: String,
    /// The exit code.
    pub code: u8,
}

impl Cli {
    /// Loads the configuration where it is needed and decides what `main` does.
    #[must_use]
    pub fn next(&self) -> Next {
        let next = match &self.command {
            Some(Command::Version) => Ok(Next::Leave(said(format!("hikyaku {}\n", version())))),
            Some(Command::Store { command }) => Job::new(command, &self.flags).map(|job| Next::Store(Box::new(job))),
            Some(Command::Config) => config::load(&self.flags).map(|loaded| Next::Leave(said(loaded.to_yaml()))),
            Some(Command::Check) => config::load(&self.flags).map(|loaded| Next::Leave(said(good(&loaded)))),
            None => config::load(&self.flags).map(|loaded| Next::Run(Box::new(loaded))),
        };
        next.unwrap_or_else(|errors| Next::Leave(refused(&errors)))
    }
}

fn said(stdout: String) -> Farewell {
    Farewell { stdout, stderr: String::new(), code: 0 }
}

fn refused(errors: &ConfigErrors) -> Farewell {
    let count = match errors.count() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let stderr = format!("{errors}\n{count} in the configuration; the broker does not start with it.\n");
    Farewell { stdout: String::new(), stderr, code: EXIT_CONFIG }
}

fn good(loaded: &Loaded) -> String {
    let mut out = match &loaded.source {
        ConfigSource::File(path) => format!("{} is good\n", path.display()),
        ConfigSource::Defaults => {
            format!("no file in {}; the built-in defaults are good\n", config::SEARCHED.join(" or "))
        }
    };
    for note in &loaded.notes {
        out.push_str(&format!("note: {note}\n"));
    }
    out
}

fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (redb, sqlite, memory)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(arguments: &[&str]) -> Next {
        Cli::parse_from(["hikyaku"].iter().chain(arguments)).next()
    }

    fn farewell(arguments: &[&str]) -> Farewell {
        match next(arguments) {
            Next::Leave(farewell) => farewell,
            Next::Run(_) | Next::Store(_) => panic!("runs"),
        }
    }

    /// Clap's own check of what is declared here.
    #[test]
    fn the_declaration_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    /// Flags configure, before and behind a command.
    #[test]
    fn flags_stand_before_and_behind_the_command() {
        let run = ["-v", "--bind", "127.0.0.1:0", "--bind", "[::1]:0", "--backend", "memory", "--durability", "never"];
        let Next::Run(loaded) = next(&run) else { panic!("does not run") };
        assert!(loaded.config.log.verbose && loaded.config.listeners.len() == 2);
        let printed = farewell(&["--storage-path", "/x", "config", "--backend", "sqlite"]).stdout;
        assert!(printed.contains("  path: /x") && printed.contains("  backend: sqlite"), "{printed}");
        assert!(printed.contains("# --storage-path"), "{printed}");
    }

    /// `check` answers with the exit code as well.
    #[test]
    fn check_answers_with_its_exit_code() {
        assert_eq!(farewell(&["check"]).code, 0);
        let bad = farewell(&["check", "--backend", "x", "--durability", "y"]);
        assert_eq!((bad.code, bad.stdout.as_str()), (EXIT_CONFIG, ""));
        assert!(
            bad.stderr.ends_with("2 problems in the configuration; the broker does not start with it.\n"),
            "{}",
            bad.stderr
        );
        assert!(farewell(&["--config", "/nonexistent/x.yaml"]).stderr.contains("there is no such file"));
    }

    /// The version names what is built in, and needs no configuration.
    #[test]
    fn the_version_needs_no_configuration() {
        let told = farewell(&["version", "--config", "/nonexistent/x.yaml"]);
        assert_eq!(told.stdout, format!("hikyaku {}\n", version()));
    }
}
