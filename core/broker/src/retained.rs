//! Which retained messages match a filter?
