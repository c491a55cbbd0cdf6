//! What does a store do to its files, and when does the disk stop doing it?
//!
//! The files are real ones in a directory of their own, so that the engines see what they always see. The disk keeps a
//! record beside them of what was synced and what was not. Every write, change of a length, sync, new name and removed
//! name is a step; the power goes at a step, or a step fails.

use std::io;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use parking_lot::Mutex;

use crate::image::{Arrival, Change, Image};
use crate::names::Names;

/// Why a step was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The power is off.
    Off,
    /// The device failed.
    Broken,
    /// There is no room.
    Full,
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Off => Self::other("the power is off"),
            Refusal::Broken => Self::from_raw_os_error(EIO),
            Refusal::Full => io::ErrorKind::StorageFull.into(),
        }
    }
}

/// The number of the error of a device.
const EIO: i32 = 5;

/// An error that is to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    /// [`Refusal::Broken`] or [`Refusal::Full`].
    pub what: Refusal,
    /// How many steps go well before.
    pub after_steps: usize,
    /// Whether all steps fail from then on, or just the one.
    pub lasts: bool,
}

/// When the power goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// At the step behind so many more.
    Step(usize),
    /// At the sync behind so many more, when all of it may come to the disk and yet nobody is told.
    Sync(usize),
}

/// A disk under one store.
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: Rng,
    names: Names,
    files: Vec<Image>,
    /// How many steps were asked for.
    steps: usize,
    cut: Option<Cut>,
    is_off: bool,
    trouble: Option<Trouble>,
    /// Whether a step has failed since the disk was mended.
    has_failed: bool,
    /// Whose syncs fail: threads of this name.
    failing_thread: Option<&'static str>,
    /// Whether it says that it has synced, and does not.
    lies: bool,
}

/// What becomes of a step.
enum Course {
    Done,
    Refused(Refusal),
}

/// The number of a file on its disk.
pub(crate) type FileNumber = usize;

