//! What does a good configuration come to? Layers, units, and the file at the top level.

use std::path::{Path, PathBuf};

use hikyaku_server::config::{
    Backend, Config, ConfigSource, Durability, Flags, Inputs, Listener, Loaded, OnCorrupt, Origin, RetainedStorage,
    load, resolve,
};

fn resolved(yaml: &str, environment: &[(&str, &str)], flags: Flags) -> Loaded {
    let environment = environment.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    let file = Some(("config.yaml".into(), yaml.to_owned()));
    resolve(&Inputs { file, environment, flags }).unwrap_or_else(|errors| panic!("{errors}"))
}

fn config(yaml: &str) -> Config {
    resolved(yaml, &[], Flags::default()).config
}

fn product_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config.yaml")
}

/// What nobody writes is the default, whether the file is missing, empty, or only comments.
#[test]
fn what_is_absent_is_the_default() {
    assert_eq!(resolve(&Inputs::default()).unwrap().config, Config::default());
    for yaml in ["", "# nothing\n", "limits:\n", "storage:\n  # path: x\nlog:\n", "{}"] {
        assert_eq!(config(yaml), Config::default(), "{yaml:?}");
    }
    assert_eq!(resolved("# nothing\n", &[], Flags::default()).notes.len(), 1);
}

/// The file that the product ships says what it does without a file.
#[test]
fn the_file_at_the_top_is_the_defaults() {
    let text = std::fs::read_to_string(product_file()).unwrap();
    assert_eq!(config(&text), Config::default());
}

/// Every key stands in the shipped file, and what is commented out there can be switched on.
#[test]
fn the_file_at_the_top_names_every_key() {
    let text = std::fs::read_to_string(product_file()).unwrap();
    let everything = text
        .lines()
        .map(|line| {
            let bare = line.trim_start();
            let key = bare.strip_prefix("# ").unwrap_or_default().split(':').next().unwrap_or_default();
            let is_key = line != bare && !key.is_empty() && bare.contains(':') && !key.trim_start().contains(' ');
            if is_key { line.replacen("# ", "", 1) } else { line.to_owned() }
        })
        .collect::<Vec<_>>()
        .join("\n")
        .replace("durability: always", "durability: interval");
    let loaded = resolved(&everything, &[], Flags::default());
    let yaml = loaded.to_yaml();
    assert!(!yaml.contains("# default"), "not in config.yaml:\n{yaml}");
    assert_eq!(loaded.config.limits.session_expiry_max_secs, Some(7 * 86_400));
    assert_eq!(loaded.config.limits.keep_alive_max_secs, Some(3_600));
    assert_eq!(loaded.config.listeners[1].allow_anonymous, Some(true));
    assert!(loaded.config.storage.retained.is_some());
}

/// Defaults, then file, then environment, then flags; and each value knows whose it is.
#[test]
fn the_later_layer_wins() {
    let yaml = "storage:\n  path: ./file\n  backend: sqlite\n  durability: never\n";
    let environment = [("HIKYAKU__STORAGE__BACKEND", "memory"), ("HIKYAKU__STORAGE__DURABILITY", "interval")];
    let flags = Flags { durability: Some("always".into()), verbose: true, ..Flags::default() };
    let loaded = resolved(yaml, &environment, flags);
    let storage = &loaded.config.storage;
    assert_eq!(storage.path, Path::new("./file"));
    assert_eq!(storage.backend, Backend::Memory);
    assert_eq!(storage.durability, Durability::Always);
    assert!(loaded.config.log.verbose);
    assert_eq!(loaded.origin("storage.path"), Origin::File { line: 2, column: 9, length: 6 });
    assert_eq!(loaded.origin("storage.backend"), Origin::Environment("HIKYAKU__STORAGE__BACKEND".into()));
    assert_eq!(loaded.origin("storage.durability"), Origin::Flag("--durability"));
    assert_eq!(loaded.origin("limits.connections_max"), Origin::Default);
}

