//! Decisions to the world: the tokio shell, config, and the binary.
