//! The broker under test, as a process.

use crate::command::program;
use crate::raw::{Client, Connect, Event, WAIT};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Every wait of a broker that asks again does so at this pace.
const PACE: Duration = Duration::from_millis(3);

/// How the broker is to run; [`Options::backend`] begins one.
#[derive(Clone, Debug)]
pub struct Options {
    backend: String,
    durability: String,
    storage: String,
    extra: String,
    wrapper: Vec<String>,
    data: Option<PathBuf>,
}

impl Options {
    /// A broker with this storage backend and `durability: always`.
    #[must_use]
    pub fn backend(name: &str) -> Self {
        Self {
            backend: name.into(),
            durability: "always".into(),
            storage: String::new(),
            extra: String::new(),
            wrapper: Vec::new(),
            data: None,
        }
    }

    /// Another durability.
    #[must_use]
    pub fn durability(mut self, durability: &str) -> Self {
        self.durability = durability.into();
        self
    }

    /// One more key of the section storage.
    #[must_use]
    pub fn storage(mut self, key: &str, value: &str) -> Self {
        self.storage.push_str(&format!("  {key}: {value}\n"));
        self
    }

    /// A data directory of the test's own, which stays when the broker goes.
    #[must_use]
    pub fn data(mut self, path: &Path) -> Self {
        self.data = Some(path.to_owned());
        self
    }

    /// Further lines for the configuration, as YAML at the top level.
    #[must_use]
    pub fn config(mut self, yaml: &str) -> Self {
        self.extra.push_str(yaml);
        self.extra.push('\n');
        self
    }

    /// Runs the broker under another program, which takes the broker's command as its last arguments.
    #[must_use]
    pub fn under<'a>(mut self, wrapper: impl IntoIterator<Item = &'a str>) -> Self {
        self.wrapper = wrapper.into_iter().map(String::from).collect();
        self
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Broker {
        Broker::start(self)
    }
}

