//! Can the broker start here? Makes the data directory and opens the ports, or says what to do.
//!
//! Called once, before anything runs. An error is one paragraph for the operator: what was tried,
//! where, why it failed, what to try.

mod holder;

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Ports below this belong to the administrator.
const FIRST_FREE_PORT: u16 = 1024;

/// Why the broker does not start. `Display` is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("Cannot write the data directory {path}: {reason} Try: {advice}", path = .path.display())]
    DataDir {
        /// Where it is, absolute.
        path: PathBuf,
        /// Why, with owners, as sentences.
        reason: String,
        /// What mends it.
        advice: String,
    },
    /// Somebody listens there already.
    #[error("Cannot listen on {address}: the port is in use{by}. Try: {advice}", by = by(.holder))]
    PortInUse {
        /// As configured.
        address: SocketAddr,
        /// Program and process id, where the system tells.
        holder: Option<String>,
        /// What mends it.
        advice: String,
    },
    /// The port belongs to the administrator.
    #[error(
        "Cannot listen on {0}: permission denied. Ports below 1024 belong to root. Try: a port from 1024 on, such as \
         1883, or: sudo setcap cap_net_bind_service=+ep {binary}", binary = binary()
    )]
    PortForbidden(SocketAddr),
    /// No interface has the address.
    #[error(
        "Cannot listen on {0}: this machine has no such address. Try: one that `ip address` lists, or {any} for all of \
         them", any = everywhere(*.0)
    )]
    NoSuchAddress(SocketAddr),
    /// The machine lacks IPv4 or IPv6 as a whole.
    #[error("Cannot listen on {0}: this machine has no {family}. Try: remove the listener", family = family(*.0))]
    NoSuchFamily(SocketAddr),
    /// Anything else.
    #[error("Cannot listen on {address}: {reason}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
}

/// Makes the directory where it is missing and proves that it can be written by writing.
///
/// # Errors
///
/// [`StartError::DataDir`].
pub fn prepare_data_dir(path: &Path) -> Result<(), StartError> {
    // A relative path would not tell the operator where it was looked for.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    fs::create_dir_all(&path)
        .and_then(|()| prove_writable(&path))
        .map_err(|error| data_dir_error(&path, &error, user_id()))
}

fn prove_writable(path: &Path) -> io::Result<()> {
    let probe = path.join(format!(".hikyaku-write-test-{}", std::process::id()));
    let written = fs::write(&probe, b"may be removed\n");
    // Also after an error: a full disk leaves an empty file behind.
    let removed = fs::remove_file(&probe);
    written.and(removed)
}

fn data_dir_error(path: &Path, error: &io::Error, user: Option<u32>) -> StartError {
    let report = |reason: String, advice: String| StartError::DataDir { path: path.to_owned(), reason, advice };
    let quoted = shell_quoted(path);
    match error.kind() {
        ErrorKind::PermissionDenied => permission_error(path, user),
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            let file = path.ancestors().find(|ancestor| ancestor.exists() && !ancestor.is_dir()).unwrap_or(path);
            let file = file.display();
            report(format!("{file} is a file, not a directory."), "set storage.path to a directory.".into())
        }
        ErrorKind::ReadOnlyFilesystem => report(
            "the file system is mounted read-only.".into(),
            format!("mount {quoted} writable (in a container: give it a volume), or set storage.path."),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            report("no space is left.".into(), format!("free some (df -h {quoted}), or set storage.path."))
        }
        _ => report(format!("{error}."), "set storage.path to a directory that this user may write.".into()),
    }
}

fn permission_error(path: &Path, user: Option<u32>) -> StartError {
    let parents = || path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
    let exists = path.exists();
    // What stands in the way is the directory itself, or the nearest above it that is there.
    let blocker = if exists { path } else { parents().find(|parent| parent.exists()).unwrap_or(Path::new(".")) };
    let owner = fs::metadata(blocker).map_or_else(|_| "an unknown user".to_owned(), |meta| name_of(meta.uid()));
    let us = user.map_or_else(|| "another user".to_owned(), name_of);
    let quoted = shell_quoted(path);
    let id = user.map_or_else(|| "$(id -u)".to_owned(), |id| id.to_string());
    let reason = if exists {
        format!("permission denied. It belongs to {owner}, the broker runs as {us}.")
    } else {
        let blocker = blocker.display();
        format!("permission denied. {blocker}, where it would be made, belongs to {owner}; the broker runs as {us}.")
    };
    let command =
        if exists { format!("sudo chown {id} {quoted}") } else { format!("sudo install -d -o {id} {quoted}") };
    StartError::DataDir { path: path.to_owned(), reason, advice: format!("{command}, or set storage.path.") }
}

