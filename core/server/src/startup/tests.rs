//! Sentences for errors that a test cannot always provoke, and the real thing where it can.

use super::*;

fn error(kind: ErrorKind) -> io::Error {
    io::Error::from(kind)
}

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("hikyaku-startup-{name}-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The directory and those above it are made, and the proof leaves nothing behind.
#[test]
fn a_missing_data_directory_is_made() {
    let dir = scratch("made");
    let data = dir.join("a/b");
    prepare_data_dir(&data).unwrap();
    prepare_data_dir(&data).unwrap();
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    fs::remove_dir_all(dir).unwrap();
}

/// A file in its place is named, also if it stands further up.
#[test]
fn a_file_in_place_of_the_data_directory_is_named() {
    let dir = scratch("file");
    let file = dir.join("data");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let said = prepare_data_dir(&path).unwrap_err().to_string();
        assert!(said.contains(&format!("{} is a file, not a directory.", file.display())), "{said}");
    }
    fs::remove_dir_all(dir).unwrap();
}

/// Without permission: path, its owner, ourselves, and the command that mends it.
#[test]
fn a_forbidden_data_directory_says_owner_and_command() {
    let dir = scratch("forbidden's");
    let owner = name_of(fs::metadata(&dir).unwrap().uid());
    let said = data_dir_error(&dir, &error(ErrorKind::PermissionDenied), Some(1883)).to_string();
    let expected = format!("It belongs to {owner}, the broker runs as uid 1883");
    assert!(said.starts_with(&format!("Cannot write the data directory {}: ", dir.display())), "{said}");
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains(r"Try: sudo chown 1883 '") && said.contains(r"forbidden'\''s"), "{said}");
    let said = data_dir_error(&dir.join("new"), &error(ErrorKind::PermissionDenied), Some(1883)).to_string();
    assert!(said.contains("where it would be made, belongs to") && said.contains("sudo install -d -o 1883 "), "{said}");
    fs::remove_dir_all(dir).unwrap();
}

/// A full and a read-only file system say so.
#[test]
fn a_full_or_read_only_disk_says_so() {
    for (kind, words) in [
        (ErrorKind::StorageFull, "no space is left. Try: free some (df -h /data), or set storage.path."),
        (ErrorKind::ReadOnlyFilesystem, "mounted read-only. Try: mount /data writable"),
    ] {
        let said = data_dir_error(Path::new("/data"), &error(kind), Some(0)).to_string();
        assert!(said.contains(words), "{said}");
    }
}

/// A port in use says which, by whom (here: this process), and what to try.
#[test]
fn a_port_in_use_names_its_holder() {
    let first = bind_listener("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = first.local_addr().unwrap();
    let said = bind_listener(address).unwrap_err().to_string();
    let holder = format!("(pid {})", std::process::id());
    assert!(said.starts_with(&format!("Cannot listen on {address}: the port is in use")), "{said}");
    assert!(said.contains(&holder) || said.contains("ss -ltnp"), "{said}");
    assert!(said.contains("or listen elsewhere, such as --bind 127.0.0.1:"), "{said}");
}

/// An address of nobody here, and a low port, each say what to do.
#[test]
fn an_address_that_cannot_be_had_says_why() {
    let elsewhere = "192.0.2.1:1883".parse().unwrap();
    let said = bind_listener(elsewhere).unwrap_err().to_string();
    assert!(said.contains("this machine has no such address.") && said.contains("0.0.0.0:1883"), "{said}");
    let low = listen_error("127.0.0.1:80".parse().unwrap(), &error(ErrorKind::PermissionDenied)).to_string();
    assert!(low.contains("Ports below 1024 belong to root.") && low.contains("setcap"), "{low}");
}

/// A missing family is passed over on loopback only, and only if another address is left.
#[test]
fn only_a_missing_loopback_is_passed_over() {
    let off = || error(ErrorKind::AddrNotAvailable);
    assert!(may_be_missing(&listen_error("[::1]:1883".parse().unwrap(), &off())));
    assert!(!may_be_missing(&listen_error("[2001:db8::1]:1883".parse().unwrap(), &off())));
    let absent = io::Error::from_raw_os_error(97);
    assert!(may_be_missing(&listen_error("[::1]:1883".parse().unwrap(), &absent)));
    assert!(!may_be_missing(&listen_error("[::]:1883".parse().unwrap(), &absent)));
}

/// One address that fails closes the others again.
#[test]
fn all_or_nothing_is_opened() {
    let held = bind_listener("127.0.0.1:0".parse().unwrap()).unwrap();
    let addresses = ["127.0.0.1:0".parse().unwrap(), held.local_addr().unwrap()];
    assert_eq!(bind_all(&addresses).unwrap_err().len(), 1);
    drop(held);
    assert_eq!(bind_all(&addresses).unwrap().listeners.len(), 2);
}

/// Only sockets that listen on exactly this port are found in the table of the kernel.
#[test]
fn the_kernel_table_is_read() {
    let bound = bind_listener("127.0.0.1:0".parse().unwrap()).unwrap();
    if Path::new("/proc/net/tcp").exists() {
        assert!(holder::of_port(bound.local_addr().unwrap()).is_some_and(|name| name.contains("pid")));
    }
}
