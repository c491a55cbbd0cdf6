//! The behaviour tests that every record store passes.
