//! What does the operator want? One answer out of defaults, file, environment and flags.

mod model;

pub use model::{
    Backend, Config, Durability, Limits, Listener, Log, MQTT_PORT, RetainedStorage, Storage,
};