/// A number in a variable changes that entry and leaves its other keys and its neighbours alone.
#[test]
fn the_environment_changes_one_entry_of_a_list() {
    let yaml = "listeners:\n  - {bind: 0.0.0.0:1883, allow_anonymous: true}\n  - bind: 127.0.0.1:1884\n";
    let environment = [
        ("HIKYAKU__LISTENERS__0__BIND", "0.0.0.0:2883"),
        ("HIKYAKU__LISTENERS__2__BIND", "[::]:2884"),
        ("HIKYAKU__LISTENERS__2__ALLOW_ANONYMOUS", "true"),
    ];
    let listener = |bind: &str, allow| Listener { bind: bind.parse().unwrap(), allow_anonymous: allow };
    let expected =
        vec![listener("0.0.0.0:2883", Some(true)), listener("127.0.0.1:1884", None), listener("[::]:2884", Some(true))];
    assert_eq!(resolved(yaml, &environment, Flags::default()).config.listeners, expected);
}

/// Without a file a variable changes the default listeners, which stay two.
#[test]
fn the_environment_changes_the_default_listeners() {
    let variables = vec![("HIKYAKU__LISTENERS__1__BIND".to_owned(), "[::1]:1999".to_owned())];
    let loaded = resolve(&Inputs { environment: variables, ..Inputs::default() }).unwrap();
    let binds: Vec<String> = loaded.config.listeners.iter().map(|l| l.bind.to_string()).collect();
    assert_eq!(binds, ["127.0.0.1:1883", "[::1]:1999"]);
}

/// More than ten entries keep their order, which as text they would not.
#[test]
fn a_long_list_keeps_its_order() {
    let mut yaml = "listeners:\n".to_owned();
    for port in 2000..2012 {
        yaml.push_str(&format!("  - bind: 127.0.0.1:{port}\n"));
    }
    let ports: Vec<u16> = config(&yaml).listeners.iter().map(|l| l.bind.port()).collect();
    assert_eq!(ports, (2000..2012).collect::<Vec<_>>());
}

/// A list in the file, and --bind, replace the whole list below them.
#[test]
fn a_list_written_whole_replaces_the_list() {
    let yaml = "listeners:\n  - {bind: 0.0.0.0:1883, allow_anonymous: true}\n";
    assert_eq!(config(yaml).listeners.len(), 1);
    let flags = Flags { bind: vec!["127.0.0.1:7".into(), "127.0.0.1:8".into()], ..Flags::default() };
    let variables = [("HIKYAKU__LISTENERS__0__BIND", "127.0.0.1:9")];
    let loaded = resolved(yaml, &variables, flags);
    assert!(loaded.config.listeners.iter().all(|l| l.allow_anonymous.is_none() && l.bind.port() < 9));
    assert_eq!(loaded.config.listeners.len(), 2);
    let flags = Flags { bind: vec!["0.0.0.0:7".into()], allow_anonymous: true, ..Flags::default() };
    assert!(resolved("", &[], flags).config.listeners[0].anonymous_allowed());
}

/// A flag may change the durability of a file that also has a sync_interval.
#[test]
fn a_flag_overrides_the_file_without_taking_it_apart() {
    let yaml = "storage: {durability: interval, sync_interval: 200ms}\n";
    assert_eq!(config(yaml).storage.sync_interval_ms, 200);
    let flags = Flags { durability: Some("always".into()), ..Flags::default() };
    assert_eq!(resolved(yaml, &[], flags).config.storage.durability, Durability::Always);
}

/// Sizes and durations in each of their units.
#[test]
fn sizes_and_durations_have_units() {
    for (text, bytes) in [
        ("1024", 1 << 10),
        ("'1024'", 1 << 10),
        ("1_024", 1 << 10),
        ("64KiB", 1 << 16),
        ("1 MiB", 1 << 20),
        ("200B", 200),
    ] {
        assert_eq!(config(&format!("limits: {{packet_size_max: {text}}}")).limits.packet_size_max, bytes, "{text}");
    }
    let queue = config("limits: {queue_bytes_max: 2TiB}").limits.queue_bytes_max;
    assert_eq!(queue, 2 << 40);
    for (text, millis) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000)] {
        assert_eq!(config(&format!("limits: {{connect_timeout: {text}}}")).limits.connect_timeout_ms, millis, "{text}");
    }
    let limits = config("limits: {keep_alive_max: 65535s, session_expiry_max: 4294967294s}").limits;
    assert_eq!((limits.keep_alive_max_secs, limits.session_expiry_max_secs), (Some(65_535), Some(u32::MAX - 1)));
}

