//! What does the broker say to a wrong configuration? One row per mistake.

use hikyaku_server::config::{ConfigErrors, Flags, Inputs, resolve};

fn errors(yaml: &str, environment: &[(&str, &str)], flags: Flags) -> Option<ConfigErrors> {
    let environment = environment.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    let file = Some(("config.yaml".into(), yaml.to_owned()));
    resolve(&Inputs { file, environment, flags }).err()
}

/// A file, and what the error must say; the place comes first.
const FILES: &[(&str, &[&str])] = &[
    // Words and types.
    (
        "storage:\n  backend: rebd\n",
        &[
            "config.yaml:2:12: storage.backend: \"rebd\" is not a backend. Write one of: redb, sqlite, memory. Did you mean redb?",
            "\n  2 |   backend: rebd\n    |            ^^^^",
        ],
    ),
    ("storage: {durability: allways}\n", &["config.yaml:1:23: storage.durability: ", "Did you mean always?"]),
    (
        "storage: {durability: 1}\n",
        &["1:23: storage.durability: \"1\" is not a durability. Write one of: always, interval, never."],
    ),
    (
        "storage: {on_corrupt: set_aside}\n",
        &[
            "1:23: storage.on_corrupt: \"set_aside\" is not a way. Write one of: refuse, set-aside. Did you mean set-aside?",
        ],
    ),
    ("storage: {log_bytes_max: 5KiB}\n", &["1:26: storage.log_bytes_max: "]),
    ("storage:\n  path:\n", &["2:7: storage.path: has no value. Write the path of a directory, like ./data."]),
    ("storage:\n  path: ''\n", &["2:9: storage.path: is empty."]),
    ("storage:\n  path: 7\n", &["2:9: storage.path: 7 is not a path. If you mean a directory, write ./7."]),
    ("storage:\n  path: [a, b]\n", &["2:9: storage.path: takes one value, not several."]),
    ("storage: redb\n", &["1:10: storage: takes keys of its own. Write them below it, like backend: redb."]),
    ("storage:\n  - backend: redb\n", &["2:3: storage: takes keys of its own."]),
    ("storage:\n  backend:redb\n", &["2:3: storage: takes keys, not \"backend:redb\". Put a space after the colon"]),
    ("log: {verbose: yes}\n", &["1:16: log.verbose: \"yes\" is neither true nor false. Write true or false."]),
    ("hello\n", &["1:1: the file holds keys, not a list or a word. Begin with listeners:"]),
    ("- bind: 127.0.0.1:1883\n", &["config.yaml:1:1: the file holds keys"]),
    // Names.
    ("storge:\n  backend: redb\n", &["1:1: storge: unknown key. Did you mean storage?"]),
    ("storage:\n  pth: ./data\n", &["2:3: storage.pth: unknown key. Did you mean path?"]),
    ("path: ./data\n", &["1:1: path: unknown key. It belongs elsewhere: storage.path or storage.retained.path."]),
    (
        "storage.path: ./data\n",
        &["1:1: storage.path: unknown key. Write it on two lines: storage: and, indented below it, path:."],
    ),
    ("listeners:\n  - port: 1883\n", &["2:5: listeners.0.port: unknown key. Write both in one: bind: 127.0.0.1:1883."]),
    ("limits: {receive-maximum: 5}\n", &["1:10: limits.receive-maximum: unknown key. Did you mean receive_maximum?"]),
    ("zzz: 1\n", &["1:1: zzz: unknown key. Known at the top: listeners, storage, limits, log."]),
    (
        "storage:\n  path: ./a\n  backend: redb\n  path: ./b\n",
        &["4:3: storage.path: written twice, first in line 2. Keep one."],
    ),
    // Numbers, sizes, durations.
    ("limits: {connections_max: 0}\n", &["1:27: limits.connections_max: is 0, which would let nothing through."]),
    ("limits: {connections_max: -5}\n", &["1:27: limits.connections_max: \"-5\" is not a whole number."]),
    ("limits: {connections_max: 1.5}\n", &["\"1.5\" is not a whole number. Write a whole number, like 1000."]),
    ("limits: {connections_max: many}\n", &["\"many\" is not a whole number"]),
    (
        "limits: {connections_max: 99999999999999999999}\n",
        &["1:27: limits.connections_max: \"99999999999999999999\" is too large."],
    ),
    (
        "limits: {packet_size_max: 64KB}\n",
        &["1:27: limits.packet_size_max: \"64KB\" is not a size. Write a size, like 64KiB"],
    ),
    ("limits: {packet_size_max: 1GiB}\n", &["\"1GiB\" is too large. Write 268435460 or less."]),
    ("limits: {packet_size_max: 5}\n", &["\"5\" is too small. Write 128 or more."]),
    ("limits: {receive_maximum: 65536}\n", &["\"65536\" is too large. Write 65535 or less."]),
    (
        "limits: {client_id_bytes_max: 22}\n",
        &["1:31: limits.client_id_bytes_max: \"22\" is too small. Write 23 or more."],
    ),
    (
        "limits: {connect_timeout: 10}\n",
        &["1:27: limits.connect_timeout: \"10\" has no unit. Write a duration, like 500ms, 10s or 1h."],
    ),
    ("limits: {connect_timeout: 0s}\n", &["1:27: limits.connect_timeout: is 0"]),
    ("limits: {connect_timeout: 2 weeks}\n", &["\"2 weeks\" is not a duration"]),
    ("limits: {connect_timeout: 2d}\n", &["\"2d\" is too large. Write 1d or less."]),
    ("limits: {keep_alive_max: 500ms}\n", &["1:26: limits.keep_alive_max: \"500ms\" is no whole number of seconds."]),
    ("limits: {keep_alive_max: 1d}\n", &["\"1d\" is too large. Write 65535s or less."]),
    // Listeners.
    ("listeners: []\n", &["1:12: listeners: there is none, so nobody could connect."]),
    ("listeners:\n", &["1:10: listeners: there is none"]),
    (
        "listeners: {bind: 127.0.0.1:1883}\n",
        &["1:12: listeners: is a list. Begin each entry with a dash: - bind: 127.0.0.1:1883."],
    ),
    ("listeners:\n  - 127.0.0.1:1883\n", &["2:5: listeners.0: takes keys, not \"127.0.0.1:1883\"."]),
    ("listeners:\n  -\n", &["listeners.0: is empty. Write bind: 127.0.0.1:1883 after the dash."]),
    ("listeners:\n  - allow_anonymous: true\n", &["2:5: listeners.0: has no address. Write bind: 127.0.0.1:1883."]),
    (
        "listeners:\n  - bind: localhost:1883\n",
        &[
            "2:11: listeners.0.bind: \"localhost:1883\" is not an address with a port. Write the number, not the name: 127.0.0.1:1883",
        ],
    ),
    (
        "listeners:\n  - bind: 1883\n",
        &[
            "2:11: listeners.0.bind: \"1883\" is not an address with a port. Add the address: 127.0.0.1:1883 for this machine only",
        ],
    ),
    ("listeners:\n  - bind: 127.0.0.1\n", &["Add the port: \"127.0.0.1:1883\"."]),
    ("listeners:\n  - bind: ::1:1883\n", &["Put IPv6 in brackets and quotes: \"[::1]:1883\"."]),
    ("listeners:\n  - bind: 127.0.0.1:70000\n", &["The port \"70000\" is not a number from 0 to 65535."]),
    (
        "listeners:\n  - bind: 0.0.0.0:1883\n",
        &["2:11: listeners.0.bind: 0.0.0.0:1883 can be reached from other machines, and nobody would have to log in. \
           Write allow_anonymous: true at this listener if you want that, else bind to 127.0.0.1:1883."],
    ),
    (
        "listeners:\n  - bind: \"[::]:1883\"\n    allow_anonymous: false\n",
        &["2:11: listeners.0.bind: [::]:1883 can be reached from other machines", "else bind to [::1]:1883."],
    ),
    (
        "listeners:\n  - bind: 127.0.0.1:1883\n    allow_anonymous: false\n",
        &["3:22: listeners.0.allow_anonymous: false lets nobody in"],
    ),
    (
        "listeners:\n  - bind: 127.0.0.1:1883\n  - bind: 127.0.0.1:1883\n",
        &["3:11: listeners.1.bind: listens on 127.0.0.1:1883, as listeners.0 does. Keep one of them."],
    ),
    (
        "listeners:\n  - {bind: 127.0.0.1:1883}\n  - {bind: 0.0.0.0:1883, allow_anonymous: true}\n",
        &["3:12: listeners.1.bind: 0.0.0.0:1883 and 127.0.0.1:1883 of listeners.0 share a port."],
    ),
    // Values that do not fit each other.
    (
        "storage:\n  sync_interval: 1s\n",
        &[
            "2:18: storage.sync_interval: does nothing with durability: always. Remove it, or write durability: interval.",
        ],
    ),
    (
        "storage:\n  path: ./data\n  retained: {backend: sqlite, path: data/}\n",
        &["3:37: storage.retained.path: is storage.path too, and two backends cannot share a directory."],
    ),
    (
        "storage:\n  retained: {backend: redb, path: ./data}\n",
        &["2:35: storage.retained.path: is storage.path, where retained messages are anyway."],
    ),
    ("storage:\n  retained: {path: ./r}\n", &["storage.retained: has no backend."]),
    ("storage:\n  retained: {backend: sqlite}\n", &["storage.retained: has no path. Write path: ./retained."]),
    ("storage:\n  retained:\n", &["2:11: storage.retained: has no backend."]),
    (
        "limits:\n  inflight_bytes_max: 64KiB\n",
        &[
            "2:23: limits.inflight_bytes_max: 64KiB cannot hold a packet of 1MiB (limits.packet_size_max). Write 1MiB or more",
        ],
    ),
    (
        "limits:\n  packet_size_max: 32MiB\n",
        &[
            "2:20: limits.packet_size_max: a packet of 32MiB is more than limits.inflight_bytes_max holds (16MiB by default).",
            "limits.mailbox_bytes_max holds (16MiB by default)",
        ],
    ),
    // What is not YAML.
    ("storage:\n\tbackend: redb\n", &["config.yaml:2:2: this is not YAML: tabs disallowed", "Indent with spaces."]),
    (
        "listeners:\n  - bind: [::1]:1883\n",
        &["2:16: this is not YAML", "Put an IPv6 address in quotes: bind: \"[::1]:1883\"."],
    ),
    ("storage:\n  path: 'x\n", &["2:9: this is not YAML: unclosed quote. Close the quote."]),
    (
        "storage:\n  backend: redb\n   path: x\n",
        &[
            "3:8: this is not YAML: mapping values are not allowed",
            "Give keys of one section the same number of spaces",
        ],
    ),
    ("---\nlog:\n---\nlog:\n", &["this is not YAML: multiple YAML documents detected. Remove the line ---."]),
    ("storage:\n  path: @home\n", &["2:9: this is not YAML: unexpected character", "Put the value in single quotes."]),
    ("log: {verbose: true\nstorage:\n", &["this is not YAML", "Close the bracket."]),
    (
        "storage:\n  path: *nowhere\n",
        &["2:9: this is not YAML: alias references unknown anchor. Write the value itself."],
    ),
    ("~: 1\n", &["1:1: this is not YAML", "Write a plain name before the colon."]),
];

