//! What does the operator read at start? What listens, who may enter, where data lies, how durable.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::config::{Backend, Config, ConfigSource, Durability, Storage, duration_text};

/// What is printed once everything runs. `listening` holds the real addresses, `notes` what else
/// the operator should know. Ends with a line end.
#[must_use]
pub fn banner(config: &Config, source: &ConfigSource, listening: &[SocketAddr], notes: &[String]) -> String {
    let mut lines = vec![("config", source.to_string())];
    lines.extend(listening.iter().map(|address| ("listening", format!("{address}, MQTT"))));
    lines.extend(who_may_enter(config, listening));
    lines.extend(data(&config.storage));
    lines.push(("durable", durability(&config.storage)));
    if let Some(retained) = &config.storage.retained {
        let storage = Storage { backend: retained.backend, ..config.storage.clone() };
        if durability(&storage) != durability(&config.storage) {
            lines.push(("durable", format!("retained messages: {}", durability(&storage))));
        }
    }
    lines.extend(notes.iter().map(|note| ("note", note.clone())));

    let mut out = format!("Hikyaku {}\n", env!("CARGO_PKG_VERSION"));
    for (label, text) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {label:<10} {text}");
    }
    out
}

/// One line for each group of listeners with the same door.
fn who_may_enter(config: &Config, listening: &[SocketAddr]) -> Vec<(&'static str, String)> {
    let (mut local, mut open, mut closed) = (Vec::new(), Vec::new(), Vec::new());
    for address in listening {
        let listener = config.listeners.iter().find(|listener| {
            // Port 0 became the port that the system chose.
            listener.bind.ip() == address.ip() && [0, address.port()].contains(&listener.bind.port())
        });
        let door = match listener {
            Some(listener) if !listener.anonymous_allowed() => &mut closed,
            Some(_) if address.ip().is_loopback() => &mut local,
            Some(_) => &mut open,
            None => &mut closed,
        };
        door.push(address.to_string());
    }
    let mut lines = Vec::new();
    if !local.is_empty() {
        lines.push(("may enter", "everybody on this machine, without a password".to_owned()));
    }
    if !open.is_empty() {
        let open = open.join(", ");
        lines.push(("may enter", format!("everybody who reaches {open}, without a password (allow_anonymous: true)")));
    }
    if !closed.is_empty() {
        lines.push(("may enter", format!("nobody through {}", closed.join(", "))));
    }
    lines
}

fn data(storage: &Storage) -> Vec<(&'static str, String)> {
    let place = |backend, path: &std::path::Path| match backend {
        Backend::Memory => "in memory only".to_owned(),
        _ => format!("{} ({backend})", std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display()),
    };
    let mut lines = vec![("data", place(storage.backend, &storage.path))];
    if let Some(retained) = &storage.retained {
        lines.push(("data", format!("retained messages: {}", place(retained.backend, &retained.path))));
    }
    lines
}

/// What a killed process and a power cut may take of what was acknowledged.
fn durability(storage: &Storage) -> String {
    let interval = duration_text(storage.sync_interval_ms);
    match (storage.backend, storage.durability) {
        (Backend::Memory, _) => "no: every stop, kill -9 and power cut takes everything".into(),
        (_, Durability::Always) => "always: kill -9 and a power cut take nothing that was acknowledged".into(),
        (_, Durability::Interval) => format!(
            "interval: a power cut may take what was acknowledged in the last {interval}; kill -9 takes nothing"
        ),
        (_, Durability::Never) => {
            "never: a power cut may take everything that was acknowledged since the start; kill -9 takes nothing".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Listener, RetainedStorage};

    /// The whole banner of the defaults, as the README shows it.
    #[test]
    fn the_defaults_are_told() {
        let config = Config::default();
        let listening: Vec<SocketAddr> = config.listeners.iter().map(|listener| listener.bind).collect();
        let data = std::path::absolute("./data").unwrap();
        let expected = format!(
            "Hikyaku {}\n  config     config.yaml\n  listening  127.0.0.1:1883, MQTT\n  listening  [::1]:1883, MQTT\n  \
             may enter  everybody on this machine, without a password\n  data       {} (redb)\n  \
             durable    always: kill -9 and a power cut take nothing that was acknowledged\n",
            env!("CARGO_PKG_VERSION"),
            data.display()
        );
        assert_eq!(banner(&config, &ConfigSource::File("config.yaml".into()), &listening, &[]), expected);
    }

    /// Everything but `always` says what it may cost, for each backend.
    #[test]
    fn what_may_be_lost_is_told() {
        let mut config = Config::default();
        let mut said = |backend, durability| {
            (config.storage.backend, config.storage.durability) = (backend, durability);
            banner(&config, &ConfigSource::Defaults, &[], &[])
        };
        assert!(said(Backend::Memory, Durability::Always).contains("power cut takes everything"));
        for backend in [Backend::Redb, Backend::Sqlite] {
            let interval = "a power cut may take what was acknowledged in the last 1s; kill -9 takes nothing";
            assert!(said(backend, Durability::Interval).contains(interval));
            assert!(said(backend, Durability::Never).contains("a power cut may take everything that was acknowledged"));
        }
        config.storage.durability = Durability::Always;
        config.storage.retained = Some(RetainedStorage { backend: Backend::Memory, path: "".into() });
        let told = banner(&config, &ConfigSource::Defaults, &[], &[]);
        assert!(told.contains("retained messages: in memory only"), "{told}");
        assert!(told.contains("durable    retained messages: no: "), "{told}");
    }

    /// An open door is told with its address, and so is a port that the system chose.
    #[test]
    fn an_open_door_is_told() {
        let listener = Listener { bind: "0.0.0.0:0".parse().unwrap(), allow_anonymous: Some(true) };
        let config = Config { listeners: vec![listener], ..Config::default() };
        let listening = ["0.0.0.0:40123".parse().unwrap()];
        let told = banner(&config, &ConfigSource::Defaults, &listening, &["mind this".to_owned()]);
        assert!(
            told.contains("everybody who reaches 0.0.0.0:40123, without a password (allow_anonymous: true)"),
            "{told}"
        );
        assert!(
            told.contains("config     built-in defaults\n") && told.ends_with("  note       mind this\n"),
            "{told}"
        );
    }
}
