//! The disk is full: nothing acknowledged is lost, what needs the store is refused, the rest goes on, and when there is room
//! again the broker goes on without a restart.

use crate::load::{Load, Outcome, QUOTA_EXCEEDED, judge, lay_to_sleep, logged};
use crate::with_backends;
use hikyaku_tests::raw::{Client, Connect, Kind, Publish};
use hikyaku_tests::{Broker, Options, SmallDisk};
use std::process::Command;
use std::time::Duration;

/// Room for the store as it begins, and for a few thousand messages.
const DISK_BYTES: u64 = 24 << 20;

/// So little that neither engine can write any page of its file or log.
const LIMIT_BYTES: &str = "4096";

/// A disk that can be filled: a small one, or where mounting is not allowed a limit for the size of a file.
enum Disk {
    Mounted(SmallDisk),
    Limited,
}

impl Disk {
    fn fill(&self, broker: &Broker) {
        match self {
            Self::Mounted(disk) => disk.fill(),
            Self::Limited => limit(broker, LIMIT_BYTES),
        }
    }

    fn free(&self, broker: &Broker) {
        match self {
            Self::Mounted(disk) => disk.free(),
            Self::Limited => limit(broker, "unlimited"),
        }
    }
}

/// Sets how large a file of the broker may become.
fn limit(broker: &Broker, bytes: &str) {
    let (pid, size) = (broker.pid().to_string(), format!("--fsize={bytes}:unlimited"));
    assert!(Command::new("prlimit").args(["--pid", &pid, &size]).status().unwrap().success());
}

fn start(backend: &str) -> (Disk, Broker) {
    match SmallDisk::mount(DISK_BYTES) {
        Some(disk) => {
            let broker = Options::backend(backend).data(&disk.path().join("data")).start();
            (Disk::Mounted(disk), broker)
        }
        None => (Disk::Limited, limited(backend)),
    }
}

/// A broker to which the signal of the limit is nothing, so that the write fails. Its log goes through another process, to
/// which the limit does not apply.
fn limited(backend: &str) -> Broker {
    under_limit(Options::backend(backend), "unlimited").start()
}

fn under_limit(options: Options, bytes: &str) -> Options {
    let limit = format!("prlimit --pid $$ --fsize={bytes}:unlimited");
    let script = format!("trap '' XFSZ; exec 2> >(exec cat >&2); {limit}; exec \"$@\"");
    options.under(["bash", "-c", &script, "bash"])
}

fn full_disk_refuses_and_goes_on(backend: &str) {
    let (disk, broker) = start(backend);
    goes_through(disk, broker);
}

/// The same with a limit of the file's size in place of a small disk, as where mounting is not allowed.
fn full_file_refuses_and_goes_on(backend: &str) {
    goes_through(Disk::Limited, limited(backend));
}

fn goes_through(disk: Disk, mut broker: Broker) {
    lay_to_sleep(&broker);
    let (mut first, mut others) = (Load::begin(&broker, "first"), Vec::new());
    let mut bystanders = Bystanders::new(&broker);
    for _ in 0..20 {
        first.must_be(Outcome::Acknowledged, 2_000);
    }
    disk.fill(&broker);
    let taken = fill_the_file(&broker, &mut first, &mut others);
    let said = logged(&broker, 0, "is refused");
    assert!(said.contains("ERROR") && said.contains(&broker.file().display().to_string()), "the file is named: {said}");
    assert!(said.contains("Try: make room on the disk"), "what to do is named: {said}");
    bystanders.while_it_is_full();
    let log = broker.log();
    let count = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(count("ERROR"), count("the store works again") + 1, "one line says it, each time");

    let full = broker.log().len();
    disk.free(&broker);
    let said = logged(&broker, full, "the store works again");
    assert!(said.contains(&broker.file().display().to_string()), "{said}");
    others.push(first);
    for load in &mut others {
        load.settle();
        for _ in 0..10 {
            load.must_be(Outcome::Acknowledged, 2_000);
        }
    }
    bystanders.when_there_is_room();
    println!("{taken} messages taken into the full file");
    judge(&mut broker, others);
    Bystanders::after_a_restart(&broker);
}

