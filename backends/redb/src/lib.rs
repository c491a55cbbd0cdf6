//! Records in one redb file.
