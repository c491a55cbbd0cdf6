//! How does a broker start, and how does it stop?
//!
//! Start: bind, open the store, read it, let the Wills of a crash be decided, write down that everybody counts as lost,
//! accept. Stop: no more clients, every session told and kept, everything that has gathered on disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use hikyaku_broker::ledger::Recovered;
use hikyaku_broker::{Hub, HubConfig, Limits, Turn};
use hikyaku_protocol::DecodeLimits;
use hikyaku_traits::{Auth, Lost, StandardWill, StoreError, WillDispatch};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::auth::Anonymous;
use crate::clock::Clock;
use crate::config::{Backend, Config};
use crate::connection;
use crate::journal::Writer;
use crate::names::{Names, random_seeds};
use crate::recover;
use crate::shared::{PLUGIN_DEADLINE, Shared};
use crate::startup::{Bound, StartError, bind_all, prepare_data_dir};
use crate::store::Stores;

/// How often the hub is asked what is due.
const TICK: Duration = Duration::from_millis(100);
/// What one call may do before it lets others have their turn.
const TICK_BUDGET: usize = 500;
/// How long connections may take to end when the broker stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The task that writes.
type Journal = JoinHandle<Result<(), StoreError>>;

/// A broker that runs.
pub struct Server {
    shared: Arc<Shared>,
    listening: Vec<SocketAddr>,
    notes: Vec<String>,
    stop_writer: watch::Sender<bool>,
    writer: Journal,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts a broker with what the configuration says. Needs a tokio runtime of several threads. When this returns, clients
    /// are accepted and all that the store remembers is there.
    ///
    /// # Errors
    /// What cannot be used: an address, a directory, a store.
    pub async fn start(config: &Config) -> Result<Self, ServerError> {
        // Before the directories are made: a port that is taken is the commoner mistake, and leaves nothing behind.
        let bound = bind(config)?;
        directories(config)?;
        Self::serve(config, bound, Stores::configured(config)).await
    }

    /// Starts a broker on stores of the caller's; `storage.backend`, `storage.path` and `storage.retained` are not read.
    /// All else is as with [`Self::start`].
    ///
    /// # Errors
    /// What cannot be used: an address, a store.
    pub async fn start_on(config: &Config, stores: Stores) -> Result<Self, ServerError> {
        Self::serve(config, bind(config)?, stores).await
    }