impl Disk {
    /// A disk whose files are those in `directory`, which is empty. One that `lies` syncs nothing.
    pub(crate) fn new(directory: &Path, seed: u64, lies: bool) -> Self {
        let state = State {
            random: Rng::with_seed(seed),
            names: Names::default(),
            files: Vec::new(),
            steps: 0,
            cut: None,
            is_off: false,
            trouble: None,
            has_failed: false,
            failing_thread: None,
            lies,
        };
        Self { directory: directory.to_owned(), state: Mutex::new(state) }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of the file of that name, which is made if there is none.
    pub(crate) fn open(&self, name: &str) -> Result<FileNumber, Refusal> {
        let state = &mut *self.state.lock();
        if state.is_off {
            return Err(Refusal::Off);
        }
        if let Some(number) = state.names.get(name) {
            return Ok(number);
        }
        if let Course::Refused(why) = state.course(false) {
            return Err(why);
        }
        state.files.push(Image::default());
        let number = state.files.len() - 1;
        state.names.change(name, Some(number));
        Ok(number)
    }

    /// Takes a name away, for good if `sync`. `really` does it to the file that programs see.
    pub(crate) fn remove<T>(&self, name: &str, sync: bool, really: impl FnOnce() -> T) -> Result<T, Refusal> {
        let state = &mut *self.state.lock();
        if state.names.get(name).is_some() {
            if let Course::Refused(why) = state.course(false) {
                return Err(why);
            }
            state.names.change(name, None);
            if sync && !state.lies {
                state.names.sync();
            }
        }
        Ok(really())
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state.lock().names.iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// Syncs the directory, as a step.
    pub(crate) fn sync_directory(&self) -> Result<(), Refusal> {
        let state = &mut *self.state.lock();
        match state.course(true) {
            Course::Done if state.lies => Ok(()),
            Course::Done => {
                state.names.sync();
                Ok(())
            }
            Course::Refused(Refusal::Full) => Err(Refusal::Broken),
            Course::Refused(refusal) => Err(refusal),
        }
    }

    /// All names are there for good: the directory was synced.
    pub(crate) fn sync_names(&self) {
        let state = &mut *self.state.lock();
        if !state.is_off && !state.lies {
            state.names.sync();
        }
    }

    /// Writes. `really` does it to the file that programs see.
    pub(crate) fn write<T>(
        &self,
        file: FileNumber,
        offset: u64,
        bytes: &[u8],
        really: impl FnOnce() -> T,
    ) -> Result<T, Refusal> {
        self.change(file, || Change::Write(place(offset), bytes.into()), really)
    }

    /// Cuts a file, or lets it grow. `really` does it to the file that programs see.
    pub(crate) fn set_length<T>(
        &self,
        file: FileNumber,
        length: u64,
        really: impl FnOnce() -> T,
    ) -> Result<T, Refusal> {
        self.change(file, || Change::Length(place(length)), really)
    }

    fn change<T>(
        &self,
        file: FileNumber,
        change: impl FnOnce() -> Change,
        really: impl FnOnce() -> T,
    ) -> Result<T, Refusal> {
        let state = &mut *self.state.lock();
        let was_off = state.is_off;
        let course = state.course(false);
        // What is under way when the power goes may arrive; so may what failed, with no room or not.
        let happens = match course {
            Course::Done => true,
            Course::Refused(Refusal::Off) => !was_off,
            Course::Refused(_) => state.random.bool(),
        };
        let done = happens.then(|| {
            state.files[file].change(change());
            really()
        });
        match (course, done) {
            (Course::Done, Some(done)) => Ok(done),
            (Course::Refused(why), _) => Err(why),
            (Course::Done, None) => Err(Refusal::Broken),
        }
    }

    /// Syncs a file. With `names` its name, and all others, are there for good as well.
    pub(crate) fn sync(&self, file: FileNumber, names: bool) -> Result<(), Refusal> {
        let state = &mut *self.state.lock();
        match state.course(true) {
            Course::Done if state.lies => Ok(()),
            Course::Done => {
                state.files[file].sync();
                if names {
                    state.names.sync();
                }
                Ok(())
            }
            Course::Refused(Refusal::Off) => Err(Refusal::Off),
            Course::Refused(_) => {
                state.files[file].fail(&mut state.random);
                Err(Refusal::Broken)
            }
        }
    }

    /// How many steps there were.
    pub(crate) fn steps(&self) -> usize {
        self.state.lock().steps
    }

    /// The power will go.
    pub(crate) fn cut_at(&self, cut: Cut) {
        self.state.lock().cut = Some(cut);
    }

    /// The power goes now.
    pub(crate) fn cut(&self) {
        self.state.lock().is_off = true;
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state.lock().is_off
    }

    pub(crate) fn expect_trouble(&self, trouble: Trouble) {
        self.state.lock().trouble = Some(trouble);
    }

    /// From now on the syncs of threads of this name fail.
    #[cfg(test)]
    pub(crate) fn fail_syncs_of(&self, thread: &'static str) {
        self.state.lock().failing_thread = Some(thread);
    }

    /// Nothing fails any more. Says whether something has.
    pub(crate) fn mend(&self) -> bool {
        let state = &mut *self.state.lock();
        (state.trouble, state.failing_thread) = (None, None);
        std::mem::take(&mut state.has_failed)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state.lock().has_failed
    }

    /// What a failed sync has dropped is no more seen, as the backends ask it of the kernel. No program has a file open.
    pub(crate) fn drop_cache(&self) -> io::Result<()> {
        let state = &mut *self.state.lock();
        for (name, number) in state.names.iter() {
            if let Some(truth) = state.files[number].truth() {
                std::fs::write(self.directory.join(name), truth)?;
            }
        }
        Ok(())
    }

    /// Lays into the directory what the loss of power left, and has power again. No program has a file open.
    pub(crate) fn come_back(&self) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let lost: Vec<_> = state.names.iter().map(|(name, _)| name.to_owned()).collect();
        for name in &lost {
            remove_if_there(&self.directory.join(name))?;
        }
        state.names.lose_power(&mut state.random);
        for (name, number) in state.names.iter() {
            let arrival = Arrival::by_chance(&mut state.random);
            let left = state.files[number].lose_power(arrival, &mut state.random);
            std::fs::write(self.directory.join(name), left)?;
        }
        (state.is_off, state.cut, state.trouble, state.has_failed) = (false, None, None, false);
        Ok(())
    }
}

impl State {
    /// Counts a step, and says what becomes of it.
    fn course(&mut self, is_sync: bool) -> Course {
        if self.is_off {
            return Course::Refused(Refusal::Off);
        }
        self.steps += 1;
        if let (Some(Cut::Step(left)), _) | (Some(Cut::Sync(left)), true) = (&mut self.cut, is_sync) {
            let Some(fewer) = left.checked_sub(1) else {
                self.is_off = true;
                return Course::Refused(Refusal::Off);
            };
            *left = fewer;
        }
        if is_sync && self.failing_thread.is_some() && std::thread::current().name() == self.failing_thread {
            self.has_failed = true;
            return Course::Refused(Refusal::Broken);
        }
        let Some(trouble) = &mut self.trouble else { return Course::Done };
        if trouble.after_steps > 0 {
            trouble.after_steps -= 1;
            return Course::Done;
        }
        let Trouble { what, lasts, .. } = *trouble;
        if !lasts {
            self.trouble = None;
        }
        self.has_failed = true;
        Course::Refused(what)
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
