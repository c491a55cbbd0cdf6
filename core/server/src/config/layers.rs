//! Which layer wins? Figment merges them and remembers whose each value is.
//!
//! Figment replaces lists whole and knows one origin for all of a list. So that
//! `HIKYAKU__LISTENERS__0__BIND` can change one entry, a list travels as a map of numbers, and a
//! layer that writes a list whole (the file, the flags) takes it from the layers below.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::problem::Origin;

/// What one source says: checked values, and where each was written.
#[derive(Debug)]
pub(super) struct Layer {
    name: &'static str,
    values: BTreeMap<String, Value>,
    origins: BTreeMap<String, Origin>,
    lists: Vec<String>,
}

impl Layer {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, values: BTreeMap::new(), origins: BTreeMap::new(), lists: Vec::new() }
    }

    /// Keeps a value, its path written like `listeners.0.bind`.
    pub(super) fn keep(&mut self, path: &str, origin: &Origin, value: Value) {
        self.values.insert(path.to_owned(), value);
        self.keep_origin(path, origin);
    }

    /// Keeps only where a section or an entry was written.
    pub(super) fn keep_origin(&mut self, path: &str, origin: &Origin) {
        self.origins.insert(path.to_owned(), origin.clone());
    }

    /// This layer writes the list whole: what others below say of it does not count.
    pub(super) fn takes_list(&mut self, path: &str, origin: &Origin) {
        self.lists.push(path.to_owned());
        self.keep_origin(path, origin);
    }

    fn forget_below(&mut self, list: &str) {
        let below = |path: &str| path.strip_prefix(list).is_some_and(|rest| rest.starts_with('.'));
        self.values.retain(|path, _| !below(path));
        self.origins.retain(|path, _| !below(path));
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (path, value) in &self.values {
            let segments: Vec<String> = path.split('.').map(padded).collect();
            insert(&mut root, &segments, value.clone());
        }
        Ok(Map::from([(Profile::Default, root)]))
    }
}

fn insert(dict: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            dict.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let below = dict.entry(name.clone()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, below) = below {
                insert(below, rest, value);
            }
        }
    }
}

/// Numbers with leading zeros, so that their order as text is their order.
fn padded(segment: &str) -> String {
    segment.parse::<u16>().map_or_else(|_| segment.to_owned(), |index| format!("{index:05}"))
}

/// All layers, the weakest first, merged.
#[derive(Debug)]
pub(super) struct Merged {
    layers: Vec<Layer>,
    figment: Figment,
}

impl Merged {
    pub(super) fn new(mut layers: Vec<Layer>) -> Self {
        for strongest in (0..layers.len()).rev() {
            for list in layers[strongest].lists.clone() {
                for layer in &mut layers[..strongest] {
                    layer.forget_below(&list);
                }
            }
        }
        let mut figment = Figment::new();
        for layer in &layers {
            figment = figment.merge(layer);
        }
        Self { layers, figment }
    }

    /// Everything, lists as maps of numbers.
    pub(super) fn dict(&self) -> Dict {
        self.figment.extract().unwrap_or_default()
    }

    /// The value at a path like `listeners.0.bind`.
    pub(super) fn value(&self, path: &str) -> Option<Value> {
        let path: Vec<String> = path.split('.').map(padded).collect();
        self.figment.find_value(&path.join(".")).ok()
    }

    /// Which layer a value comes from; 0 is the weakest.
    pub(super) fn rank(&self, path: &str) -> Option<usize> {
        let tag = self.value(path)?.tag();
        let name = &self.figment.get_metadata(tag)?.name;
        self.layers.iter().position(|layer| layer.name == *name)
    }

    /// Where the value at a path was written; of a section, where the strongest layer has it.
    pub(super) fn origin(&self, path: &str) -> Origin {
        let owner = self.rank(path).and_then(|rank| self.layers[rank].origins.get(path));
        let any = || self.layers.iter().rev().find_map(|layer| layer.origins.get(path));
        owner.or_else(any).cloned().unwrap_or(Origin::Default)
    }
}
