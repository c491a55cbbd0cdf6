//! Is what one layer says known and well formed? Collects every problem and keeps the rest.

use std::collections::BTreeMap;

use figment::value::Value;

use super::document::{Entry, Look, Node, Tree};
use super::layers::Layer;
use super::problem::{Origin, Problem};
use super::schema::{self, Key, Kind, Shape, join};
use super::units;

/// Takes what is right with a tree into the layer and returns what is wrong with it.
pub(super) fn check(layer: &mut Layer, tree: &Node) -> Vec<Problem> {
    let mut check = Check { layer, problems: Vec::new() };
    check.section(schema::ROOT, "", tree);
    check.problems
}

struct Check<'a> {
    layer: &'a mut Layer,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn at(&mut self, path: &str, shape: Shape, node: &Node) {
        match shape {
            Shape::Section(keys) => self.section(keys, path, node),
            Shape::List(keys) => self.list(keys, path, node),
            Shape::Leaf(kind) => self.leaf(kind, path, node),
        }
    }

    fn section(&mut self, keys: &'static [Key], path: &str, node: &Node) {
        self.layer.keep_origin(path, &node.origin);
        match &node.value {
            Tree::Map(entries) => self.entries(keys, path, entries),
            // `limits:` with every key below commented out.
            Tree::Nothing => {}
            _ => self.wrong(node, path, section_advice(keys, path, node)),
        }
    }

    fn entries(&mut self, keys: &'static [Key], path: &str, entries: &[Entry]) {
        let mut seen: BTreeMap<&str, &Origin> = BTreeMap::new();
        for entry in entries {
            let path = join(path, &entry.name);
            if let Some(first) = seen.insert(&entry.name, &entry.origin) {
                let message = match first {
                    Origin::File { line, .. } => {
                        format!("written twice, first in line {line}. Keep one.")
                    }
                    _ => "written twice. Keep one.".to_owned(),
                };
                self.problems.push(Problem::new(&entry.origin, &path, message));
                continue;
            }
            match schema::find(keys, &entry.name) {
                Some(key) => self.at(&path, key.shape, &entry.node),
                None => self.unknown(keys, &path, entry),
            }
        }
    }

    fn unknown(&mut self, keys: &'static [Key], path: &str, entry: &Entry) {
        let section = path.rsplit_once('.').map_or("", |(section, _)| section);
        let advice = schema::suggestion(keys, section, &entry.name);
        self.problems.push(Problem::new(&entry.origin, path, format!("unknown key. {advice}")));
    }

    fn list(&mut self, keys: &'static [Key], path: &str, node: &Node) {
        match &node.value {
            Tree::List(items) => {
                self.layer.takes_list(path, &node.origin);
                for (index, item) in items.iter().enumerate() {
                    self.item(keys, &join(path, &index.to_string()), item);
                }
            }
            Tree::Nothing => self.layer.takes_list(path, &node.origin),
            Tree::Map(entries) if matches!(node.origin, Origin::Environment(_)) => {
                for entry in entries {
                    self.indexed(keys, path, entry);
                }
            }
            _ => {
                let advice = if let Origin::Environment(variable) = &node.origin {
                    format!("is a list. Set {variable}__0__BIND, {variable}__1__BIND and so on.")
                } else {
                    "is a list. Begin each entry with a dash: - bind: 127.0.0.1:1883.".to_owned()
                };
                self.wrong(node, path, advice);
            }
        }
    }

    fn item(&mut self, keys: &'static [Key], path: &str, node: &Node) {
        if matches!(node.value, Tree::Nothing) {
            self.wrong(node, path, format!("is empty. Write {} after the dash.", sample(keys)));
        } else {
            self.section(keys, path, node);
        }
    }

    /// An entry whose name is its number, as in `HIKYAKU__LISTENERS__0__BIND`.
    fn indexed(&mut self, keys: &'static [Key], path: &str, entry: &Entry) {
        match entry.name.parse::<u16>() {
            Ok(index) => self.section(keys, &join(path, &index.to_string()), &entry.node),
            Err(_) => {
                let message = format!("{:?} is not the number of an entry. Count from 0, like {path}.0.", entry.name);
                self.problems.push(Problem::new(&entry.origin, path, message));
            }
        }
    }

    fn leaf(&mut self, kind: Kind, path: &str, node: &Node) {
        let (text, look) = match &node.value {
            Tree::Scalar { text, look } => (text, *look),
            Tree::Nothing => {
                return self.wrong(node, path, format!("has no value. {}", kind.advice()));
            }
            Tree::List(_) | Tree::Map(_) => {
                let message = format!("takes one value, not several. {}", kind.advice());
                return self.wrong(node, path, message);
            }
        };
        let file = matches!(node.origin, Origin::File { .. });
        if file && matches!(kind, Kind::Path) && look != Look::Text {
            let message = format!("{text} is not a path. If you mean a directory, write ./{text}.");
            return self.wrong(node, path, message);
        }
        match units::parse(kind, text) {
            Ok(value) => self.layer.keep(path, &node.origin, value),
            Err(message) => self.wrong(node, path, message),
        }
    }

    fn wrong(&mut self, node: &Node, path: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(&node.origin, path, message));
    }
}

fn section_advice(keys: &'static [Key], path: &str, node: &Node) -> String {
    if let Origin::Environment(variable) = &node.origin {
        let first = keys.first().map_or("", |key| key.name).to_uppercase();
        return format!("takes no value itself. Set a key of it, like {variable}__{first}.");
    }
    let sample = sample(keys);
    match &node.value {
        Tree::Scalar { text, .. } if text.contains(':') => {
            format!("takes keys, not {text:?}. Put a space after the colon of a key, as in {sample}.")
        }
        _ if path.is_empty() => {
            format!("the file holds keys, not a list or a word. Begin with {sample}")
        }
        _ => format!("takes keys of its own. Write them below it, like {sample}."),
    }
}

/// How the first key of a section may look.
fn sample(keys: &'static [Key]) -> String {
    let Some(key) = keys.first() else {
        return String::new();
    };
    let value = match key.shape {
        Shape::Section(_) | Shape::List(_) => return format!("{}:", key.name),
        Shape::Leaf(Kind::Word { words, .. }) => words.first().copied().unwrap_or_default(),
        Shape::Leaf(Kind::Address) => "127.0.0.1:1883",
        Shape::Leaf(Kind::Flag) => "true",
        Shape::Leaf(_) => "1000",
    };
    format!("{}: {value}", key.name)
}

/// A value with a place, as the environment and the flags give it.
pub(super) fn scalar(origin: &Origin, text: &str) -> Node {
    let value = Tree::Scalar { text: text.to_owned(), look: Look::Text };
    Node { origin: origin.clone(), value }
}

/// Wraps a node into sections, outermost first: `["storage", "path"]`.
pub(super) fn nested(path: &[String], leaf: Node) -> Node {
    path.iter().rev().fold(leaf, |node, name| {
        let origin = node.origin.clone();
        let entry = Entry { name: name.clone(), origin: origin.clone(), node };
        Node { origin, value: Tree::Map(vec![entry]) }
    })
}

/// A figment value for each key of a complete configuration.
pub(super) fn keep_all(layer: &mut Layer, path: &str, value: Value) {
    match value {
        Value::Dict(_, dict) => {
            for (name, value) in dict {
                keep_all(layer, &join(path, &name), value);
            }
        }
        Value::Array(_, items) => {
            for (index, value) in items.into_iter().enumerate() {
                keep_all(layer, &join(path, &index.to_string()), value);
            }
        }
        value => layer.keep(path, &Origin::Default, value),
    }
}
