//! How does a broker of its own process run on the store that is asked for?

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::{Args, ValueEnum};
use hikyaku_server::config::{Backend, Config};
use hikyaku_server::{Open, Server, Spot, Stores};
use hikyaku_traits::{SessionStore, StoreError};

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// The yardstick: a file that is appended to and synced.
    File,
    /// redb, as the broker has it.
    Redb,
    /// SQLite, as the broker has it.
    Sqlite,
    /// redb without the log in front.
    RedbAlone,
    /// SQLite without the log in front.
    SqliteAlone,
    /// No disk at all.
    Memory,
}

impl Store {
    /// Opens it in a directory; memory has no file and no threads.
    pub async fn open(self, directory: &Path, delay: Duration) -> Result<Arc<dyn SessionStore>, StoreError> {
        let spot = |backend| Spot::new(backend, directory.to_owned());
        Ok(match self {
            Self::Memory => Arc::new(hikyaku_memory::Memory::new()),
            Self::Redb => Open::<dyn SessionStore>::open(&spot(Backend::Redb)).await?,
            Self::Sqlite => Open::<dyn SessionStore>::open(&spot(Backend::Sqlite)).await?,
            Self::RedbAlone => Arc::new(hikyaku_redb::open(&directory.join("bench.redb"), &Default::default())?),
            Self::SqliteAlone => Arc::new(hikyaku_sqlite::open(&directory.join("bench.sqlite"), &Default::default())?),
            Self::File => Arc::new(crate::file::open(&directory.join("bench.log"), delay)?),
        })
    }
}

/// The broker of a round.
#[derive(Clone, Debug, Args)]
pub struct Setup {
    /// Which store.
    #[arg(long, value_enum)]
    pub store: Store,
    /// An empty directory for it.
    #[arg(long)]
    pub directory: PathBuf,
    /// How much longer than its sync a commit of the yardstick takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub delay_ms: u64,
}

#[async_trait]
impl Open<dyn SessionStore> for Setup {
    async fn open(&self) -> Result<Arc<dyn SessionStore>, StoreError> {
        self.store.open(&self.directory, Duration::from_millis(self.delay_ms)).await
    }
    fn place(&self) -> String {
        self.directory.display().to_string()
    }
}

/// Runs the broker until standard input ends; answers each line with its counters.
pub async fn run(setup: Setup) {
    let mut config = Config::default();
    config.listeners.truncate(1);
    config.listeners[0].bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start_on(&config, Stores::new(Arc::new(setup), None)).await.expect("the broker starts");
    println!("{}", server.listening()[0]);
    let hub = server.hub().clone();
    let lines = tokio::task::spawn_blocking(move || {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            let counters: Vec<_> = hub.counters.each().map(|(name, count)| format!("{name}={count}")).collect();
            println!("{}", counters.join(" "));
        }
    });
    let _ = lines.await;
    server.stop().await.expect("the broker stops");
}

/// A broker in a process of its own; it is killed when this is dropped.
pub struct Running {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: SocketAddr,
    directory: PathBuf,
}

impl Running {
    /// Starts a broker under `base`, a directory on the disk that is measured.
    pub fn start(base: &Path, store: Store, delay_ms: u64) -> Self {
        let directory = base.join(format!("hikyaku-bench-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        let name = store.to_possible_value().expect("every store has a name");
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["broker", "--store", name.get_name(), "--delay-ms", &delay_ms.to_string(), "--directory"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let ask = child.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let address = line(&mut answers).parse().expect("the broker says where it listens");
        Self { child, ask, answers, address, directory }
    }

    /// The value of a counter.
    pub fn counter(&mut self, name: &str) -> u64 {
        self.ask.write_all(b"\n").expect("the broker lives");
        let all = line(&mut self.answers);
        let found = all.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
        found.unwrap_or_else(|| panic!("no counter {name} in {all}"))
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the broker lives");
        let fields: Vec<u64> =
            stat.rsplit(") ").next().unwrap_or("").split(' ').map(|n| n.parse().unwrap_or(0)).collect();
        Duration::from_millis((fields[11] + fields[12]) * 10)
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("the broker lives");
    line.trim().to_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
