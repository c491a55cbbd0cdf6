//! How does text become a store again?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use hikyaku_blocking::Blocking;
use hikyaku_broker::ledger::Record;
use hikyaku_traits::{RecordStore, StoreError, Table};
use indicatif::HumanCount;

use super::DASH;
use super::lines::{Entry, Lines};
use crate::store_tool::Failure;
use crate::store_tool::address::{Address, Chosen, Stores};
use crate::store_tool::copy::{OF_ALL_STORES, RETAINED, refuse_filled};
use crate::store_tool::draft::{Draft, Drafts, Target};
use crate::store_tool::pages::Filler;
use crate::store_tool::progress::Progress;

/// Which file is read into which store.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ImportArgs {
    /// Read this file; - is stdin
    file: PathBuf,
    #[command(flatten)]
    pub(in crate::store_tool) chosen: Chosen,
}

/// Imports, and says how much. Blocks for the disk and the input.
pub(in crate::store_tool) async fn import(
    asked: &ImportArgs,
    stores: &Stores,
    drafts: &Drafts,
) -> Result<String, Failure> {
    let file = &asked.file;
    let (mut lines, progress) = open(file)?;
    lines.first()?;
    let main = Place::take(&stores.main, drafts).await?;
    let retained = match &stores.retained {
        Some(address) => Some(Place::take(address, drafts).await?),
        None => None,
    };
    let mut sorter = Sorter {
        main: Filler::new(&main.store),
        retained: retained.as_ref().map(|place| Filler::new(&place.store)),
        meta: BTreeMap::new(),
        retained_meta: BTreeMap::new(),
    };
    while let Some(entry) = lines.record()? {
        progress.add(entry.text_bytes);
        sorter.put(entry).await?;
    }
    let records = lines.tally.sum();
    sorter.finish().await?;
    // A broker does not start while one of the two has not got its name.
    for place in retained.into_iter().chain([main]) {
        place.store.close().await?;
        place.target.replace(&place.address, place.draft).await?;
    }
    Ok(format!("imported {} records from {} into {stores}\n", HumanCount(records), file.display()))
}

fn open(file: &Path) -> Result<(Lines, Progress), Failure> {
    if file == Path::new(DASH) {
        return Ok((Lines::new(Box::new(io::stdin().lock()), "stdin".to_owned()), Progress::bytes(0)));
    }
    let cannot = |error| Failure::io("read", file, &error, "the file that an export has written");
    let opened = File::open(file).map_err(cannot)?;
    let bytes = opened.metadata().map_err(cannot)?.len();
    Ok((Lines::new(Box::new(BufReader::new(opened)), file.display().to_string()), Progress::bytes(bytes)))
}

/// A store that is made.
struct Place {
    // In front of the draft, and so dropped before it: a draft is removed when nobody has it open any more.
    store: Blocking,
    draft: Draft,
    target: Target,
    address: Address,
}

impl Place {
    async fn take(address: &Address, drafts: &Drafts) -> Result<Self, Failure> {
        let target = Target::take(address)?;
        refuse_filled(address, &target, &Table::ALL).await?;
        let draft = Draft::begin(&address.file, drafts);
        let store = Address { file: draft.path().to_owned(), ..*address }.make()?;
        Ok(Self { address: address.clone(), target, draft, store })
    }
}

/// Puts records where the configuration wants them, whether they came from one store or from two.
struct Sorter<'a> {
    main: Filler<'a>,
    retained: Option<Filler<'a>>,
    meta: BTreeMap<Box<str>, u64>,
    /// What has been written of it to a store of retained messages.
    retained_meta: BTreeMap<Box<str>, u64>,
}

impl Sorter<'_> {
    async fn put(&mut self, entry: Entry) -> Result<(), StoreError> {
        let Entry { record, is_separate, table, row, .. } = entry;
        if RETAINED.contains(&table) {
            self.give_meta().await?;
        }
        match (record, &mut self.retained) {
            (Record::Meta { name, number }, Some(retained)) if is_separate => {
                self.retained_meta.insert(name, number);
                retained.put(table, row).await
            }
            (Record::Meta { name, number }, None) if is_separate => {
                // The later clock counts.
                if OF_ALL_STORES.contains(&&*name) && self.meta.get(&name).is_none_or(|known| *known < number) {
                    self.meta.insert(name, number);
                    self.main.put(table, row).await?;
                }
                Ok(())
            }
            (Record::Meta { name, number }, _) => {
                self.meta.insert(name, number);
                self.main.put(table, row).await
            }
            (_, Some(retained)) if RETAINED.contains(&table) => retained.put(table, row).await,
            _ => self.main.put(table, row).await,
        }
    }

    /// A store of retained messages that has come out of a common one has format and clock of that.
    async fn give_meta(&mut self) -> Result<(), StoreError> {
        let Some(retained) = &mut self.retained else { return Ok(()) };
        for name in OF_ALL_STORES {
            let (false, Some(&number)) = (self.retained_meta.contains_key(name), self.meta.get(name)) else { continue };
            self.retained_meta.insert(name.into(), number);
            if let Some((table, row)) = (Record::Meta { name: name.into(), number }).write() {
                retained.put(table, row).await?;
            }
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), StoreError> {
        if let Some(retained) = self.retained {
            retained.finish().await?;
        }
        self.main.finish().await.map(drop)
    }
}
