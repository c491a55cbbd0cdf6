//! Which keys are there, and what does each take? One table for file, environment and flags.

/// One key and what belongs to it.
pub(super) struct Key {
    pub name: &'static str,
    pub shape: Shape,
}

/// What stands at a key.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Keys below it.
    Section(&'static [Key]),
    /// A list whose entries all have these keys.
    List(&'static [Key]),
    /// One value.
    Leaf(Kind),
}

/// What one value may be. Bounds are inclusive.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Address,
    Flag,
    Path,
    /// One of a few words; `noun` names what they are.
    Word {
        noun: &'static str,
        words: &'static [&'static str],
    },
    /// Bytes.
    Size {
        min: u64,
        max: u64,
    },
    Count {
        min: u64,
        max: u64,
    },
    /// A duration, kept in milliseconds.
    Millis {
        max: u64,
    },
    /// A duration of whole seconds.
    Seconds {
        max: u64,
    },
}

pub(super) static ROOT: &[Key] = &[
    Key { name: "listeners", shape: Shape::List(LISTENER) },
    Key { name: "storage", shape: Shape::Section(STORAGE) },
    Key { name: "limits", shape: Shape::Section(LIMITS) },
    Key { name: "log", shape: Shape::Section(LOG) },
];

static LISTENER: &[Key] = &[leaf("bind", Kind::Address), leaf("allow_anonymous", Kind::Flag)];

static STORAGE: &[Key] = &[
    leaf("backend", BACKEND),
    leaf("path", Kind::Path),
    leaf("durability", DURABILITY),
    leaf("sync_interval", Kind::Millis { max: DAY_MS }),
    leaf("log_bytes_max", Kind::Size { min: 1 << 20, max: 1 << 40 }),
    leaf("on_corrupt", ON_CORRUPT),
    Key { name: "retained", shape: Shape::Section(RETAINED) },
];

static RETAINED: &[Key] = &[leaf("backend", BACKEND), leaf("path", Kind::Path)];

static LIMITS: &[Key] = &[
    count("connections_max"),
    leaf("packet_size_max", Kind::Size { min: 128, max: LARGEST_PACKET }),
    leaf("connect_timeout", Kind::Millis { max: DAY_MS }),
    // [MQTT-3.1.3-5] a server must take client ids of 23 bytes.
    leaf("client_id_bytes_max", Kind::Size { min: 23, max: U16 }),
    leaf("receive_maximum", Kind::Count { min: 1, max: U16 }),
    leaf("inflight_messages_max", Kind::Count { min: 1, max: U16 }),
    size("inflight_bytes_max"),
    count("queue_messages_max"),
    size("queue_bytes_max"),
    count("mailbox_messages_max"),
    leaf("mailbox_bytes_max", Kind::Size { min: 1, max: 1 << 31 }),
    size("output_buffer_bytes_max"),
    leaf("topic_alias_maximum", Kind::Count { min: 1, max: U16 }),
    count("subscriptions_max"),
    count("filters_per_packet_max"),
    leaf("topic_levels_max", Kind::Count { min: 1, max: U16 }),
    count("user_properties_max"),
    count("retained_messages_max"),
    size("retained_bytes_max"),
    leaf("keep_alive_max", Kind::Seconds { max: U16 }),
    // The largest value of the protocol means "never", so it is no limit.
    leaf("session_expiry_max", Kind::Seconds { max: u32::MAX as u64 - 1 }),
    size("journal_bytes_max"),
];

static LOG: &[Key] = &[leaf("verbose", Kind::Flag)];

const BACKEND: Kind = Kind::Word { noun: "backend", words: &["redb", "sqlite", "memory"] };
const DURABILITY: Kind = Kind::Word { noun: "durability", words: &["always", "interval", "never"] };
const ON_CORRUPT: Kind = Kind::Word { noun: "way", words: &["refuse", "set-aside"] };

const U16: u64 = u16::MAX as u64;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// One byte of type, four of length, and the longest remaining length of the protocol.
const LARGEST_PACKET: u64 = 5 + 268_435_455;
/// The largest whole number that every layer carries without loss.
const LARGEST: u64 = i64::MAX as u64;

const fn leaf(name: &'static str, kind: Kind) -> Key {
    Key { name, shape: Shape::Leaf(kind) }
}

const fn count(name: &'static str) -> Key {
    leaf(name, Kind::Count { min: 1, max: LARGEST })
}

const fn size(name: &'static str) -> Key {
    leaf(name, Kind::Size { min: 1, max: LARGEST })
}

impl Kind {
    /// What to write here, as the last sentence of an error.
    pub(super) fn advice(self) -> String {
        match self {
            Self::Address => "Write an address and a port, like 127.0.0.1:1883 or \"[::1]:1883\".".into(),
            Self::Flag => "Write true or false.".into(),
            Self::Path => "Write the path of a directory, like ./data.".into(),
            Self::Word { words, .. } => format!("Write one of: {}.", words.join(", ")),
            Self::Size { .. } => "Write a size, like 64KiB, 1MiB or 1048576.".into(),
            Self::Count { .. } => "Write a whole number, like 1000.".into(),
            Self::Millis { .. } => "Write a duration, like 500ms, 10s or 1h.".into(),
            Self::Seconds { .. } => "Write a duration, like 90s, 1h or 7d.".into(),
        }
    }
}

/// The key of that name.
pub(super) fn find<'a>(keys: &'a [Key], name: &str) -> Option<&'a Key> {
    keys.iter().find(|key| key.name == name)
}

/// What to write instead of a name that is not there.
pub(super) fn suggestion(keys: &'static [Key], section: &str, name: &str) -> String {
    if let Some(near) = nearest(name, keys.iter().map(|key| key.name)) {
        return format!("Did you mean {near}?");
    }
    if find(keys, "bind").is_some() && matches!(name, "port" | "host" | "address") {
        return "Write both in one: bind: 127.0.0.1:1883.".into();
    }
    if let Some((above, below)) = name.split_once('.') {
        return format!("Write it on two lines: {above}: and, indented below it, {below}:.");
    }
    let mut homes = Vec::new();
    collect_homes(ROOT, "", name, &mut homes);
    if !homes.is_empty() {
        return format!("It belongs elsewhere: {}.", homes.join(" or "));
    }
    let place = if section.is_empty() { "at the top" } else { "here" };
    format!("Known {place}: {}.", names(keys).join(", "))
}

/// The nearest of some names, if one is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn names(keys: &'static [Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

fn collect_homes(keys: &'static [Key], prefix: &str, name: &str, homes: &mut Vec<String>) {
    for key in keys {
        let path = join(prefix, key.name);
        if key.name == name {
            homes.push(path.clone());
        }
        match key.shape {
            Shape::Section(below) => collect_homes(below, &path, name, homes),
            Shape::List(below) => collect_homes(below, &join(&path, "0"), name, homes),
            Shape::Leaf(_) => {}
        }
    }
}

/// `storage` and `path` make `storage.path`.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}
