//! How does a batch become durable? It is written behind the last one and synced; then it can be read.

use std::sync::Arc;

use hikyaku_blocking::{Engine, weigh};
use hikyaku_traits::{Batch, Decision, Durability, StoreError};

use crate::checkpoint::{Checkpoints, write_down};
use crate::overlay::Layer;
use crate::record::{FILE_HEAD, FileHead, RECORD_BYTES_MAX, Record, encode};
use crate::shared::{File, Shared, file_name};
use crate::wait::wait;

/// From which size on the next file begins.
const FILE_BYTES: usize = 8 << 20;

/// The writing side.
pub(crate) struct LogWriter {
    shared: Arc<Shared>,
    checkpoints: Option<Checkpoints>,
    /// The file that is written, and how far; made with the first batch.
    file: Option<(u32, File, usize)>,
    next_file: u32,
    /// The numbers of the last batch, and of the last that is synced.
    last: u64,
    synced: u64,
    bytes: Vec<u8>,
    /// What failed: then nothing more is written with this handle, and this is the answer to all that comes.
    failed: Option<StoreError>,
}

/// More than this is not kept for the next batch.
const SPARE_BYTES_MAX: usize = 8 << 20;

impl LogWriter {
    pub fn new(shared: Arc<Shared>, checkpoints: Checkpoints, last: u64, next_file: u32) -> Self {
        Self {
            shared,
            checkpoints: Some(checkpoints),
            file: None,
            next_file,
            last,
            synced: last,
            bytes: Vec::new(),
            failed: None,
        }
    }

    fn append(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let number = self.last + 1;
        self.bytes.clear();
        encode(batch, self.shared.id, number, self.synced, &mut self.bytes);
        let (file_number, file, at) = self.file()?;
        let written = file.write_at(&self.bytes, at as u64);
        written.map_err(|error| self.shared.fault("write to the log in", &error))?;
        self.last = number;
        self.file = Some((file_number, Arc::clone(&file), at + self.bytes.len()));
        if durability == Durability::Synced {
            self.sync(&file)?;
        }
        self.show(file_number, at)
    }

    fn sync(&mut self, file: &File) -> Result<(), StoreError> {
        file.sync().map_err(|error| self.shared.fault("sync the log in", &error))?;
        self.synced = self.last;
        Ok(())
    }

    /// Lets readers see the record that was written last.
    fn show(&mut self, file: u32, at: usize) -> Result<(), StoreError> {
        let ops = Record::decode_own(&self.bytes).ok_or_else(|| {
            StoreError::new(
                Decision::Poisoned,
                "Cannot read what was just written to the log. It is to be opened again.",
            )
        })?;
        let mut layers = self.shared.layers.write();
        let layers = &mut *layers;
        ops.iter().for_each(|op| layers.active.take(op, file, at, &layers.heights));
        layers.active.last = self.last;
        layers.active.bytes += self.bytes.len() as u64;
        drop(ops);
        if self.bytes.capacity() > SPARE_BYTES_MAX {
            self.bytes = Vec::new();
        }
        Ok(())
    }

    /// The file for the next record. A new one is durable with its name before anything is written to it.
    fn file(&mut self) -> Result<(u32, File, usize), StoreError> {
        if let Some((number, file, at)) = self.file.take() {
            if at < self.shared.options.portion(FILE_BYTES) {
                return Ok((number, file, at));
            }
            // What comes in the next file says that all before it is durable.
            self.sync(&file)?;
        }
        let number = self.next_file;
        let head = FileHead { id: self.shared.id, first: self.last + 1 }.encode();
        let made = || -> std::io::Result<File> {
            let file: File = self.shared.directory.create(&file_name(number))?.into();
            file.write_at(&head, 0)?;
            file.sync()?;
            self.shared.directory.sync()?;
            Ok(file)
        };
        let file = made().map_err(|error| self.shared.fault("begin a file of the log in", &error))?;
        self.next_file += 1;
        let mut layers = self.shared.layers.write();
        layers.files.insert(number, Arc::clone(&file));
        layers.active.files.push(number);
        layers.active.bytes += FILE_HEAD as u64;
        Ok((number, file, FILE_HEAD))
    }

