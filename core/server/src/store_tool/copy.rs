//! How does a store move to another engine, or its retained messages to a store of their own?

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum;
use hikyaku_blocking::Blocking;
use hikyaku_broker::ledger::{Record, meta_name};
use hikyaku_traits::{RecordStore, Row, Table};
use indicatif::{HumanBytes, HumanCount};

use super::Failure;
use super::address::Address;
use super::draft::{Draft, Drafts, Target};
use super::pages::{Filler, Pages, clear, first_filled, meta_rows};
use super::progress::Progress;

/// The tables of retained messages.
pub(super) const RETAINED: [Table; 2] = [Table::Retained, Table::RetainedBody];

/// What belongs to sessions.
pub(super) const SESSIONS: [Table; 7] =
    [Table::Session, Table::Subscription, Table::Message, Table::Body, Table::Progress, Table::Inflight, Table::Will];

/// What a store of retained messages has in common with one of sessions.
pub(super) const OF_ALL_STORES: [&str; 2] = [meta_name::FORMAT, meta_name::CLOCK];

/// Which store is copied where.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct CopyArgs {
    /// Copy this store; it stays as it is
    #[arg(long, value_name = "ENGINE:PATH")]
    from: Address,
    /// Write this store; it must be empty or not be there
    #[arg(long, value_name = "ENGINE:PATH")]
    to: Address,
    /// Copy only this; then the target keeps what else it has
    #[arg(long, value_name = "WHAT")]
    only: Option<Only>,
    /// Remove from the source what was copied, once the copy is on disk
    #[arg(long = "move", requires = "only")]
    moves: bool,
}

/// A part of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// The retained messages, for a store of their own (storage.retained) or back
    Retained,
}

/// Copies, and says what. Blocks for the disk.
pub(super) async fn copy(asked: &CopyArgs, drafts: &Drafts) -> Result<String, Failure> {
    let CopyArgs { from, to, .. } = asked;
    if is_same(&from.file, &to.file) {
        let why = "source and target are the same file";
        return Err(Failure::new(format!("Cannot copy {from} to {to}: {why}. Try: another target.")));
    }
    let source = from.open_existing()?;
    let meta = meta_rows(&source, &from.file).await?;
    let target = Target::take(to)?;
    let progress = Progress::over(&from.file);
    let done = match asked.only {
        None => whole(&source, to, target, drafts, &progress).await?,
        Some(Only::Retained) => {
            let meta = numbers(&meta, &from.file)?;
            retained(&source, meta, to, target, drafts, &progress).await?
        }
    };
    let verb = if asked.moves { "moved" } else { "copied" };
    if asked.moves {
        clear(&source, &RETAINED).await?;
    }
    source.close().await?;
    drop(progress);
    let (records, bytes) = done;
    Ok(format!("{verb} {} records ({}) from {from} to {to}\n", HumanCount(records), HumanBytes(bytes)))
}

async fn whole(
    source: &Blocking,
    to: &Address,
    target: Target,
    drafts: &Drafts,
    progress: &Progress,
) -> Result<(u64, u64), Failure> {
    refuse_filled(to, &target, &Table::ALL).await?;
    let draft = Draft::begin(&to.file, drafts);
    let store = Address { file: draft.path().to_owned(), ..*to }.make()?;
    let mut filler = Filler::new(&store);
    pour(Pages::of(source, &Table::ALL), &mut filler, progress).await?;
    let done = filler.finish().await?;
    store.close().await?;
    target.replace(to, draft).await?;
    Ok(done)
}

/// Everything that the target has but retained messages, and those of the source.
async fn retained(
    source: &Blocking,
    meta: BTreeMap<Box<str>, u64>,
    to: &Address,
    target: Target,
    drafts: &Drafts,
    progress: &Progress,
) -> Result<(u64, u64), Failure> {
    let mut merged = BTreeMap::new();
    if let Some(there) = target.store() {
        merged = numbers(&meta_rows(there, &to.file).await?, &to.file)?;
        if is_copied(source, there).await? {
            return Ok((0, 0)); // an earlier run came so far
        }
    }
    refuse_filled(to, &target, &RETAINED).await?;
    for (name, number) in meta.into_iter().filter(|(name, _)| OF_ALL_STORES.contains(&&**name)) {
        let merged = merged.entry(name).or_default();
        *merged = number.max(*merged); // the later clock counts
    }
    let draft = Draft::begin(&to.file, drafts);
    let store = Address { file: draft.path().to_owned(), ..*to }.make()?;
    let mut filler = Filler::new(&store);
    for (table, row) in merged.into_iter().filter_map(|(name, number)| Record::Meta { name, number }.write()) {
        filler.put(table, row).await?;
    }
    if let Some(there) = target.store() {
        pour(Pages::of(there, &SESSIONS), &mut filler, progress).await?;
    }
    let before = filler.written;
    pour(Pages::of(source, &RETAINED), &mut filler, progress).await?;
    let after = filler.finish().await?;
    store.close().await?;
    target.replace(to, draft).await?;
    Ok((after.0 - before.0, after.1 - before.1))
}

/// Writes all that is read.
async fn pour(mut pages: Pages<'_>, filler: &mut Filler<'_>, progress: &Progress) -> Result<(), Failure> {
    while let Some((table, rows)) = pages.next().await? {
        progress.rows(table, &rows);
        for row in rows {
            filler.put(table, row).await?;
        }
    }
    Ok(())
}

/// What meta rows say.
fn numbers(meta: &[Row], file: &Path) -> Result<BTreeMap<Box<str>, u64>, Failure> {
    let mut numbers = BTreeMap::new();
    for row in meta {
        if let Record::Meta { name, number } =
            Record::read(Table::Meta, row).map_err(|error| Failure::ledger(file, &error))?
        {
            numbers.insert(name, number);
        }
    }
    Ok(numbers)
}

/// Whether the target has exactly the retained messages of the source, and there are some.
async fn is_copied(source: &Blocking, target: &Blocking) -> Result<bool, Failure> {
    let mut any = false;
    let (mut ours, mut theirs) = (Pages::of(source, &RETAINED).by_row(), Pages::of(target, &RETAINED).by_row());
    loop {
        match (ours.next().await?, theirs.next().await?) {
            (None, None) => return Ok(any),
            (our, their) if our != their => return Ok(false),
            _ => any = true,
        }
    }
}

pub(super) async fn refuse_filled(to: &Address, target: &Target, tables: &[Table]) -> Result<(), Failure> {
    let Some(store) = target.store() else { return Ok(()) };
    let Some(table) = first_filled(store, tables).await? else { return Ok(()) };
    let name = table.name();
    let advice = "another directory; or remove the file, if nobody needs what it holds";
    Err(Failure::new(format!("Cannot write the store {to}: it is not empty (it has rows of '{name}'). Try: {advice}.")))
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
