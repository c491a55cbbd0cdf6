//! What stands in the file, and where? A tree of names and values that remember their place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use super::problem::{Origin, Problem};

/// A value of any layer and where it was written.
pub(super) struct Node {
    pub origin: Origin,
    pub value: Tree,
}

/// What a node holds.
pub(super) enum Tree {
    Nothing,
    Scalar { text: String, look: Look },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// What YAML takes an unquoted word for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Text,
    Number,
    Bool,
}

/// A key and its value.
pub(super) struct Entry {
    pub name: String,
    pub origin: Origin,
    pub node: Node,
}

/// Reads YAML. What it cannot read is one problem, because nothing after it is certain.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        // Kept, so that each is reported beside the other problems.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options)
        .map(|raw| node(raw, text))
        .map_err(|error| syntax_problem(&error, text))
}

fn syntax_problem(error: &serde_saphyr::Error, text: &str) -> Problem {
    let origin = error.location().map_or(Origin::Default, |location| place(&location));
    let line = match origin {
        Origin::File { line, .. } => text.lines().nth(line.saturating_sub(1)).unwrap_or_default(),
        _ => "",
    };
    let reason = error.to_string();
    // The place is said already.
    let reason = reason.split(" at line ").next().unwrap_or_default();
    let reason = reason.split("; use ").next().unwrap_or_default();
    Problem::new(&origin, "", format!("this is not YAML: {reason}. {}", syntax_advice(reason, line)))
}

fn syntax_advice(reason: &str, line: &str) -> &'static str {
    if line.contains(": [") && line.contains("]:") {
        return "Put an IPv6 address in quotes: bind: \"[::1]:1883\".";
    }
    if reason.contains("tab") {
        return "Indent with spaces.";
    }
    if reason.contains("multiple YAML documents") {
        return "Remove the line ---.";
    }
    if reason.contains("unclosed quote") {
        return "Close the quote.";
    }
    if reason.contains("string scalar") || reason.contains("into string") {
        return "Write a plain name before the colon.";
    }
    if reason.contains("unexpected character") || reason.contains("escape") {
        return "Put the value in single quotes.";
    }
    if reason.contains("flow") {
        return "Close the bracket.";
    }
    if reason.contains("anchor") {
        return "Write the value itself.";
    }
    "Give keys of one section the same number of spaces, and put a colon and a space after each."
}

fn place(location: &Location) -> Origin {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let span = location.span();
    let length = if span == serde_saphyr::Span::UNKNOWN { 0 } else { span.len() };
    Origin::File { line: number(location.line()), column: number(location.column()), length: number(length) }
}

fn node(raw: Spanned<Raw>, source: &str) -> Node {
    let value = match raw.value {
        Raw::Nothing => Tree::Nothing,
        Raw::Scalar(Look::Number, _) => {
            Tree::Scalar { text: written(&raw.defined, source).to_owned(), look: Look::Number }
        }
        Raw::Scalar(look, text) => Tree::Scalar { text, look },
        Raw::List(items) => Tree::List(items.into_iter().map(|item| node(item, source)).collect()),
        Raw::Map(entries) => Tree::Map(entries.into_iter().map(|(k, v)| entry(k, v, source)).collect()),
    };
    Node { origin: place(&raw.referenced), value }
}

fn entry(key: Spanned<String>, value: Spanned<Raw>, source: &str) -> Entry {
    Entry { name: key.value, origin: place(&key.referenced), node: node(value, source) }
}

/// The text as it stands in the file: `1_000` and not 1000.
fn written<'a>(location: &Location, source: &'a str) -> &'a str {
    let span = location.span();
    let bounds = span.byte_offset().zip(span.byte_len()).and_then(|(offset, length)| {
        let start = usize::try_from(offset).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    bounds.and_then(|bounds| source.get(bounds)).unwrap_or_default()
}

/// YAML as serde hands it over; a number is read from the source again.
enum Raw {
    Nothing,
    Scalar(Look, String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Look::Bool, value.to_string()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Look::Number, String::new()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Look::Number, String::new()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Look::Number, String::new()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Look::Text, value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
