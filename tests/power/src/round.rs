//! What is a round? The life of one store, in which the power goes one to three times.

use fastrand::Rng;
use hikyaku_blocking::Blocking;
use hikyaku_traits::{Decision, Durability, RecordStore, Scan, StoreError, Table};

use crate::disk::{Cut, Refusal, Trouble};
use crate::machine::{Backend, Machine, Setup};
use crate::model::{Model, Rows};
use crate::records::Records;
use crate::tally::Tally;

/// What is wrong on purpose, to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// A buffered batch counts as promised: SQLite's `synchronous=NORMAL`, redb's `Durability::None`.
    BufferedIsPromised,
    /// The disk says that it has synced, and has not.
    DiskLies,
}

/// What a step of a round gives: the store as long as there is power, or what went wrong.
type Course = Result<Option<Blocking>, String>;

/// Plays a round. The seed decides everything but the moments at which the threads of one engine take turns.
///
/// # Errors
/// What was lost, or what a store did that it must not.
pub fn play(backend: Backend, seed: u64, flaw: Flaw) -> Result<Tally, String> {
    let mut random = Rng::with_seed(seed);
    let machine = Machine::new(backend, random.u64(..), flaw == Flaw::DiskLies);
    let records = Records::new(&mut random);
    let setup = Setup::by_chance(&mut random);
    let mut round = Round {
        machine,
        random,
        records,
        setup,
        flaw,
        model: Model::default(),
        batch_steps: 20,
        tally: Tally::default(),
    };
    let mut result = Ok(());
    hikyaku_suite::run(async { result = round.play().await });
    result.map(|()| round.tally)
}

struct Round {
    machine: Machine,
    random: Rng,
    model: Model,
    records: Records,
    setup: Setup,
    flaw: Flaw,
    /// How many steps of the disk the last batch took.
    batch_steps: usize,
    tally: Tally,
}

impl Round {
    async fn play(&mut self) -> Result<(), String> {
        if self.random.u8(..8) == 0 {
            self.cut_within(60);
        }
        let mut store = self.open()?;
        for _ in 0..self.random.usize(1..=3) {
            self.use_until_power_goes(store).await?;
            store = Some(self.come_back().await?);
        }
        let Some(store) = store else { return Ok(()) };
        let Some(store) = self.look(store).await? else { return Err("has no power though nobody took it".into()) };
        store.close().await.map_err(|error| format!("cannot be closed: {error}"))
    }

    /// Opens the store; `None` if the power went meanwhile.
    fn open(&self) -> Course {
        match self.machine.open(&self.setup) {
            Ok(store) => Ok(Some(store)),
            Err(_) if self.machine.disk.is_off() => Ok(None),
            Err(error) => Err(format!("refuses to open: {error}")),
        }
    }

    async fn use_until_power_goes(&mut self, mut store: Option<Blocking>) -> Result<(), String> {
        let calm = self.random.usize(..30);
        for i in 0.. {
            if i == calm {
                match self.random.u8(..5) {
                    0 => self.machine.disk.cut(),
                    _ => self.cut_within(self.batch_steps * 2 + 1),
                }
            }
            let Some(open) = store else { break };
            store = self.do_something(open).await?;
        }
        Ok(())
    }

    async fn do_something(&mut self, store: Blocking) -> Course {
        match self.random.u8(..20) {
            0 => self.look(store).await,
            1 => self.reopen(store).await,
            2 => {
                self.machine.disk.expect_trouble(Trouble {
                    what: if self.random.bool() { Refusal::Broken } else { Refusal::Full },
                    after_steps: self.random.usize(..=self.batch_steps),
                    lasts: self.random.bool(),
                });
                Ok(Some(store))
            }
            3..=5 => self.write(store, Durability::Buffered).await,
            _ => self.write(store, Durability::Synced).await,
        }
    }

    async fn write(&mut self, store: Blocking, durability: Durability) -> Course {
        let batch = self.records.batch(&mut self.random);
        self.model.ask(batch.clone());
        self.tally.batches += 1;
        let before = self.machine.disk.steps();
        let result = store.apply(batch, durability).await;
        self.batch_steps = self.machine.disk.steps() - before;
        match result {
            Ok(()) => {
                if durability == Durability::Synced || self.flaw == Flaw::BufferedIsPromised {
                    self.model.promise();
                }
                Ok(Some(store))
            }
            Err(error) => self.get_over(store, &error).await,
        }
    }

