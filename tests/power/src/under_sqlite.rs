//! How does the disk come under SQLite? As a VFS before the operating system's.
//!
//! The operating system's VFS opens the files, locks them, maps the index of the log and reads. What writes, syncs or
//! changes names is asked of the disk first. A file of ours is one of the operating system's with our part behind it and our
//! functions in front: those that we do not have are its own, and are called with what they expect.

#![allow(unsafe_code, reason = "a VFS is a table of C functions")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::disk::{Disk, FileNumber, Refusal};

/// A VFS over a disk, registered until it is dropped.
pub(crate) struct Vfs {
    name: String,
    // Its address is known to SQLite and to every file of it.
    table: *mut Table,
}

/// What SQLite knows of the VFS, and what its functions need.
struct Table {
    ours: sqlite3_vfs,
    name: CString,
    system: *mut sqlite3_vfs,
    /// Where our part of a file begins, in bytes.
    part_at: usize,
    disk: Arc<Disk>,
}

/// Our part of a file.
#[repr(C)]
struct Part {
    /// The operating system's functions with some of ours among them. First: SQLite's pointer to them is one to our part.
    methods: sqlite3_io_methods,
    system: *const sqlite3_io_methods,
    table: *const Table,
    number: FileNumber,
    /// Whether the next sync syncs the directory too, as the operating system's VFS does for a new log or journal.
    syncs_names: bool,
}

/// The files that the operating system's VFS syncs the directory for.
const JOURNALS: c_int = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;

impl Vfs {
    /// Registers a VFS over the disk under a name of its own. `None`: SQLite has no VFS of the operating system, or no memory.
    pub(crate) fn register(disk: &Arc<Disk>) -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("power-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let c_name = CString::new(name.clone()).ok()?;
        // SAFETY: both may be called at any time; a null name asks for the default VFS, which is never unregistered.
        let system = unsafe {
            ffi::sqlite3_initialize();
            ffi::sqlite3_vfs_find(std::ptr::null())
        };
        if system.is_null() {
            return None;
        }
        // SAFETY: it was found just now, and is a table of plain values.
        let mut ours = unsafe { *system };
        let part_at = usize::try_from(ours.szOsFile).ok()?.next_multiple_of(align_of::<Part>());
        ours.szOsFile = c_int::try_from(part_at + size_of::<Part>()).ok()?;
        ours.pNext = std::ptr::null_mut();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        let table = Box::into_raw(Box::new(Table { ours, name: c_name, system, part_at, disk: Arc::clone(disk) }));
        // SAFETY: the table stays where it is until `drop`, which unregisters it first; so does the name in it. The functions
        // of the operating system's VFS that stay in it look at no argument of this type.
        let registered = unsafe {
            (*table).ours.zName = (*table).name.as_ptr();
            (*table).ours.pAppData = table.cast();
            ffi::sqlite3_vfs_register(&raw mut (*table).ours, 0)
        };
        let vfs = Self { name, table };
        (registered == ffi::SQLITE_OK).then_some(vfs)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Vfs {
    fn drop(&mut self) {
        // SAFETY: the table is the one that was boxed in `register`, and whoever drops this has closed all files of it.
        unsafe {
            ffi::sqlite3_vfs_unregister(&raw mut (*self.table).ours);
            drop(Box::from_raw(self.table));
        }
    }
}

/// The name of a file without its directory. `None`: it has none.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn file_name<'a>(path: *const c_char) -> Option<&'a str> {
    if path.is_null() {
        return None;
    }
    // SAFETY: it is a C string, says the caller, and SQLite keeps it for longer than the call.
    let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
    path.rsplit('/').next()
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    path: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this with the VFS that was registered, whose data is its table, with a file of `szOsFile` bytes and
    // with a C string or null. The operating system's function gets what it would get without us, and fills in the first
    // bytes of the file only; our part begins behind them and is aligned.
    unsafe {
        let table = &*(*vfs).pAppData.cast::<Table>();
        (*file).pMethods = std::ptr::null();
        let Some(system_open) = (*table.system).xOpen else { return ffi::SQLITE_CANTOPEN };
        let Some(name) = file_name(path) else {
            return system_open(table.system, path, file, flags, flags_out); // a file for the time being
        };
        let number = match table.disk.open(name) {
            Ok(number) => number,
            Err(_) => return ffi::SQLITE_CANTOPEN,
        };
        let result = system_open(table.system, path, file, flags, flags_out);
        if result != ffi::SQLITE_OK || (*file).pMethods.is_null() {
            return result;
        }
        let system = (*file).pMethods;
        let methods = sqlite3_io_methods {
            xClose: Some(close),
            xWrite: Some(write),
            xTruncate: Some(truncate),
            xSync: Some(sync),
            ..*system
        };
        let syncs_names = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & JOURNALS != 0;
        let part = file.byte_add(table.part_at).cast::<Part>();
        part.write(Part { methods, system, table, number, syncs_names });
        (*file).pMethods = &raw const (*part).methods;
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite calls this with the VFS that was registered, whose data is its table, and with a C string.
    unsafe {
        let table = &*(*vfs).pAppData.cast::<Table>();
        let (Some(name), Some(system_delete)) = (file_name(path), (*table.system).xDelete) else {
            return ffi::SQLITE_IOERR_DELETE;
        };
        let removed = table.disk.remove(name, sync != 0, || system_delete(table.system, path, 0));
        removed.unwrap_or(ffi::SQLITE_IOERR_DELETE)
    }
}

/// Our part of a file.
///
/// # Safety
/// `file` was opened by [`open`] and is not closed; nobody else uses it meanwhile.
unsafe fn part<'a>(file: *mut sqlite3_file) -> &'a mut Part {
    // SAFETY: its methods are then the first field of our part, and the file is mutable as a whole.
    unsafe { &mut *(*file).pMethods.cast_mut().cast::<Part>() }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, when nobody uses it. The operating system's function sees its own methods again.
    unsafe {
        let system = part(file).system;
        (*file).pMethods = system;
        (*system).xClose.map_or(ffi::SQLITE_IOERR_CLOSE, |close| close(file))
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite uses an open file from one thread at a time, and brings `count` bytes.
    unsafe {
        let Part { system, table, number, .. } = *part(file);
        let (Ok(length), Ok(at)) = (usize::try_from(count), u64::try_from(offset)) else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let data = std::slice::from_raw_parts(bytes.cast::<u8>(), length);
        let write = || (*system).xWrite.map_or(ffi::SQLITE_IOERR_WRITE, |write| write(file, bytes, count, offset));
        (*table).disk.write(number, at, data, write).unwrap_or_else(write_code)
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    // SAFETY: SQLite uses an open file from one thread at a time.
    unsafe {
        let Part { system, table, number, .. } = *part(file);
        let Ok(to) = u64::try_from(length) else { return ffi::SQLITE_IOERR_TRUNCATE };
        let cut = || (*system).xTruncate.map_or(ffi::SQLITE_IOERR_TRUNCATE, |truncate| truncate(file, length));
        (*table).disk.set_length(number, to, cut).unwrap_or(ffi::SQLITE_IOERR_TRUNCATE)
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite uses an open file from one thread at a time.
    unsafe {
        let part = part(file);
        match (*part.table).disk.sync(part.number, part.syncs_names) {
            Ok(()) => {
                part.syncs_names = false;
                ffi::SQLITE_OK
            }
            Err(_) => ffi::SQLITE_IOERR_FSYNC,
        }
    }
}

fn write_code(refusal: Refusal) -> c_int {
    if refusal == Refusal::Full { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_WRITE }
}