/// Each row of the table is refused with the words beside it, and every problem has a place.
#[test]
fn a_broken_file_says_where_it_is_broken_and_what_to_write() {
    let mut failures = String::new();
    for (yaml, expected) in FILES {
        let said = errors(yaml, &[], Flags::default()).map_or_else(|| "good".into(), |e| e.to_string());
        for words in expected.iter().chain(&["config.yaml:"]) {
            if !said.contains(words) {
                failures.push_str(&format!("for\n{yaml}expected {words}\nsaid     {said}\n\n"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// A mistake is one problem: nothing follows from it that the operator did not write.
#[test]
fn one_mistake_is_one_problem() {
    for (yaml, expected) in FILES {
        let count = errors(yaml, &[], Flags::default()).map_or(0, |errors| errors.count());
        // A large packet has a problem with each limit it does not fit.
        let allowed = if yaml.contains("packet_size_max: 32MiB") { 2 } else { 1 };
        assert_eq!(count, allowed, "for\n{yaml}\n{expected:?}");
    }
}

/// Variables, and what the error must say; it begins with the name of the variable.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("HIKYAKU__STORAGE__BACKEND", "rebd", "HIKYAKU__STORAGE__BACKEND: storage.backend: \"rebd\" is not a backend."),
    ("HIKYAKU__STORAGE__PATH", "", "HIKYAKU__STORAGE__PATH: storage.path: is empty."),
    ("HIKYAKU__STORGE__PATH", "./x", "HIKYAKU__STORGE__PATH: storge: unknown key. Did you mean storage?"),
    (
        "HIKYAKU__STORAGE",
        "redb",
        "HIKYAKU__STORAGE: storage: takes no value itself. Set a key of it, like HIKYAKU__STORAGE__BACKEND.",
    ),
    ("HIKYAKU__LISTENERS", "127.0.0.1:1", "HIKYAKU__LISTENERS: listeners: is a list. Set HIKYAKU__LISTENERS__0__BIND"),
    (
        "HIKYAKU__LISTENERS__FIRST__BIND",
        "127.0.0.1:1",
        "HIKYAKU__LISTENERS__FIRST__BIND: listeners: \"first\" is not the number of an entry.",
    ),
    (
        "HIKYAKU__LISTENERS__4__BIND",
        "127.0.0.1:1",
        "HIKYAKU__LISTENERS__4__BIND: listeners.4: there is no listeners.2 before it.",
    ),
    ("HIKYAKU__LISTENERS__0__BIND", "0.0.0.0:1883", "Set HIKYAKU__LISTENERS__0__ALLOW_ANONYMOUS=true if you want that"),
    (
        "HIKYAKU__LISTENERS__2__ALLOW_ANONYMOUS",
        "true",
        "HIKYAKU__LISTENERS__2__ALLOW_ANONYMOUS: listeners.2: has no address.",
    ),
    (
        "HIKYAKU_STORAGE_PATH",
        "./x",
        "HIKYAKU_STORAGE_PATH: is not read, because levels are parted by two underscores. Set HIKYAKU__STORAGE__PATH.",
    ),
];

/// Errors of the environment name the variable.
#[test]
fn a_broken_variable_is_named() {
    for (name, value, expected) in VARIABLES {
        let Some(errors) = errors("", &[(name, value)], Flags::default()) else {
            panic!("accepted {name}={value}");
        };
        let said = errors.to_string();
        assert!(said.contains(expected), "expected {expected:?}\nsaid     {said}");
        assert!(said.starts_with(name) && errors.count() == 1, "{said}");
    }
}

/// Errors of the command line name the flag.
#[test]
fn a_broken_flag_is_named() {
    let flags = Flags {
        bind: vec!["0.0.0.0:1883".into()],
        backend: Some("rocks".into()),
        durability: Some("somtimes".into()),
        storage_path: Some(String::new()),
        ..Flags::default()
    };
    let said = errors("", &[], flags).map(|errors| errors.to_string()).unwrap_or_default();
    for expected in [
        "--bind: listeners.0.bind: 0.0.0.0:1883 can be reached",
        "Add --allow-anonymous if you want that, else bind to 127.0.0.1:1883.",
        "--backend: storage.backend: \"rocks\" is not a backend.",
        "--durability: storage.durability: \"somtimes\" is not a durability.",
        "--storage-path: storage.path: is empty.",
    ] {
        assert!(said.contains(expected), "expected {expected:?}\nsaid     {said}");
    }
}

/// Every problem of every layer is in one answer, the file from top to bottom first.
#[test]
fn all_problems_come_at_once() {
    let yaml =
        "listeners:\n  - bind: 0.0.0.0:1883\nstorage:\n  backend: rebd\n  size: 3\nlimits:\n  connections_max: 0\n";
    let flags = Flags { durability: Some("x".into()), ..Flags::default() };
    let errors = errors(yaml, &[("HIKYAKU__LOG__VERBOSE", "2")], flags);
    let Some(errors) = errors else { panic!("accepted") };
    assert_eq!(errors.count(), 6, "{errors}");
    let said = errors.to_string();
    let places = [
        "config.yaml:2:11",
        "config.yaml:4:12",
        "config.yaml:5:3",
        "config.yaml:7:20",
        "HIKYAKU__LOG__VERBOSE: ",
        "--durability: ",
    ];
    let found: Vec<_> = places.iter().map(|place| said.find(place)).collect();
    assert!(found.is_sorted() && found.iter().all(Option::is_some), "{said}");
}

/// The caret stands below the value also behind letters that take several bytes, and in long lines.
#[test]
fn the_caret_stands_below_the_mistake() {
    let said = |yaml: &str| errors(yaml, &[], Flags::default()).map(|e| e.to_string()).unwrap_or_default();
    let umlaut = said("storage: {path: \"./dätä\", backend: rebd}\r\n");
    assert!(
        umlaut.ends_with(
            "\n  1 | storage: {path: \"./dätä\", backend: rebd}\n    |                                    ^^^^"
        ),
        "{umlaut}"
    );
    let long = said(&format!("storage: {{path: ./{}, backend: rebd}}\n", "x".repeat(500)));
    let lines: Vec<&str> = long.lines().collect();
    let column = lines[2].find('^').unwrap();
    assert_eq!(&lines[1][column..column + 4], "rebd", "{long}");
    assert!(lines.iter().skip(1).all(|line| line.len() < 120), "{long}");
}

/// Whatever is cut out of the file, the answer is an error or a configuration, never a panic.
#[test]
fn no_cut_panics() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config.yaml")).unwrap();
    for at in (0..text.len()).step_by(31) {
        let cut = format!("{}{}", &text[..at], &text[(at + 3).min(text.len())..]);
        for yaml in [&text[..at], &cut] {
            if let Some(errors) = errors(yaml, &[], Flags::default()) {
                assert!(!errors.to_string().is_empty());
            }
        }
    }
}