/// What is listening, and what the operator should know about the rest.
#[derive(Debug)]
pub struct Bound {
    /// One for each address that could be opened, in the order given.
    pub listeners: Vec<TcpListener>,
    /// Addresses that were passed over, as sentences.
    pub notes: Vec<String>,
}

/// Opens all addresses, or says for each why not.
///
/// A loopback address of a family that the machine does not have is passed over with a note: the
/// shipped configuration lists both families, and a machine without IPv6 must start with it. That
/// holds for loopback only, where nothing can be missed, and not if no address is left.
///
/// # Errors
///
/// One for each address that cannot be opened; then none is.
pub fn bind_all(addresses: &[SocketAddr]) -> Result<Bound, Vec<StartError>> {
    let mut bound = Bound { listeners: Vec::new(), notes: Vec::new() };
    let (mut errors, mut skipped) = (Vec::new(), Vec::new());
    for address in addresses {
        match bind_listener(*address) {
            Ok(listener) => bound.listeners.push(listener),
            Err(error) if may_be_missing(&error) => {
                bound.notes.push(format!("{address} is passed over: this machine has no {}", family(*address)));
                skipped.push(error);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() && bound.listeners.is_empty() {
        errors = skipped;
    }
    if errors.is_empty() { Ok(bound) } else { Err(errors) }
}

fn may_be_missing(error: &StartError) -> bool {
    matches!(error, StartError::NoSuchFamily(address) if address.ip().is_loopback())
}

/// Opens one address: non-blocking, and an IPv6 address takes no IPv4 connections.
///
/// # Errors
///
/// Every [`StartError`] but [`StartError::DataDir`].
pub fn bind_listener(address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|error| listen_error(address, &error))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the connections of the broker before it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn listen_error(address: SocketAddr, error: &io::Error) -> StartError {
    // EAFNOSUPPORT, which std has no name for: 97 on Linux, 47 on the BSDs and macOS.
    if matches!(error.raw_os_error(), Some(97 | 47)) {
        return StartError::NoSuchFamily(address);
    }
    match error.kind() {
        ErrorKind::AddrInUse => {
            let holder = holder::of_port(address);
            let advice = in_use_advice(address, holder.as_deref());
            StartError::PortInUse { address, holder, advice }
        }
        ErrorKind::PermissionDenied if address.port() < FIRST_FREE_PORT => StartError::PortForbidden(address),
        // IPv6 that is compiled in but switched off has no loopback address either.
        ErrorKind::AddrNotAvailable if address.ip().is_loopback() => StartError::NoSuchFamily(address),
        ErrorKind::AddrNotAvailable => StartError::NoSuchAddress(address),
        _ => StartError::Listen { address, reason: error.to_string() },
    }
}

fn in_use_advice(address: SocketAddr, holder: Option<&str>) -> String {
    let stop = match holder {
        Some(holder) => format!("stop {holder}"),
        None => format!("see who has it with: ss -ltnp 'sport = :{}'", address.port()),
    };
    let other = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(1884));
    format!("{stop}, or listen elsewhere, such as --bind {other}")
}

fn by(holder: &Option<String>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| format!(" by {holder}"))
}

fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv6() { "IPv6" } else { "IPv4" }
}

fn everywhere(address: SocketAddr) -> String {
    let any = if address.is_ipv6() { "[::]" } else { "0.0.0.0" };
    format!("{any}:{}", address.port())
}

fn binary() -> String {
    std::env::current_exe().map_or_else(|_| "hikyaku".to_owned(), |path| shell_quoted(&path))
}

/// The user whose rights we have, where the system tells without a call into C.
fn user_id() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|meta| meta.uid())
}

/// `uid 1883 (mqtt)`, the name if /etc/passwd has it.
fn name_of(id: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    });
    name.map_or_else(|| format!("uid {id}"), |name| format!("uid {id} ({name})"))
}

fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