    /// Freezes the layer when it is large, so that it goes into the store; waits if the one before is still on its way and
    /// both together are three times as large as one should be.
    fn make_room(&mut self) -> Result<(), StoreError> {
        loop {
            self.shared.check()?;
            let (size, frozen) = {
                let layers = self.shared.layers.read();
                (self.size(&layers.active), layers.frozen.as_deref().map(|frozen| self.size(frozen)))
            };
            match frozen {
                None if size < 1.0 => return Ok(()),
                None => self.freeze()?,
                Some(frozen) if frozen + size < 3.0 => return Ok(()),
                Some(_) => self.wait_for_checkpoint(),
            }
        }
    }

    /// How large a layer is; 1 is as large as it should be.
    fn size(&self, layer: &Layer) -> f64 {
        let entries = layer.entries() as f64 / self.shared.options.entries_max as f64;
        let bytes = layer.bytes as f64 / self.shared.options.bytes_max as f64;
        entries.max(bytes)
    }

    fn wait_for_checkpoint(&self) {
        let mut ended = self.shared.ended.0.lock();
        // It may have ended since it was looked at, or end without success.
        if self.shared.layers.read().frozen.is_some() && self.shared.failed.get().is_none() {
            self.shared.ended.1.wait(&mut ended);
        }
    }

    fn freeze(&mut self) -> Result<(), StoreError> {
        self.freeze_layer()?;
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.wake();
        }
        Ok(())
    }

    fn freeze_layer(&mut self) -> Result<Arc<Layer>, StoreError> {
        // A layer has whole files.
        if let Some((_, file, _)) = self.file.take() {
            self.sync(&file)?;
        }
        let _still = self.shared.moving.write();
        let mut layers = self.shared.layers.write();
        let layer = Arc::new(std::mem::take(&mut layers.active));
        layers.active.last = layer.last;
        layer.raise(&mut layers.heights);
        layers.frozen = Some(Arc::clone(&layer));
        Ok(layer)
    }

    /// Writes all that the log says into the store, so that its files stand alone.
    fn write_all_down(&mut self) -> Result<(), StoreError> {
        // The thread ends with the checkpoint it is at.
        drop(self.checkpoints.take());
        self.shared.check()?;
        let frozen = self.shared.layers.read().frozen.clone();
        if let Some(layer) = frozen {
            write_down(&self.shared, &layer)?;
        }
        if !self.shared.layers.read().active.files.is_empty() {
            let layer = self.freeze_layer()?;
            write_down(&self.shared, &layer)?;
        }
        self.shared.directory.leave();
        Ok(())
    }
}

impl Engine for LogWriter {
    fn apply(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let path = self.shared.directory.path();
        if weigh(batch, path)?.saturating_add(batch.len() * 10) > RECORD_BYTES_MAX {
            let why = "Cannot write a batch to the log: it is larger than 1 GiB. Try: smaller messages.";
            return Err(StoreError::new(Decision::Unsupported, why));
        }
        let result = if batch.is_empty() {
            match self.file.clone() {
                Some((_, file, _)) if durability == Durability::Synced && self.synced < self.last => self.sync(&file),
                _ => Ok(()),
            }
        } else {
            self.make_room().and_then(|()| self.append(batch, durability))
        };
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let result = self.failed.clone().map_or_else(|| self.write_all_down(), Err);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        drop(self.checkpoints.take());
        let closed = wait(self.shared.below.close());
        result.and(closed)
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        drop(self.checkpoints.take());
        if self.failed.is_some() || self.shared.failed.get().is_some() {
            self.shared.layers.read().files.values().for_each(|file| file.forget_cache());
        }
    }
}
