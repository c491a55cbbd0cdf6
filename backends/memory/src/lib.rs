//! Records in memory: fast, and gone with the process.
