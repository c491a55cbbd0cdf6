//! Clients of other projects against the running broker.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod mosquitto;
mod mqttjs;
mod paho;
mod paho_wills;
mod retained;
mod rumqttc;
mod tour;
