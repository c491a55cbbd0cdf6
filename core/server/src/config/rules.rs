//! Do the values fit each other? What no single value can tell.

use std::net::SocketAddr;
use std::path::{Component, Path};

use super::assemble::{Assembled, is_wrong};
use super::layers::Merged;
use super::model::{Backend, Config, Durability};
use super::problem::{Origin, Problem};
use super::units::size_text;

/// Everything that does not fit, leaving out what has a wrong value already.
pub(super) fn check(assembled: &Assembled, merged: &Merged, known: &[Problem]) -> Vec<Problem> {
    let mut rules = Rules { merged, known, problems: Vec::new() };
    let config = &assembled.config;
    for (position, number) in assembled.numbers.iter().enumerate() {
        rules.may_enter(config, position, *number);
        rules.binds_once(assembled, position);
    }
    rules.interval(config);
    rules.retained(config);
    rules.packet_fits(config);
    rules.problems
}

struct Rules<'a> {
    merged: &'a Merged,
    known: &'a [Problem],
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn report(&mut self, path: &str, message: impl Into<String>) {
        let origin = self.merged.origin(path);
        self.problems.push(Problem::new(&origin, path, message));
    }

    fn may_enter(&mut self, config: &Config, position: usize, number: usize) {
        let listener = &config.listeners[position];
        let (bind, allow) = (format!("listeners.{number}.bind"), format!("listeners.{number}.allow_anonymous"));
        if listener.anonymous_allowed() || is_wrong(self.known, &allow) {
            return;
        }
        let address = listener.bind;
        if address.ip().is_loopback() {
            let message =
                "false lets nobody in, because there is no other way to log in yet. Remove the line, or the listener.";
            return self.report(&allow, message);
        }
        let yes = match self.merged.origin(&bind) {
            Origin::Environment(name) => {
                format!("Set {}=true", name.replace("BIND", "ALLOW_ANONYMOUS"))
            }
            Origin::Flag(_) => "Add --allow-anonymous".to_owned(),
            _ => "Write allow_anonymous: true at this listener".to_owned(),
        };
        let loopback: SocketAddr = if address.is_ipv4() {
            ([127, 0, 0, 1], address.port()).into()
        } else {
            (std::net::Ipv6Addr::LOCALHOST, address.port()).into()
        };
        let message = format!(
            "{address} can be reached from other machines, and nobody would have to log in. {yes} \
             if you want that, else bind to {loopback}."
        );
        self.report(&bind, message);
    }

    /// No other listener takes the same address, or all addresses of the same port.
    fn binds_once(&mut self, assembled: &Assembled, position: usize) {
        let listeners = &assembled.config.listeners;
        let (mine, number) = (listeners[position].bind, assembled.numbers[position]);
        let covers = |other: SocketAddr| {
            let any = other.ip().is_unspecified() || mine.ip().is_unspecified();
            other == mine || (other.port() == mine.port() && any && other.is_ipv4() == mine.is_ipv4())
        };
        if mine.port() == 0 {
            return;
        }
        let Some(earlier) = listeners[..position].iter().position(|other| covers(other.bind)) else {
            return;
        };
        let (other, first) = (listeners[earlier].bind, assembled.numbers[earlier]);
        let message = if other == mine {
            format!("listens on {mine}, as listeners.{first} does. Keep one of them.")
        } else {
            format!("{mine} and {other} of listeners.{first} share a port. Keep the wider one, or change the port.")
        };
        self.report(&format!("listeners.{number}.bind"), message);
    }

    fn interval(&mut self, config: &Config) {
        const KEY: &str = "storage.sync_interval";
        let (durability, interval) = (self.merged.rank("storage.durability"), self.merged.rank(KEY));
        // A flag may set another durability than the file without taking the file apart.
        let stands = interval > Some(0) && interval >= durability;
        let unused = config.storage.durability != Durability::Interval;
        if stands && unused && !is_wrong(self.known, "storage.durability") {
            let message = format!(
                "does nothing with durability: {}. Remove it, or write durability: interval.",
                config.storage.durability
            );
            self.report(KEY, message);
        }
    }

    fn retained(&mut self, config: &Config) {
        const KEY: &str = "storage.retained.path";
        let storage = &config.storage;
        let Some(retained) = &storage.retained else {
            return;
        };
        let in_memory = retained.backend == Backend::Memory || storage.backend == Backend::Memory;
        let apart = in_memory || !same_place(&retained.path, &storage.path);
        if apart || is_wrong(self.known, "storage.path") {
            return;
        }
        let message = if retained.backend == storage.backend {
            "is storage.path, where retained messages are anyway. Remove the section retained, or write another path."
        } else {
            "is storage.path too, and two backends cannot share a directory. Write another path, like ./retained."
        };
        self.report(KEY, message);
    }

    /// What holds whole messages must hold the largest packet, else it would never move on.
    fn packet_fits(&mut self, config: &Config) {
        const PACKET: &str = "limits.packet_size_max";
        let limits = &config.limits;
        let packet = limits.packet_size_max as u64;
        for (name, bytes) in [
            ("inflight_bytes_max", limits.inflight_bytes_max as u64),
            ("mailbox_bytes_max", limits.mailbox_bytes_max as u64),
            ("queue_bytes_max", limits.queue_bytes_max),
            ("retained_bytes_max", limits.retained_bytes_max as u64),
            ("journal_bytes_max", limits.journal_bytes_max as u64),
        ] {
            let path = format!("limits.{name}");
            if bytes >= packet || is_wrong(self.known, &path) || is_wrong(self.known, PACKET) {
                continue;
            }
            let (bytes, packet) = (size_text(bytes), size_text(packet));
            if self.merged.rank(&path) > Some(0) {
                let message = format!(
                    "{bytes} cannot hold a packet of {packet} (limits.packet_size_max). Write {packet} or more, or lower that."
                );
                self.report(&path, message);
            } else {
                let message = format!(
                    "a packet of {packet} is more than limits.{name} holds ({bytes} by default). Write {bytes} or less, or raise that."
                );
                self.report(PACKET, message);
            }
        }
    }
}

fn same_place(a: &Path, b: &Path) -> bool {
    let parts = |path: &Path| -> Vec<_> {
        path.components().filter(|part| *part != Component::CurDir).map(|part| part.as_os_str().to_owned()).collect()
    };
    a.has_root() == b.has_root() && parts(a) == parts(b)
}