/// Publishes until the store takes no more; gives how many it has taken. What the file has left over is used first, and
/// SQLite may open its file once more and find some. Answers keep their order, so that a refusal behind a message without an
/// answer is not seen: each such publisher stays as it is, and another one goes on.
fn fill_the_file(broker: &Broker, first: &mut Load, others: &mut Vec<Load>) -> usize {
    let mut taken = 0;
    while first.publish(20_000) != Outcome::Silence {
        taken += 1;
        assert!(taken < 3_000, "the disk is full, and the broker acknowledges");
    }
    let mut refusals = 0;
    others.push(Load::begin_clean(broker, "other-0"));
    // For longer than it takes until the store has been tried again.
    while refusals < 25 {
        assert!(others.len() < 50, "the store takes no more, and refuses nothing");
        let number = others.len();
        match others[number - 1].publish(20_000) {
            Outcome::Refused => {
                refusals += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            Outcome::Acknowledged => (taken, refusals) = (taken + 1, 0),
            Outcome::Silence => {
                refusals = 0;
                others.push(Load::begin_clean(broker, &format!("other-{number}")));
            }
        }
    }
    taken
}

/// Clients who do other things than to publish for the sleeper.
struct Bystanders {
    v5: Client,
    v311: Client,
    live: Client,
}

impl Bystanders {
    fn new(broker: &Broker) -> Self {
        let mut v5 = Connect::v5("v5").durable().ok(broker);
        v5.subscribe("before", 1);
        let mut live = Connect::v311("live").ok(broker);
        live.subscribe("live", 1);
        Self { v5, v311: Connect::v311("v311").ok(broker), live }
    }

    fn while_it_is_full(&mut self) {
        assert_eq!(self.v5.subscribe_many(&[("while", 1)], &[]).codes, [QUOTA_EXCEEDED]);
        assert_eq!(self.v5.unsubscribe("before").codes, [0x83]);
        self.v311.send_publish(Publish::new("load", "not taken", 1));
        assert_eq!(self.v311.closed(), None, "3.1.1 has no word for it");
        for qos in [0, 1] {
            self.live.send_publish(Publish::new("live", "goes on", qos));
            assert_eq!(self.live.wait(Kind::Publish).text(), "goes on");
        }
        self.live.ping();
    }

    fn when_there_is_room(&mut self) {
        assert_eq!(self.v5.subscribe_many(&[("after", 1)], &[]).codes, [1]);
        assert!(self.v5.publish(Publish::new("while", "not subscribed", 1)) < 0x80);
        assert!(self.v5.publish(Publish::new("before", "before", 1)) < 0x80);
        assert!(self.v5.publish(Publish::new("after", "after", 1)) < 0x80);
        assert_eq!(self.v5.texts_until("after"), ["before"]);
    }

    fn after_a_restart(broker: &Broker) {
        let mut v5 = Connect::v5("v5").durable().resume(broker);
        for topic in ["while", "before", "after"] {
            v5.publish(Publish::new(topic, format!("{topic} again"), 1));
        }
        // What the client has acknowledged just before the kill may come once more.
        let mut texts = v5.texts_until("after again");
        texts.retain(|text| text.ends_with(" again"));
        assert_eq!(texts, ["before again"], "subscriptions are as they were answered");
    }
}

/// The end comes while the disk is full.
fn kill_9_while_it_is_full_loses_nothing(backend: &str) {
    let (disk, mut broker) = start(backend);
    lay_to_sleep(&broker);
    let (mut first, mut others) = (Load::begin(&broker, "first"), Vec::new());
    first.must_be(Outcome::Acknowledged, 2_000);
    disk.fill(&broker);
    fill_the_file(&broker, &mut first, &mut others);
    others.push(first);
    broker.kill9();
    if let Disk::Mounted(disk) = &disk {
        disk.free();
    }
    judge(&mut broker, others);
}

/// A broker that finds its disk full at the start, and then gets room.
fn full_disk_at_the_start_keeps_everything(backend: &str) {
    let Some(disk) = SmallDisk::mount(DISK_BYTES) else {
        // A limit of the file's size is what there is.
        return full_file_at_the_start_keeps_everything(backend);
    };
    let mut broker = Options::backend(backend).data(&disk.path().join("data")).start();
    let load = stock(&mut broker);
    disk.fill();
    if !broker.starts() {
        let said = broker.log();
        assert!(said.contains(&disk.path().display().to_string()) && said.contains("no space"), "{said}");
    }
    disk.free();
    judge(&mut broker, vec![load]);
}

fn full_file_at_the_start_keeps_everything(backend: &str) {
    let mut broker = limited(backend);
    let load = stock(&mut broker);
    broker.change(|options| under_limit(options, LIMIT_BYTES));
    if broker.starts() {
        limit(&broker, "unlimited");
    }
    broker.change(|options| options.under([]));
    judge(&mut broker, vec![load]);
}

/// Lets some messages wait, and kills the broker.
fn stock(broker: &mut Broker) -> Load {
    lay_to_sleep(broker);
    let mut load = Load::begin(broker, "first");
    for _ in 0..20 {
        load.must_be(Outcome::Acknowledged, 2_000);
    }
    load.settle();
    broker.kill9();
    load
}

with_backends! {
    full_disk_refuses_and_goes_on
    full_file_refuses_and_goes_on
    kill_9_while_it_is_full_loses_nothing
    full_disk_at_the_start_keeps_everything
    full_file_at_the_start_keeps_everything
}
