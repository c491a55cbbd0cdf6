//! The order of a running broker's system calls, from a trace of `strace`.
//!
//! A broker that never syncs its store passes every `kill -9` test, since the
//! kernel keeps what was written. It does not pass this one.

use crate::{Broker, Options};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const TRACE: &str =
    "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync,msync";

/// Starts a broker under `strace`.
///
/// `-D` makes the broker our child and the tracer its grandchild, so that the
/// broker is killed and waited for as ever; hex strings and the paths behind
/// file descriptors make the lines comparable.
#[must_use]
pub fn traced(options: Options) -> Broker {
    let out = std::env::temp_dir().join(format!("hikyaku-strace-{}", std::process::id()));
    fs::create_dir_all(&out).expect("a directory for the trace");
    let file = trace_file();
    options
        .under([
            "strace",
            "-D",
            "-f",
            "-yy",
            "-xx",
            "-s",
            "512",
            "-e",
            TRACE,
            "-e",
            "signal=none",
            "-o",
            &file.display().to_string(),
        ])
        .start()
}

/// Kills a traced broker and returns the trace once it is whole.
#[must_use]
pub fn finish(mut broker: Broker) -> String {
    let pid = broker.pid();
    broker.kill9();
    let deadline = Instant::now() + crate::raw::WAIT;
    loop {
        let trace = fs::read_to_string(trace_file()).unwrap_or_default();
        if trace.lines().any(|line| {
            line.starts_with(&pid.to_string()) && line.contains("+++ killed by SIGKILL")
        }) {
            return trace;
        }
        assert!(
            Instant::now() < deadline,
            "strace did not end its trace:\n{trace}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn trace_file() -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let number: String = thread.chars().filter(char::is_ascii_digit).collect();
    std::env::temp_dir().join(format!("hikyaku-strace-{}/{number}", std::process::id()))
}

/// Judges one acknowledged message: its bytes are read from a socket, then a
/// sync of a file below `store` begins and returns successfully, then its
/// acknowledgement is written to a socket.
///
/// # Errors
/// Says what was not as it must be.
pub fn synced_between(
    trace: &str,
    message: &[u8],
    answer: &[u8],
    store: &str,
) -> Result<(), String> {
    let (message, answer) = (escaped(message), escaped(answer));
    let mut read = false;
    let mut synced = false;
    let mut begun: HashMap<&str, bool> = HashMap::new(); // by thread: a sync of the store that began after the read
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or(("", line));
        let call = call.trim_start();
        let name = call
            .trim_start_matches("<... ")
            .split([' ', '('])
            .next()
            .unwrap_or_default();
        let (resumed, unfinished) = (
            call.starts_with("<... "),
            call.ends_with("<unfinished ...>"),
        );
        match name {
            "read" | "readv" | "recvfrom" | "recvmsg" => read |= call.contains(&message),
            "fsync" | "fdatasync" | "msync" => {
                if !resumed {
                    begun.insert(thread, read && call.contains(store));
                }
                if !unfinished {
                    let counts = begun.remove(thread).unwrap_or(false);
                    synced |= counts && call.trim_end().ends_with("= 0");
                }
            }
            "write" | "writev" | "sendto" | "sendmsg" if call.contains(&answer) && !resumed => {
                return match (read, synced) {
                    (true, true) => Ok(()),
                    (true, false) => Err(format!(
                        "acknowledged with no sync of {store} since it was read: {line}"
                    )),
                    (false, _) => Err(format!("acknowledged before it was read: {line}")),
                };
            }
            _ => {}
        }
    }
    Err(format!(
        "never acknowledged (read: {read}, synced: {synced})"
    ))
}

/// Bytes as `strace -xx` writes them.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::synced_between;

    const READ: &str =
        r#"11 recvfrom(9<TCP:[127.0.0.1:1883->127.0.0.1:9]>, "\x32\x6d", 8192, 0, NULL, NULL) = 2"#;
    const SYNC: &str = "12 fdatasync(7</data/x.redb>) = 0";
    const BEGIN: &str = "12 fdatasync(7</data/x.redb> <unfinished ...>";
    const END: &str = "12 <... fdatasync resumed>) = 0";
    const ANSWER: &str =
        r#"11 sendto(9<TCP:[127.0.0.1:1883->127.0.0.1:9]>, "\x40\x02", 2, 0, NULL, 0) = 2"#;

    fn judge(lines: &[&str]) -> Result<(), String> {
        synced_between(&lines.join("\n"), b"m", &[0x40, 2], "/data/")
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
            vec![READ, "12 fdatasync(7</other/file>) = 0", ANSWER],
            vec![
                READ,
                "12 fdatasync(7</data/x.redb>) = -1 EIO (Input/output error)",
                ANSWER,
            ],
            vec![ANSWER],
            vec![READ, SYNC],
        ] {
            assert!(judge(&lines).is_err(), "{lines:?}");
        }
    }
}
