//! What does the command line say? The strongest layer.

use std::path::PathBuf;

use super::check::{check, nested, scalar};
use super::document::{Node, Tree};
use super::layers::Layer;
use super::problem::{Origin, Problem};

/// The flags that configure the broker. They win over the environment and the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Flags {
    /// Read this file [default: ./config.yaml, else /etc/hikyaku/config.yaml, else none]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Log one line for each step in the life of a packet
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// Listen here, and only here (may be given more than once)
    #[arg(long, value_name = "ADDRESS:PORT", global = true)]
    pub bind: Vec<String>,

    /// Let clients in without a name at every --bind, also from other machines
    #[arg(long, global = true, requires = "bind")]
    pub allow_anonymous: bool,

    /// Keep the data in this directory
    #[arg(long, value_name = "DIRECTORY", global = true)]
    pub storage_path: Option<String>,

    /// Keep the data with: redb, sqlite, memory
    #[arg(long, value_name = "BACKEND", global = true)]
    pub backend: Option<String>,

    /// Write to disk: always (before the acknowledgement), interval, never
    #[arg(long, value_name = "WHEN", global = true)]
    pub durability: Option<String>,
}

impl Flags {
    /// The layer of the flags, and what is wrong with it.
    pub(super) fn layer(&self) -> (Layer, Vec<Problem>) {
        let mut layer = Layer::new("flags");
        let mut problems = Vec::new();
        let texts = [
            ("--storage-path", ["storage", "path"], self.storage_path.as_deref()),
            ("--backend", ["storage", "backend"], self.backend.as_deref()),
            ("--durability", ["storage", "durability"], self.durability.as_deref()),
            ("--verbose", ["log", "verbose"], self.verbose.then_some("true")),
        ];
        for (flag, path, text) in texts {
            if let Some(text) = text {
                let tree = nested(&path.map(str::to_owned), scalar(&Origin::Flag(flag), text));
                problems.extend(check(&mut layer, &tree));
            }
        }
        if !self.bind.is_empty() {
            let tree = nested(&["listeners".to_owned()], self.listeners());
            problems.extend(check(&mut layer, &tree));
        }
        (layer, problems)
    }

    fn listeners(&self) -> Node {
        let bind = Origin::Flag("--bind");
        let listener = |address: &String| {
            let mut entry = nested(&["bind".to_owned()], scalar(&bind, address));
            if let (Tree::Map(entries), true) = (&mut entry.value, self.allow_anonymous) {
                let yes = scalar(&Origin::Flag("--allow-anonymous"), "true");
                if let Tree::Map(more) = nested(&["allow_anonymous".to_owned()], yes).value {
                    entries.extend(more);
                }
            }
            entry
        };
        let list = self.bind.iter().map(listener).collect();
        Node { origin: bind.clone(), value: Tree::List(list) }
    }
}