/// A running broker on loopback; dropping it kills the process and removes its
/// directory, and shows the end of its log if the test failed.
pub struct Broker {
    options: Options,
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    /// Starts a broker and waits until it accepts clients.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(options: Options) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("hikyaku-test-{}-{count}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for the broker");
        let mut broker = Self { options, dir, port: free_port(count), child: None };
        for attempt in 1..=5 {
            if broker.try_start() {
                return broker;
            }
            broker.port = free_port(count + 97 * attempt); // another test may have taken the port in between
        }
        panic!("the broker did not start in five attempts");
    }

    /// A broker that keeps nothing on disk, for tests that restart nothing.
    #[must_use]
    pub fn memory() -> Self {
        Options::backend("memory").start()
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its configuration, log and store.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the broker runs").id()
    }

    /// Ends it at once, as a power cut would end the process.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.options.data.clone().unwrap_or_else(|| self.dir.join("data"))
    }

    /// The file in which its backend keeps the records.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.data().join(format!("hikyaku.{}", self.options.backend))
    }

    /// Changes how it runs from its next start on.
    pub fn change(&mut self, change: impl FnOnce(Options) -> Options) {
        self.options = change(self.options.clone());
    }

    /// Starts it where it has to refuse, and gives what it says.
    ///
    /// # Panics
    /// When it starts, or ends in another way than by a refusal.
    pub fn refused(&mut self) -> String {
        self.kill9();
        let mut command = Command::new("timeout");
        let started = self.command();
        command.args(["-k", "1", "60"]).arg(started.get_program()).args(started.get_args());
        let output = command
            .stdin(Stdio::null())
            .current_dir(&self.dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .expect("setpriv starts the broker");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "the broker was to refuse the start; it said: {said}");
        said
    }

    /// Asks it to stop and waits until it has.
    pub fn term(&mut self) {
        signal(self.pid(), "TERM");
        let mut child = self.child.take().expect("the broker runs");
        let deadline = Instant::now() + WAIT;
        loop {
            if let Some(status) = child.try_wait().expect("the broker's status") {
                assert!(status.success(), "SIGTERM ends the broker cleanly, not with {status}");
                return;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("SIGTERM did not end the broker in {WAIT:?}");
            }
            sleep(PACE);
        }
    }

    /// Starts it again on the same port and store; returns how long it took until a CONNACK came.
    pub fn restart(&mut self) -> Duration {
        let begin = Instant::now();
        self.kill9();
        assert!(self.try_start(), "the broker did not start again");
        let (client, connack) = Connect::v311("ready").open(self);
        assert_eq!(connack.code(), 0, "the broker accepts clients again");
        let took = begin.elapsed();
        client.leave();
        took
    }

    /// The storage backend with which it runs.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.options.backend
    }

    /// Runs it with another storage backend from the next start on.
    pub fn set_backend(&mut self, name: &str) {
        self.options.backend = name.into();
    }

    /// Runs it under another program from the next start on.
    pub fn under<'a>(&mut self, wrapper: impl IntoIterator<Item = &'a str>) {
        self.options = self.options.clone().under(wrapper);
    }

    /// Bytes of memory that the process holds (`VmRSS`).
    #[must_use]
    pub fn rss_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most bytes of memory that the process ever held (`VmHWM`).
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// How long the process has worked, on all processors together.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        const TICKS_PER_SEC: u64 = 100; // of the kernel's interface, whatever its own clock has
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the broker's times");
        let behind_name = stat.rsplit_once(')').expect("the name of the process").1;
        let ticks = behind_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks"));
        Duration::from_millis(ticks.sum::<u64>() * 1000 / TICKS_PER_SEC)
    }

    /// Takes the files of its store out of the page cache: the next start reads them from the disk.
    pub fn forget_cache(&self) {
        let mut open = vec![self.dir.join("data")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(
                    fs::read_dir(path).expect("the directory of the store").flatten().map(|entry| entry.path()),
                );
                continue;
            }
            let file = File::open(path).expect("a file of the store");
            file.sync_all().expect("a page that is not on disk stays in the cache");
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("the page cache forgets the file");
        }
    }

    fn status_bytes(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the broker's status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field of its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("kilobytes") * 1024
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Starts it again; false if it refuses, and its log says why.
    pub fn starts(&mut self) -> bool {
        self.kill9();
        if !self.try_start() {
            return false;
        }
        // It listens before it has read its store.
        let connect = Connect::v311("ready");
        let client = Client::try_tcp(self.addr(), connect.version);
        let answers = client.is_ok_and(|mut client| {
            client.send(&connect.encode());
            matches!(client.poll(WAIT), Event::Packet(_))
        });
        if answers {
            return true;
        }
        // It lets its sockets go before it says why.
        let status = self.child.take().expect("the broker runs").wait().expect("the broker's status");
        assert_eq!(status.code(), Some(1), "it refused the start");
        false
    }

    /// Starts the process; false if it ended before it accepted a connection.
    fn try_start(&mut self) -> bool {
        let mut command = self.command();
        let log = File::options().create(true).append(true).open(self.dir.join("log")).expect("the broker's log");
        command.stdout(log.try_clone().expect("the broker's log")).stderr(log);
        let mut child = command.spawn().expect("setpriv starts the broker");
        let deadline = Instant::now() + 2 * WAIT;
        while Instant::now() < deadline {
            if child.try_wait().expect("the broker's status").is_some() {
                return false;
            }
            if TcpStream::connect(self.addr()).is_ok() {
                self.child = Some(child);
                return true;
            }
            sleep(PACE);
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("the broker accepts no connection after {:?}", 2 * WAIT);
    }

    /// The broker's command, with its configuration written.
    fn command(&self) -> Command {
        let config = self.dir.join("config.yaml");
        fs::write(&config, self.yaml()).expect("the broker's configuration");
        // A broker never outlives the test that started it, not even one that is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).args(&self.options.wrapper).args(program());
        command.arg("--config").arg(config).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    fn yaml(&self) -> String {
        let Options { backend, durability, storage, extra, .. } = &self.options;
        let (addr, path) = (self.addr(), self.data());
        let path = path.display();
        format!(
            "listeners:\n  - bind: {addr}\nstorage:\n  backend: {backend}\n  path: {path}\n  durability: {durability}\n\
             {storage}{extra}"
        )
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.lines().count().saturating_sub(60);
            let end: Vec<_> = log.lines().skip(from).collect();
            eprintln!("--- end of the broker's log, {}:\n{}", self.addr(), end.join("\n"));
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Sends a signal to a process by its id.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{name} {pid}");
}

/// A port below the range from which the kernel takes those of outgoing
/// connections, so that no client can sit on it while its broker is down.
fn free_port(salt: u32) -> u16 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    let mut number = u64::from(std::process::id()) << 32 | u64::from(now.subsec_nanos() ^ salt << 10);
    loop {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let port = 10_000 + (number >> 40) as u16 % 20_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
