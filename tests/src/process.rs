//! Any other process of a test, read line by line.

use crate::broker::signal;
use crate::raw::WAIT;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A running program whose output is read as it comes; dropping it kills it,
/// and shows what it said if the test failed.
pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    read: usize,
}

impl Program {
    /// Starts it.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}; tests/run installs it"));
        let (send, lines) = channel();
        forward(child.stdout.take().expect("its output"), send.clone());
        forward(child.stderr.take().expect("its errors"), send);
        Self { name, child, lines, seen: Vec::new(), read: 0 }
    }

    /// Its next line, if one comes in time.
    pub fn line(&mut self, within: Duration) -> Option<String> {
        if self.read == self.seen.len() {
            self.seen.push(self.lines.recv_timeout(within).ok()?);
        }
        self.read += 1;
        Some(self.seen[self.read - 1].clone())
    }

    /// Reads from the first line again.
    #[must_use]
    pub fn rewound(mut self) -> Self {
        self.read = 0;
        self
    }

    /// Waits for a line that contains the text and returns what stands behind it.
    pub fn expect(&mut self, text: &str) -> String {
        self.expect_within(text, WAIT)
    }

    /// The same with a time of its own.
    pub fn expect_within(&mut self, text: &str, within: Duration) -> String {
        let deadline = Instant::now() + within;
        while let Some(line) = self.line(deadline.saturating_duration_since(Instant::now())) {
            if let Some(at) = line.find(text) {
                return line[at + text.len()..].to_string();
            }
        }
        panic!("no line with '{text}' in {within:?}");
    }

    /// What stands behind the text on the lines that have it, up to the one that also ends so.
    pub fn expect_until(&mut self, text: &str, end: &str) -> Vec<String> {
        let next = || Some(self.expect(text));
        std::iter::from_fn(next).take_while(|line| !line.ends_with(end)).collect()
    }

    /// Waits until it has ended by itself, successfully, and returns the lines not yet read.
    pub fn finish(mut self) -> Vec<String> {
        let deadline = Instant::now() + WAIT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end in {WAIT:?}"),
            }
        }
        let status = self.child.wait().expect("its status");
        assert!(status.success(), "it ended with {status}");
        self.seen.split_off(self.read)
    }

    /// Ends it at once.
    pub fn kill9(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end and waits until it has; most clients send their DISCONNECT then.
    pub fn term(mut self) {
        signal(self.child.id(), "TERM");
        while self.line(WAIT).is_some() {}
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.seen.extend(self.lines.try_iter());
            eprintln!("--- {}\n{}", self.name, self.seen.join("\n"));
        }
    }
}

fn forward(output: impl Read + Send + 'static, send: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
}
