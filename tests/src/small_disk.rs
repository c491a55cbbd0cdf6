//! A file system of a few megabytes, which a test fills and frees.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs of its own; dropping it unmounts it.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one; `None` where this process may not mount.
    ///
    /// # Panics
    /// When there is no directory for it.
    #[must_use]
    pub fn mount(bytes: u64) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("hikyaku-small-disk-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the small disk");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { path });
        }
        let _ = fs::remove_dir(&path);
        None
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When it cannot be filled.
    pub fn fill(&self) {
        let mut ballast =
            File::options().create(true).append(true).open(self.ballast()).expect("a file for the ballast");
        for size in [65_536, 4_096, 512, 1] {
            while ballast.write_all(&vec![0xBA; size]).is_ok() {}
        }
    }

    /// Lets it be written (`rw`) or read only (`ro`).
    ///
    /// # Panics
    /// When it cannot be mounted so.
    pub fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.path).status().expect("mount");
        assert!(status.success(), "mount -o {options}");
    }

    /// Gives it back.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the disk was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a broker that has just been killed may still be on its way out.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
        let _ = fs::remove_dir(&self.path);
    }
}
