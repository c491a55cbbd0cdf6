//! Tests of the real broker: real clients, real kills.