    async fn look(&mut self, store: Blocking) -> Course {
        match self.read(&store).await {
            Ok(found) if found == self.model.asked() => Ok(Some(store)),
            Ok(_) => Err("does not show what it has taken".into()),
            Err(error) => self.get_over(store, &error).await,
        }
    }

    async fn reopen(&mut self, store: Blocking) -> Course {
        match store.close().await {
            Ok(()) => {
                self.model.promise();
                drop(store);
                match self.open() {
                    Err(_) if self.machine.disk.has_failed() => self.begin_again().await,
                    course => course,
                }
            }
            Err(error) => self.get_over(store, &error).await,
        }
    }

    /// A store has answered an error. It must have had a reason, say that it can no more be used, and stay with that.
    async fn get_over(&mut self, store: Blocking, error: &StoreError) -> Course {
        if self.machine.disk.is_off() {
            return Ok(None);
        }
        if !self.machine.disk.mend() {
            return Err(format!("fails although the disk does not: {error}"));
        }
        if !matches!(error.decision, Decision::Poisoned | Decision::Full) {
            return Err(format!("makes {:?} of a failure of the disk: {error}", error.decision));
        }
        let again = self.model.open().last().cloned();
        if let Some(batch) = again
            && store.apply(batch, Durability::Synced).await.is_ok()
        {
            return Err("goes on after a failed write as if nothing had been".into());
        }
        // Whatever it says: it is over.
        let _ = store.close().await;
        drop(store);
        self.begin_again().await
    }

    /// Opens the store after a failure as the broker does, and applies again what is not promised yet.
    async fn begin_again(&mut self) -> Course {
        self.machine.disk.mend();
        self.machine.disk.drop_cache().map_err(|error| error.to_string())?;
        let Some(store) = self.open()? else { return Ok(None) };
        self.tally.failures += 1;
        let found = self.read(&store).await.map_err(|error| format!("cannot be read: {error}"))?;
        self.model.judge(&found).map_err(|lost| format!("after a failed write: {lost}"))?;
        let open = self.model.open().to_vec();
        for (i, batch) in open.iter().enumerate() {
            let durability = if i + 1 == open.len() { Durability::Synced } else { Durability::Buffered };
            match store.apply(batch.clone(), durability).await {
                Err(_) if self.machine.disk.is_off() => return Ok(None),
                result => result.map_err(|error| format!("does not go on after a failure that is over: {error}"))?,
            }
        }
        self.model.promise();
        Ok(Some(store))
    }

    /// The power comes back, and now and then goes again while the store is opened. Then all is there that must be.
    async fn come_back(&mut self) -> Result<Blocking, String> {
        self.lose_power()?;
        while self.random.u8(..3) == 0 {
            self.cut_within(40);
            drop(self.open()?);
            self.lose_power()?;
            self.tally.in_recovery += 1;
        }
        let Some(store) = self.open()? else { return Err("has no power though nobody took it".into()) };
        let found = self.read(&store).await.map_err(|error| format!("cannot be read: {error}"))?;
        let count = self.model.judge(&found).map_err(|lost| format!("after a loss of power: {lost}"))?;
        self.tally.survivors += count;
        self.model.came_back(count);
        Ok(store)
    }

    /// The power will go at one of the next so many steps, or at one of the next three syncs.
    fn cut_within(&mut self, steps: usize) {
        let at_sync = self.random.u8(..3) == 0;
        let cut = if at_sync { Cut::Sync(self.random.usize(..3)) } else { Cut::Step(self.random.usize(..steps)) };
        self.machine.disk.cut_at(cut);
    }

    fn lose_power(&mut self) -> Result<(), String> {
        self.machine.disk.cut();
        self.tally.losses += 1;
        self.machine.disk.come_back().map_err(|error| format!("the directory of the test: {error}"))
    }

    /// All that is in a store, page by page.
    async fn read(&mut self, store: &Blocking) -> Result<Rows, StoreError> {
        let bytes_max = self.random.usize(1..200_000);
        let mut rows = Rows::new();
        for table in Table::ALL {
            let mut from = Vec::new();
            loop {
                let scan = Scan { table, from: from.as_slice().into(), to: None, bytes_max };
                let page = store.scan(scan).await?;
                if let Some(last) = page.rows.last() {
                    from = [&*last.key, &[0]].concat();
                }
                rows.extend(page.rows.into_iter().map(|row| ((table, row.key.into()), row.value.into())));
                if !page.more {
                    break;
                }
            }
        }
        Ok(rows)
    }
}
