//! Many sessions with messages come back soon after `kill -9`; `bin/boot` proves it with a hundred thousand.

use crate::with_backends;
use hikyaku_tests::Options;
use hikyaku_tests::crowd::Crowd;
use std::time::Duration;

fn many_sessions_come_back_soon(backend: &str) {
    let mut broker = Options::backend(backend).start();
    let crowd = Crowd { sessions: 10_000, own_topics: true, each: 10 };
    crowd.park(&broker, 0..crowd.sessions, |connect| connect);
    crowd.fill(&broker);
    broker.kill9();
    broker.forget_cache();
    let ready = broker.restart();
    let memory = broker.peak_bytes();
    println!("ready in {ready:?}, {} MiB", memory >> 20);
    assert!(ready < Duration::from_secs(10), "ready in {ready:?}");
    assert!(memory < 100 << 20, "{memory} bytes of memory");
    crowd.resume(&broker, 100);
}

with_backends! {
    many_sessions_come_back_soon
}
