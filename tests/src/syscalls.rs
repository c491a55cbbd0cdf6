//! The order of a running broker's system calls, from a trace of `strace`.
//!
//! A broker that never syncs its store passes every `kill -9` test, since the
//! kernel keeps what was written. It does not pass this one.

use crate::raw::WAIT;
use crate::{Broker, Options};
use std::collections::HashMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

const TRACE: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync,msync";

/// Starts a broker under `strace`.
///
/// `-D` makes the broker our child and the tracer its grandchild, so that the
/// broker is killed and waited for as ever; hex strings and the paths behind
/// file descriptors make the lines comparable.
#[must_use]
pub fn traced(options: Options) -> Broker {
    let strace = "strace -D -f -yy -xx -s 200 -e signal=kill -o trace -e";
    options.under(strace.split(' ').chain([TRACE])).start()
}

/// Kills a traced broker and returns the trace once it is whole.
#[must_use]
pub fn finish(mut broker: Broker) -> String {
    let (pid, file) = (broker.pid().to_string(), broker.dir().join("trace"));
    broker.kill9();
    let deadline = Instant::now() + WAIT;
    loop {
        let trace = fs::read_to_string(&file).unwrap_or_default();
        let mut lines = trace.lines().rev();
        if lines.any(|line| line.starts_with(&pid) && line.contains("+++ killed by SIGKILL")) {
            return trace;
        }
        assert!(Instant::now() < deadline, "strace did not end its trace");
        sleep(Duration::from_millis(10));
    }
}

/// Judges one acknowledged message: its bytes are read from a socket, then a
/// sync of a file below `store` begins and returns successfully, then its
/// acknowledgement is written to a socket.
///
/// # Errors
/// Says what was not as it must be.
pub fn synced_between(trace: &str, message: &[u8], answer: &[u8], store: &str) -> Result<(), String> {
    let (message, answer, path) = (escaped(message), escaped(answer), escaped(store.as_bytes()));
    let mut read = false;
    let mut synced = false;
    let mut begun: HashMap<&str, bool> = HashMap::new(); // by thread: a sync of the store that began after the read
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or(("", line));
        let call = call.trim_start();
        let name = call.trim_start_matches("<... ").split([' ', '(']).next().unwrap_or_default();
        let (resumed, unfinished) = (call.starts_with("<... "), call.ends_with("<unfinished ...>"));
        match name {
            "read" | "readv" | "recvfrom" | "recvmsg" => read |= call.contains(&message),
            "fsync" | "fdatasync" | "msync" => {
                if !resumed {
                    begun.insert(thread, read && call.contains(&path));
                }
                if !unfinished {
                    let counts = begun.remove(thread).unwrap_or(false);
                    synced |= counts && call.trim_end().ends_with("= 0");
                }
            }
            "write" | "writev" | "sendto" | "sendmsg" if call.contains(&answer) && !resumed => {
                return match (read, synced) {
                    (true, true) => Ok(()),
                    (true, false) => Err(format!("acknowledged with no sync of {store} since it was read: {line}")),
                    (false, _) => Err(format!("acknowledged before it was read: {line}")),
                };
            }
            _ => {}
        }
    }
    Err(format!("never acknowledged (read: {read}, synced: {synced})"))
}

/// Bytes as `strace -xx` writes them.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::synced_between;

    const READ: &str = r#"11 recvfrom(9<TCP:[127.0.0.1:1883->127.0.0.1:9]>, "\x32\x6d", 8192, 0, NULL, NULL) = 2"#;
    const SYNC: &str = r"12 fdatasync(7<\x2f\x64\x2f\x78>) = 0"; // of /d/x
    const BEGIN: &str = r"12 fdatasync(7<\x2f\x64\x2f\x78> <unfinished ...>";
    const END: &str = "12 <... fdatasync resumed>) = 0";
    const ANSWER: &str = r#"11 sendto(9<TCP:[127.0.0.1:1883->127.0.0.1:9]>, "\x40\x02", 2, 0, NULL, 0) = 2"#;

    fn judge(lines: &[&str]) -> Result<(), String> {
        synced_between(&lines.join("\n"), b"m", &[0x40, 2], "/d/")
    }

    #[test]
    fn read_sync_answer_is_the_right_order() {
        assert_eq!(judge(&[READ, SYNC, ANSWER]), Ok(()));
        assert_eq!(judge(&[READ, BEGIN, END, ANSWER]), Ok(()));
    }

    #[test]
    fn every_other_order_is_refused() {
        for lines in [
            vec![READ, ANSWER],
            vec![READ, ANSWER, SYNC],
            vec![SYNC, READ, ANSWER],
            vec![BEGIN, READ, END, ANSWER],
            vec![READ, BEGIN, ANSWER, END],
            vec![READ, r"12 fdatasync(7<\x2f\x65\x2f\x78>) = 0", ANSWER],
            vec![READ, r"12 fdatasync(7<\x2f\x64\x2f\x78>) = -1 EIO (Input/output error)", ANSWER],
            vec![ANSWER],
            vec![READ, SYNC],
        ] {
            assert!(judge(&lines).is_err(), "{lines:?}");
        }
    }
}
