//! A store with its log lives, and is broken off again and again. A seed decides when, and what is left.

use hikyaku_blocking::Blocking;
use hikyaku_log::{Options, open};
use hikyaku_memory::Forgetful;
use hikyaku_suite::{Store, Write, boxed};
use hikyaku_traits::{Durability, StoreError, Table};

use crate::below::Below;
use crate::disk::{Disk, Lie};
use crate::fuse::{Fuse, Trouble};
use crate::model::{Model, Stop, compare_get, compare_page, everything, tiny, write};
use crate::random::Random;

/// A machine: its disk, the store below the log, and what should be there.
pub struct Machine {
    pub random: Random,
    pub fuse: Fuse,
    pub disk: Disk,
    pub below: Below,
    pub model: Model,
    pub options: Options,
    /// The power has gone since the records were looked at.
    lost_power: bool,
    batch_bytes_max: usize,
}

impl Machine {
    pub fn new(seed: u64, lie: Lie) -> Self {
        let mut random = Random::new(seed);
        let fuse = Fuse::new(random.next());
        let below = Below { records: Forgetful::new(), fuse: fuse.clone(), lie };
        let options = tiny(&mut random);
        Self {
            disk: Disk::new(fuse.clone(), lie),
            random,
            fuse,
            below,
            model: Model::default(),
            options,
            lost_power: false,
            batch_bytes_max: 0,
        }
    }

    pub fn open(&self) -> Result<Blocking, StoreError> {
        open(self.below.clone(), self.disk.clone(), self.options)
    }

    /// The process has died; with the power, or without.
    fn crash(&mut self, with_power: bool) {
        if with_power {
            return;
        }
        self.lost_power = true;
        self.disk.lose_power(&mut self.random);
        let kept = self.random.below(3);
        self.below.records.crash_keeping(kept);
    }

    /// One start, and what happens until the process dies.
    async fn round(&mut self) -> Result<(), Stop> {
        let calls = self.random.pick(&[10, 60, 200, 2_000]);
        self.fuse.light(self.random.below(calls), Trouble::Off);
        let store = boxed(self.open()?);
        self.live(&*store).await
    }

    async fn live(&mut self, store: &dyn Store) -> Result<(), Stop> {
        let found = everything(store).await?;
        self.model.judge(&found, !self.lost_power)?;
        self.lost_power = false;
        for _ in 0..self.random.below(60) {
            self.step(store).await?;
        }
        if self.random.chance(20) {
            store.close().await?;
            self.model.all_is_durable();
            if !self.disk.names().is_empty() {
                return Stop::wrong(format!("after a close there is {:?}", self.disk.names()));
            }
            self.compare_below().await?;
        }
        Ok(())
    }

    /// The store below has all by itself, and a mark.
    async fn compare_below(&self) -> Result<(), Stop> {
        let mut below = everything(&self.below.records).await?;
        let mark = below.remove(&(Table::Meta, b"\0log".to_vec()));
        if mark.is_none() || below != self.model.now {
            return Stop::wrong("after a close the store below has not all records");
        }
        Ok(())
    }

    /// Batches without any trouble, and many questions between them.
    async fn ask(&mut self) -> Result<(), Stop> {
        for _ in 0..4 {
            let store = boxed(self.open()?);
            for _ in 0..60 {
                self.step(&*store).await?;
                for _ in 0..3 {
                    compare_page(&*store, &self.model.now, &mut self.random).await?;
                    compare_get(&*store, &self.model.now, &mut self.random).await?;
                }
            }
        }
        Ok(())
    }

    /// The log has three times its limit and the largest batch at most, however often it was broken off.
    fn check_limit(&mut self, batch: &[Write]) -> Result<(), Stop> {
        let bytes = |write: &Write| match write {
            Write::Put(_, key, second) | Write::DeleteRange(_, key, second) => 10 + key.len() + second.len(),
            _ => 20,
        };
        self.batch_bytes_max = self.batch_bytes_max.max(60 + batch.iter().map(bytes).sum::<usize>());
        let (found, most) = (self.disk.bytes(), 3 * self.options.bytes_max as usize + self.batch_bytes_max);
        if found > most { Stop::wrong(format!("the log has {found} bytes, and may have {most}")) } else { Ok(()) }
    }

    async fn step(&mut self, store: &dyn Store) -> Result<(), Stop> {
        let random = &mut self.random;
        match random.below(20) {
            0 => compare_page(store, &self.model.now, random).await,
            1 => compare_get(store, &self.model.now, random).await,
            2 => {
                write(store, &[], Durability::Synced).await?;
                self.model.all_is_durable();
                Ok(())
            }
            _ => {
                let durability = random.pick(&[Durability::Synced, Durability::Synced, Durability::Buffered]);
                let batch = self.model.batch(random);
                self.model.begin(batch.clone());
                write(store, &batch, durability).await?;
                self.model.end(durability);
                self.check_limit(&batch)
            }
        }
    }
}

/// Plays a life without crashes, in which much is asked.
pub fn ask(seed: u64) -> Result<(), String> {
    let mut result = Ok(());
    hikyaku_suite::run(async { result = Machine::new(seed, Lie::None).ask().await });
    result.map_err(|stop| format!("seed {seed}: {stop:?}"))
}

/// Plays a life of so many crashes.
pub fn play(seed: u64, crashes: usize, lie: Lie) -> Result<(), String> {
    let mut machine = Machine::new(seed, lie);
    for crash in 0..crashes {
        let mut result = Ok(());
        hikyaku_suite::run(async { result = machine.round().await });
        match result {
            Err(Stop::Store(_)) if machine.fuse.is_burnt() => {}
            Err(stop) => return Err(format!("seed {seed}, start {crash}: {stop:?}")),
            Ok(()) => {}
        }
        let with_power = machine.random.chance(35);
        machine.crash(with_power);
    }
    Ok(())
}
