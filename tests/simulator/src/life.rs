//! How does a seed go, from its beginning to its end?

use std::panic::{AssertUnwindSafe, catch_unwind};

use hikyaku_broker::plant;
use hikyaku_types::{Qos, SubscriptionOptions};

use crate::check;
use crate::client::deeds::TOPICS;
use crate::flaw::Flaw;
use crate::history::Log;
use crate::world::World;

/// A seed that was not passed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What was broken.
    pub what: String,
    /// Events before that, as many as were asked for.
    pub log: String,
}

/// Plays a seed. The same seed, flaw and build give the same events.
///
/// # Errors
/// The promise was broken, or the broker has panicked.
pub fn play(seed: u64, flaw: Flaw, log: Log) -> Result<(), Failure> {
    plant(if let Flaw::Core(bug) = flaw { Some(bug) } else { None });
    let mut world = World::new(seed, flaw, log);
    let outcome = catch_unwind(AssertUnwindSafe(|| live(&mut world)));
    plant(None);
    let what = match outcome {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(what)) => what,
        Err(panic) => format!("a panic: {}", panic.downcast_ref::<String>().map_or("", String::as_str)),
    };
    Err(Failure { seed, what, log: world.history.log() })
}

/// The first of these seeds that fails with the flaw and passes without it.
pub fn find(flaw: Flaw, seeds: impl IntoIterator<Item = u64>) -> Option<Failure> {
    seeds
        .into_iter()
        .filter_map(|seed| play(seed, flaw, Log::None).err())
        .find(|failure| play(failure.seed, Flaw::None, Log::None).is_ok())
}

fn live(world: &mut World) -> Result<(), String> {
    let steps = 300 + world.random.below(2000);
    world.storm(steps)?;
    world.wait_for_wills()?;
    world.gather()?;
    let mut broken = overfill(world)?;
    probe(world)?;
    world.history.dropped_queue_full += world.hub.counters.dropped_queue_full.get();
    broken.extend(check::check(&world.history, &world.clients));
    broken.extend(check::leftovers(&world.disk));
    let missing = world.hub.counters.bodies_missing.get();
    if missing > 0 {
        broken.push(format!("{missing} bodies were not in the store"));
    }
    for _ in 0..2 {
        broken.extend(newcomer(world)?);
        let seeds = world.random.seeds();
        let recovered = world.disk.recover(seeds, 1 << 20)?;
        broken.extend(check::recovered(&recovered, &world.clients, &world.history));
        world.crash()?;
        world.gather()?;
    }
    broken.first().map_or(Ok(()), |first| Err(format!("{first} ({} things in all)", broken.len())))
}

/// Where queues are short, somebody goes away, and more is published than may wait: the oldest wait, as many as may.
fn overfill(world: &mut World) -> Result<Vec<String>, String> {
    if !world.history.has_short_queues() {
        return Ok(Vec::new());
    }
    let max = world.history.queue_messages_max;
    let (prober, absent) = (world.newcomer(), world.newcomer());
    world.clients[absent].profile.expiry_secs = u32::MAX;
    world.gather()?;
    let World { clients, history, random, .. } = world;
    clients[absent].subscribe("t/#", SubscriptionOptions::qos(Qos::ExactlyOnce), history, random);
    world.settle()?;
    world.hang_up(absent);
    world.settle()?;
    let first = world.history.messages.len();
    for _ in 0..=max {
        let World { clients, history, random, .. } = world;
        let qos = random.pick(&[Qos::AtLeastOnce, Qos::ExactlyOnce]);
        clients[prober].publish(random.pick(&TOPICS), qos, None, (0, 0), history, random);
        world.flush(prober);
        world.settle()?;
    }
    world.gather()?;
    Ok(check::waited(&world.history, absent, first..first + max).into_iter().collect())
}

/// A last message to every topic.
fn probe(world: &mut World) -> Result<(), String> {
    let prober = world.newcomer();
    world.gather()?;
    for topic in TOPICS {
        let World { clients, history, random, .. } = world;
        clients[prober].publish(topic, Qos::AtLeastOnce, None, (0, 0), history, random);
    }
    world.gather()
}

/// Somebody new asks for all that is retained: topic by topic, for a mailbox may be small.
fn newcomer(world: &mut World) -> Result<Vec<String>, String> {
    let newcomer = world.newcomer();
    world.gather()?;
    for topic in check::retained_topics(&world.history) {
        let World { clients, history, random, .. } = world;
        clients[newcomer].subscribe(&topic, SubscriptionOptions::qos(Qos::AtLeastOnce), history, random);
        world.gather()?;
    }
    Ok(check::newcomer(&world.history, newcomer))
}
