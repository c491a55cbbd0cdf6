//! Does the broker keep its promise, whatever happens in whatever order?
//!
//! A simulator of the core: one thread, a clock that it sets, and one seed that decides everything. Model clients connect,
//! publish, subscribe, lose their connections and take them over; bytes arrive cut anywhere; the journal goes step by step;
//! the broker dies between any two steps and comes back from a store that has forgotten what was not synced. Checkers that
//! have seen only the clients' packets judge what came of it.
//!
//! `HIKYAKU_SEED=n cargo test -p hikyaku-broker --test simulation` plays a seed again; with `HIKYAKU_LOG=1` it shows all of
//! its events.

mod check;
mod client;
mod deeds;
mod disk;
mod history;
mod random;
mod rest;
mod shell;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use disk::Fault;
use hikyaku_types::{Qos, SubscriptionOptions};
use world::World;

/// Seeds of an ordinary run.
const SEEDS: u64 = 800;

/// A seed from its beginning to its end.
fn live(world: &mut World) -> Result<(), String> {
    let steps = 200 + world.random.below(1000);
    world.storm(steps)?;
    world.wait_for_wills()?;
    world.gather()?;
    probe(world)?;
    let mut broken = check::check(&world.history, &world.clients);
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

/// A last message to every topic.
fn probe(world: &mut World) -> Result<(), String> {
    let prober = world.newcomer();
    world.gather()?;
    for topic in deeds::TOPICS {
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
    Ok(check::retained(&world.history, newcomer))
}

/// Plays a seed; gives what is wrong and its last events.
fn play(seed: u64, fault: Fault, with_log: bool) -> Result<(), (String, String)> {
    let mut world = World::new(seed, fault, with_log);
    let outcome = catch_unwind(AssertUnwindSafe(|| live(&mut world)));
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(what)) => Err((what, world.history.log())),
        Err(_) => Err(("a panic".to_owned(), world.history.log())),
    }
}

#[test]
fn the_broker_keeps_its_promise_whatever_happens() {
    let asked = std::env::var("HIKYAKU_SEED").ok().and_then(|seed| seed.parse().ok());
    let count = std::env::var("HIKYAKU_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(SEEDS);
    let seeds = asked.map_or(1..=count, |seed| seed..=seed);
    let failed: Vec<(u64, String)> =
        seeds.filter_map(|seed| Some((seed, play(seed, Fault::None, false).err()?.0))).collect();
    let Some((first, what)) = failed.first() else { return };
    let log = play(*first, Fault::None, true).err().map(|(_, log)| log).unwrap_or_default();
    let all: String = failed.iter().map(|(seed, what)| format!("HIKYAKU_SEED={seed}: {what}\n")).collect();
    panic!("\n{all}\nThe last events of seed {first}:\n{log}\n{what}\n");
}

/// Whether a seed that passes without the fault fails with it.
fn is_found(fault: Fault) {
    let finds = |seed: &u64| play(*seed, fault, false).is_err() && play(*seed, Fault::None, false).is_ok();
    assert!((1..=200).any(|seed| finds(&seed)), "{fault:?} was not found");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    is_found(Fault::CommitFirst);
}

#[test]
fn a_batch_that_is_not_written_is_found() {
    is_found(Fault::DropBatch);
}

#[test]
fn a_missing_sync_is_found() {
    is_found(Fault::NoSync);
}
