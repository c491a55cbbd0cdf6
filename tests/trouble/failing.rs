//! The disk fails: a write or a sync ends with an error. What was appended waits without an answer, the store is opened again,
//! and nothing acknowledged is lost, also not by a kill right after it.

use crate::load::{Load, Outcome, count, judge, lay_to_sleep, logged};
use crate::with_backends;
use hikyaku_tests::{Broker, Options, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A broker whose disk fails when it is told to.
struct Failing {
    broker: Broker,
    switch: PathBuf,
    directory: PathBuf,
}

impl Failing {
    fn start(backend: &str) -> Self {
        let name = format!("hikyaku-failing-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let (library, switch, data) = (directory.join("fault.so"), directory.join("switch"), directory.join("data"));
        compile(&library);
        let variable = |name: &str, path: &Path| format!("{name}={}", path.display());
        let variables =
            [variable("LD_PRELOAD", &library), variable("FAULT_DIR", &data), variable("FAULT_SWITCH", &switch)];
        let wrapper = ["env"].into_iter().chain(variables.iter().map(String::as_str));
        let broker = Options::backend(backend).data(&data).under(wrapper).start();
        Self { broker, switch, directory }
    }

    fn fail(&self, what: &str) {
        // In one step, so that the broker never sees an empty switch.
        let new = self.switch.with_extension("new");
        fs::write(&new, what).unwrap();
        fs::rename(new, &self.switch).unwrap();
    }

    fn mend(&self) {
        fs::remove_file(&self.switch).unwrap();
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.broker.kill9();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn compile(library: &Path) {
    let source = tools::here().join("trouble/fault.c");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(library).arg(source).arg("-ldl");
    let output = command.output().expect("cc; tests/run installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Fails again and again in the given way, with a load before, while and after.
fn fails(backend: &str, what: &str, killed: bool) {
    let mut failing = Failing::start(backend);
    lay_to_sleep(&failing.broker);
    let mut loads = vec![Load::begin(&failing.broker, "steady")];
    for round in 0..4 {
        for _ in 0..10 {
            loads[0].must_be(Outcome::Acknowledged, 500);
        }
        let before = failing.broker.log().len();
        failing.fail(what);
        let name = format!("{what}-{round}");
        let mut load = Load::begin_clean(&failing.broker, &name);
        load.must_be(Outcome::Silence, 500);
        let said = logged(&failing.broker, before, "is refused");
        assert!(said.contains(&failing.broker.file().display().to_string()), "the file is named: {said}");
        assert!(said.contains("health"), "what to do is named: {said}");
        let mut refused = Load::begin_clean(&failing.broker, &format!("late-{round}"));
        refused.must_be(Outcome::Refused, 500);
        loads.extend([load, refused]);
        if killed {
            continue_after_a_kill(&mut failing, &mut loads);
            continue;
        }
        failing.mend();
        logged(&failing.broker, before, "the store works again");
        loads.iter_mut().for_each(Load::settle);
    }
    if !killed {
        assert_eq!(count(&failing.broker, "ERROR"), 4, "one line for each time");
    }
    judge(&mut failing.broker, loads);
}

/// The broker is killed while its disk fails, and starts when it is mended.
fn continue_after_a_kill(failing: &mut Failing, loads: &mut [Load]) {
    failing.broker.kill9();
    failing.mend();
    failing.broker.restart();
    loads[0].reconnect(&failing.broker);
}

fn failed_sync(backend: &str) {
    fails(backend, "sync", false);
}

fn failed_write(backend: &str) {
    fails(backend, "write", false);
}

fn torn_write(backend: &str) {
    fails(backend, "torn", false);
}

fn failed_sync_and_kill_9(backend: &str) {
    fails(backend, "sync", true);
}

fn torn_write_and_kill_9(backend: &str) {
    fails(backend, "torn", true);
}

with_backends! {
    failed_sync
    failed_write
    torn_write
    failed_sync_and_kill_9
    torn_write_and_kill_9
}
