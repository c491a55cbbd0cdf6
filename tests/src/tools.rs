//! The clients of other projects, as `tests/run` installs them.

use crate::{Broker, Program};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a line of [`mosquitto_sub`] with a message begins with; behind it stand
/// QoS, retain flag, topic and payload.
pub const MESSAGE: &str = "message ";

/// Runs `mosquitto_pub` to its end; it must succeed.
pub fn mosquitto_pub(broker: &Broker, args: &str) {
    let port = broker.port().to_string();
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &port]).args(args.split_whitespace());
    Program::start(&mut command).finish();
}

/// Starts `mosquitto_sub` and waits until it has subscribed.
#[must_use]
pub fn mosquitto_sub(broker: &Broker, args: &str) -> Program {
    let port = broker.port().to_string();
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub", "-d", "-h", "127.0.0.1", "-p", &port]);
    command.args(["-F", &format!("{MESSAGE}%q %r %t %p")]).args(args.split_whitespace());
    let mut sub = Program::start(&mut command);
    sub.expect("Subscribed");
    sub.rewound()
}

/// Starts a script of `tests/clients` with the Paho of this major version; its
/// first argument is the broker's port.
#[must_use]
pub fn paho(major: u8, broker: &Broker, script: &str, args: &[&str]) -> Program {
    let script = here().join("clients").join(script);
    let mut command = Command::new(python(major));
    command.arg("-u").arg(script).arg(broker.port().to_string()).args(args);
    Program::start(&mut command)
}

/// The Python whose environment has the Paho of this major version.
#[must_use]
pub fn python(major: u8) -> PathBuf {
    here().join(format!(".cache/paho{major}/bin/python"))
}

/// Starts a script of `tests/clients` with Node and MQTT.js; its first argument is the broker's port.
#[must_use]
pub fn node(broker: &Broker, script: &str, args: &[&str]) -> Program {
    let mut command = Command::new("node");
    command.env("NODE_PATH", here().join(".cache/node/node_modules"));
    command.arg(here().join("clients").join(script)).arg(broker.port().to_string()).args(args);
    Program::start(&mut command)
}

/// The directory of the tests.
#[must_use]
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
