//! Is a store what the broker has written?

use hikyaku_blocking::Blocking;
use hikyaku_broker::ledger::Record;
use hikyaku_traits::{Decision, RecordStore, Table};
use indicatif::HumanCount;

use super::Failure;
use super::address::{Address, Stores};
use super::balance::Balance;
use super::copy::RETAINED;
use super::pages::{Pages, meta_rows, refuse_stranded};
use super::progress::Progress;

/// What a message is judged by comes before it.
const ORDER: [Table; 8] = [
    Table::Meta,
    Table::Session,
    Table::Subscription,
    Table::Progress,
    Table::Inflight,
    Table::Will,
    Table::Message,
    Table::Body,
];

/// Checks the files, every row, and how the rows fit each other. Prints a line for each problem as it is found. Blocks for
/// the disk.
pub(super) async fn verify(stores: &Stores) -> Result<String, Failure> {
    for address in stores.each() {
        match address.verify() {
            // What it says names the file. Nothing more can be said of one that is damaged.
            Err(error) if error.decision == Decision::Corrupt => {
                println!("{error}");
                return Err(Failure::new(format!("1 problem in {address}; the rows were not read")));
            }
            other => other?,
        }
    }
    let main = stores.main.open_existing()?;
    let retained = stores.retained.as_ref().map(Address::open_existing).transpose()?;
    meta_rows(&main, &stores.main.file).await?;
    let mut check = Check { balance: Balance::default(), records: 0, problems: 0 };
    check.read(&main, &stores.main, &ORDER).await?;
    match (&retained, &stores.retained) {
        (Some(store), Some(address)) => {
            if let Err(failure) = refuse_stranded(&main, &stores.main, address).await {
                check.problem(&stores.main, &failure.0);
            }
            meta_rows(store, &address.file).await?;
            check.read(store, address, &RETAINED).await?;
        }
        _ => check.read(&main, &stores.main, &RETAINED).await?,
    }
    for store in retained.iter().chain([&main]) {
        store.close().await?;
    }
    check.finish(stores)
}

struct Check {
    balance: Balance,
    records: u64,
    problems: u64,
}

impl Check {
    fn problem(&mut self, address: &Address, what: &str) {
        self.problems += 1;
        println!("{address}: {what}");
    }

    async fn read(&mut self, store: &Blocking, address: &Address, tables: &[Table]) -> Result<(), Failure> {
        let progress = Progress::over(&address.file);
        let mut pages = Pages::of(store, tables);
        while let Some((table, rows)) = pages.next().await? {
            progress.rows(table, &rows);
            for row in rows {
                self.records += 1;
                match Record::read(table, &row) {
                    Ok(record) => self.balance.take(record),
                    Err(error) => self.problem(address, &error.to_string()),
                }
                for problem in std::mem::take(&mut self.balance.problems) {
                    self.problem(address, &problem);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, stores: &Stores) -> Result<String, Failure> {
        let balance = std::mem::take(&mut self.balance).finish();
        for problem in &balance.problems {
            self.problem(&stores.main, problem);
        }
        for note in balance.notes() {
            println!("note: {note}");
        }
        let records = HumanCount(self.records);
        match self.problems {
            0 => Ok(format!("{stores}: {records} records, no problem\n")),
            1 => Err(Failure::new(format!("1 problem among {records} records of {stores}"))),
            problems => Err(Failure::new(format!("{problems} problems among {records} records of {stores}"))),
        }
    }
}