    async fn serve(config: &Config, bound: Bound, stores: Stores) -> Result<Self, ServerError> {
        let stores = Arc::new(stores);
        let seeds = random_seeds();
        let (ledger, recovered) = recover::open(&stores, seeds, config.storage.on_corrupt).await?;
        let clock = Clock::start(recovered.clock_ms);
        let auth: Arc<dyn Auth> = Arc::new(Anonymous);
        let will_dispatch: Arc<dyn WillDispatch> = Arc::new(StandardWill);
        let hub = Arc::new(Hub::new(HubConfig { limits: limits(config), seeds, auth: auth.clone() }));
        let (stop_writer, stop) = watch::channel(false);
        let writer = Writer::new(hub.clone(), stores.clone(), ledger, clock, &config.storage, stop);
        let stamped = restore(&hub, recovered, clock, &*will_dispatch).await;
        let mut writer = spawn_writer(writer);
        let shared = Arc::new(shared(config, hub, stores, clock, auth, will_dispatch));
        stamp(&shared, stamped, &mut writer).await?;
        let mut listening = Vec::new();
        let mut tasks = vec![tokio::spawn(keep_time(shared.clone()))];
        for listener in bound.listeners {
            let listener = TcpListener::from_std(listener)?;
            listening.push(listener.local_addr()?);
            tasks.push(tokio::spawn(accept(shared.clone(), listener)));
        }
        Ok(Self { shared, listening, notes: bound.notes, stop_writer, writer, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// What the operator should know and need not mend.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What all sessions share: counters and sizes.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.shared.hub
    }

    /// Ends when the store can not be used any more; until then it waits.
    pub async fn failed(&mut self) -> StoreError {
        end_of(&mut self.writer).await
    }

    /// Stops: sessions are kept as they are, Wills are not published, all that was appended is on disk when this returns.
    ///
    /// # Errors
    /// What the store says at its end.
    pub async fn stop(self) -> Result<(), StoreError> {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.stopping.store(true, Ordering::Relaxed);
        let patience = tokio::time::Instant::now() + STOP_PATIENCE;
        while self.shared.serving.load(Ordering::Relaxed) > 0 && tokio::time::Instant::now() < patience {
            self.shared.hub.wake_everybody();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The writer is gone only if the broker stops.
        let _ = self.stop_writer.send(true);
        self.writer
            .await
            .unwrap_or_else(|error| Err(StoreError::new(hikyaku_traits::Decision::Poisoned, error.to_string())))
    }
}

/// Why a broker does not start. Each is a paragraph for the operator: what was tried, where, why it failed, what to try.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Directories and ports.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Start(Vec<StartError>),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A socket that was opened and is of no use.
    #[error("Cannot use a listener: {0}")]
    Listener(#[from] std::io::Error),
}

impl From<Vec<StartError>> for ServerError {
    fn from(errors: Vec<StartError>) -> Self {
        Self::Start(errors)
    }
}

/// Opens the ports.
fn bind(config: &Config) -> Result<Bound, ServerError> {
    let addresses: Vec<SocketAddr> = config.listeners.iter().map(|listener| listener.bind).collect();
    Ok(bind_all(&addresses)?)
}

/// Makes the data directories, or says all that is wrong with them.
fn directories(config: &Config) -> Result<(), ServerError> {
    let storage = &config.storage;
    let retained = storage.retained.as_ref().map(|retained| (retained.backend, &retained.path));
    let errors: Vec<StartError> = [(storage.backend, &storage.path)]
        .into_iter()
        .chain(retained)
        .filter(|(backend, _)| *backend != Backend::Memory)
        .filter_map(|(_, path)| prepare_data_dir(path).err())
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
}

/// Fills the hub, and asks what becomes of the Wills of those who were connected when the broker went away. Gives the
/// ticket of what that appends.
async fn restore(hub: &Hub, recovered: Recovered, clock: Clock, will_dispatch: &dyn WillDispatch) -> u64 {
    let mut turn = Turn::new();
    let (lost, ticket) = hub.restore(recovered, clock.now(), &mut turn);
    for lost in lost {
        let now = clock.now();
        let asked = will_dispatch.dispatch(lost.client_id(), &lost.will, Lost::Restart, now);
        let decision = match tokio::time::timeout(PLUGIN_DEADLINE, asked).await {
            Ok(decision) => decision,
            Err(_) => StandardWill.dispatch(lost.client_id(), &lost.will, Lost::Restart, now).await,
        };
        hub.decide_lost_will(lost, decision, now, &mut turn);
    }
    ticket // nothing has been sealed yet: what was decided about the Wills is in the same batch
}

/// Waits until it is on disk who was lost with the last run, so that a second crash restarts no delay and no expiry. A
/// store that is found without room is not waited for: that batch stays the first that it takes, and until then whatever
/// needs the store is refused.
async fn stamp(shared: &Shared, ticket: u64, writer: &mut Journal) -> Result<(), StoreError> {
    let stamped = connection::durable(shared, ticket);
    tokio::pin!(stamped);
    loop {
        tokio::select! {
            biased;
            () = &mut stamped => return Ok(()),
            error = end_of(writer) => return Err(error),
            () = tokio::time::sleep(TICK) => {}
        }
        if !shared.hub.is_store_up() {
            return Ok(());
        }
    }
}

/// Why the journal has ended, when it has.
async fn end_of(writer: &mut Journal) -> StoreError {
    match writer.await {
        Ok(Err(error)) => error,
        Ok(Ok(())) => StoreError::new(hikyaku_traits::Decision::Away, "the journal has ended"),
        Err(error) => {
            StoreError::new(hikyaku_traits::Decision::Poisoned, format!("the journal's task has ended: {error}"))
        }
    }
}

/// The writer has a thread of its own, so that neither a large batch nor a slow disk takes a worker from the clients.
fn spawn_writer(writer: Writer) -> Journal {
    let handle = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || handle.block_on(writer.run()))
}

fn shared(
    config: &Config,
    hub: Arc<Hub>,
    stores: Arc<Stores>,
    clock: Clock,
    auth: Arc<dyn Auth>,
    will_dispatch: Arc<dyn WillDispatch>,
) -> Shared {
    Shared {
        hub,
        stores,
        clock,
        auth,
        will_dispatch,
        decode_limits: DecodeLimits {
            filters_max: config.limits.filters_per_packet_max,
            user_properties_max: config.limits.user_properties_max,
            topic_levels_max: config.limits.topic_levels_max,
        },
        connect_timeout: Duration::from_millis(config.limits.connect_timeout_ms),
        client_id_bytes_max: config.limits.client_id_bytes_max,
        connections: AtomicUsize::new(0),
        connections_max: config.limits.connections_max,
        serving: AtomicUsize::new(0),
        verbose: config.log.verbose,
        stopping: AtomicBool::new(false),
        assigned_ids: Names::default(),
    }
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        receive_maximum: limits.receive_maximum,
        inflight_messages_max: limits.inflight_messages_max,
        inflight_bytes_max: limits.inflight_bytes_max,
        queue_messages_max: limits.queue_messages_max,
        queue_bytes_max: limits.queue_bytes_max,
        mailbox_messages_max: limits.mailbox_messages_max,
        mailbox_bytes_max: limits.mailbox_bytes_max,
        output_buffer_bytes_max: limits.output_buffer_bytes_max,
        topic_alias_maximum: limits.topic_alias_maximum,
        subscriptions_max: limits.subscriptions_max,
        retained_messages_max: limits.retained_messages_max,
        retained_bytes_max: limits.retained_bytes_max,
        journal_bytes_max: limits.journal_bytes_max,
        keep_alive_max_secs: limits.keep_alive_max_secs,
        session_expiry_max_secs: limits.session_expiry_max_secs,
        packet_size_max: limits.packet_size_max,
    }
}

/// Asks the hub what is due, again and again. Much that is due at once is done batch by batch, so that a commit of others
/// never waits for more than a small part of it.
async fn keep_time(shared: Arc<Shared>) {
    let mut turn = Turn::new();
    loop {
        let now = shared.clock.now();
        let next = shared.hub.on_timeout(now, TICK_BUDGET, &mut turn);
        if next.is_none_or(|at_ms| at_ms > shared.clock.now().wall_ms) {
            tokio::time::sleep(TICK).await;
        } else if shared.hub.is_relaxed() {
            tokio::task::yield_now().await;
        } else {
            // A store in trouble commits nothing: then once a tick.
            let _ = tokio::time::timeout(TICK, next_commit(&shared.hub)).await;
        }
    }
}

async fn next_commit(hub: &Hub) {
    let waiter = Hub::waiter();
    hub.wake_at_commit(&waiter);
    std::future::poll_fn(|cx| if waiter.listen(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&shared, stream, peer),
            Err(error) => {
                // Out of file descriptors, most likely: those who are in go on, the rest waits in the system's queue.
                tracing::error!("cannot accept a connection: {error}. Try: a higher limit of open files (ulimit -n)");
                tokio::time::sleep(TICK).await;
            }
        }
    }
}

fn admit(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    if shared.connections.fetch_add(1, Ordering::Relaxed) >= shared.connections_max {
        shared.connections.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!(%peer, "refused: limits.connections_max is reached");
        return;
    }
    // A small answer must not wait for another one: without this, Nagle's algorithm holds it for up to 40 ms.
    let _ = stream.set_nodelay(true);
    tokio::spawn(connection::serve(shared.clone(), stream, Some(peer)));
}
