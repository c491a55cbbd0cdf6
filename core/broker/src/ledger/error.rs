//! Why can the records of a store not be read?

use hikyaku_traits::Table;

/// What is wrong with a store's records. Each stops the start: going on would lose what was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerError {
    /// A newer version of the broker has written the store.
    Newer {
        /// The format of the store.
        found: u64,
        /// The newest format that this build reads.
        known: u64,
    },
    /// An older version of the broker has written the store, or it is on its way from there to the format of this one: see
    /// [`super::migrate`].
    Unmigrated {
        /// The format that this build reads.
        known: u64,
    },
    /// A row is not what was written.
    Corrupt {
        /// The table of the row.
        table: Table,
        /// The key of the row in hexadecimal digits.
        key: String,
    },
    /// [`super::Recovery::finish`] was called before all was read.
    Unfinished,
}

impl LedgerError {
    /// The row under that key is not what was written.
    #[must_use]
    pub fn corrupt(table: Table, key: &[u8]) -> Self {
        use std::fmt::Write;
        let mut hex = String::with_capacity(key.len() * 2);
        for byte in key {
            let _ = write!(hex, "{byte:02x}"); // a String takes everything
        }
        Self::Corrupt { table, key: hex }
    }
}

impl std::fmt::Display for LedgerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer { found, known } => write!(
                f,
                "the store has format {found}, and this version of the broker reads up to format {known}. Try: the version \
                 that wrote the store, or a newer one"
            ),
            Self::Unmigrated { known } => write!(
                f,
                "the store has an older format, or is on its way from there, and this is about format {known}. Try: start \
                 the broker on the store, which brings it to its own format"
            ),
            Self::Corrupt { table, key } => write!(
                f,
                "the row 0x{key} of table {:?} is not what the broker has written. Try: a backup of the store; if the disk \
                 and its memory are in order, please report it",
                table.name()
            ),
            Self::Unfinished => f.write_str("the store has not been read to its end"),
        }
    }
}

impl std::error::Error for LedgerError {}