/// Windows line endings, a byte order mark and aliases read like anything else.
#[test]
fn files_of_other_editors_are_read() {
    let storage = config("\u{feff}storage:\r\n  backend: sqlite\r\n  path: ./data # here\r\n").storage;
    assert_eq!((storage.backend, storage.path), (Backend::Sqlite, PathBuf::from("./data")));
    let limits = config("limits:\n  inflight_bytes_max: &n 4_194_304\n  mailbox_bytes_max: *n\n").limits;
    assert_eq!((limits.inflight_bytes_max, limits.mailbox_bytes_max), (4 << 20, 4 << 20));
}

/// The log in front of an engine has a length that can be set.
#[test]
fn the_log_has_a_length() {
    assert_eq!(config("").storage.log_bytes_max, 256 << 20);
    assert_eq!(config("storage: {log_bytes_max: 16MiB}").storage.log_bytes_max, 16 << 20);
}

/// A damaged store may be put aside; unless it is written, it is not.
#[test]
fn a_damaged_store_is_put_aside_only_if_it_is_written() {
    assert_eq!(config("").storage.on_corrupt, OnCorrupt::Refuse);
    assert_eq!(config("storage: {on_corrupt: set-aside}").storage.on_corrupt, OnCorrupt::SetAside);
}

/// Retained messages may live elsewhere; in memory they need no path.
#[test]
fn retained_messages_may_live_elsewhere() {
    let retained = |yaml: &str| config(yaml).storage.retained;
    let elsewhere = RetainedStorage { backend: Backend::Sqlite, path: "./r".into() };
    assert_eq!(retained("storage: {retained: {backend: sqlite, path: ./r}}"), Some(elsewhere));
    assert_eq!(retained("storage: {retained: {backend: memory}}").unwrap().backend, Backend::Memory);
    // What storage.path says does not count when nothing lies there.
    assert!(retained("storage: {backend: memory, retained: {backend: redb, path: ./data}}").is_some());
}

/// What `hikyaku config` prints resolves to the same, and says where each value was written.
#[test]
fn the_printed_configuration_resolves_to_the_same() {
    let files = [
        "",
        "listeners:\n  - {bind: 0.0.0.0:1, allow_anonymous: true}\n  - bind: '[::1]:2'\n",
        "storage: {path: \"it's a \\\"dir\\\" # ü\", durability: interval, sync_interval: 1500ms}\n",
        "storage: {on_corrupt: set-aside, path: 'true', retained: {backend: sqlite, path: '~/x: y'}}\n",
        "limits: {packet_size_max: 1000, keep_alive_max: 90s, session_expiry_max: 14d}\n",
    ];
    for yaml in files {
        let loaded = resolved(yaml, &[], Flags { verbose: true, ..Flags::default() });
        let printed = loaded.to_yaml();
        assert_eq!(config(&printed), loaded.config, "{printed}");
        assert!(printed.contains("# --verbose") && printed.contains("# default"), "{printed}");
    }
}

/// Variables of others that merely begin alike do not stop the broker.
#[test]
fn variables_of_kubernetes_are_passed_over() {
    let variables = [("HIKYAKU_SERVICE_HOST", "10.0.0.1"), ("HIKYAKU_PORT", "tcp://10.0.0.1:1883")];
    assert_eq!(resolved("", &variables, Flags::default()).config, Config::default());
}

/// A file that was asked for must be there, be a file, and be text.
#[test]
fn a_file_that_was_asked_for_must_be_readable() {
    let dir = std::env::temp_dir().join(format!("hikyaku-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let binary = dir.join("binary.yaml");
    std::fs::write(&binary, b"log:\n  verbose: \xff\n").unwrap();
    let said = |path: &Path| {
        let flags = Flags { config: Some(path.to_owned()), ..Flags::default() };
        load(&flags).err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    assert!(said(&dir.join("none.yaml")).contains("none.yaml: there is no such file."));
    assert!(said(&dir).contains("this is a directory."));
    assert!(said(&binary).contains("binary.yaml:2:12: this byte is not UTF-8."), "{}", said(&binary));
    let good = dir.join("good.yaml");
    std::fs::write(&good, "log: {verbose: true}\n").unwrap();
    let loaded = load(&Flags { config: Some(good.clone()), ..Flags::default() }).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.source, ConfigSource::File(good));
    std::fs::remove_dir_all(&dir).unwrap();
}
