//! What did the layers come to? The resolved configuration as YAML, with the origin of each value.

use std::fmt::Write;

use super::Loaded;
use super::layers::Merged;
use super::model::Durability;
use super::problem::Origin;
use super::schema::{Key, ROOT, Shape, join};
use super::units;

impl Loaded {
    /// The resolved configuration as a file that resolves to the same, each value with a comment
    /// that says where it was written. Keys that are not set and have no default are left out.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        let file = self.source.to_string();
        Show { loaded: self, file: &file, out: &mut out }.section(ROOT, "", 0);
        out
    }
}

struct Show<'a> {
    loaded: &'a Loaded,
    file: &'a str,
    out: &'a mut String,
}

impl Show<'_> {
    fn merged(&self) -> &Merged {
        &self.loaded.merged
    }

    fn section(&mut self, keys: &'static [Key], path: &str, depth: usize) {
        for key in keys {
            let path = join(path, key.name);
            match key.shape {
                Shape::Section(below) if self.merged().value(&path).is_some() => {
                    self.line(depth, format!("{}:", key.name), None);
                    self.section(below, &path, depth + 1);
                }
                Shape::Section(_) => {}
                Shape::List(below) => self.list(key.name, below, &path, depth),
                Shape::Leaf(kind) => {
                    let unread = path == "storage.sync_interval"
                        && self.loaded.config.storage.durability != Durability::Interval;
                    if let (Some(value), false) = (self.merged().value(&path), unread) {
                        let text = format!("{}: {}", key.name, units::show(kind, &value));
                        self.line(depth, text, Some(&path));
                    }
                }
            }
        }
    }

    fn list(&mut self, name: &str, below: &'static [Key], path: &str, depth: usize) {
        self.line(depth, format!("{name}:"), None);
        for index in 0..self.loaded.config.listeners.len() {
            let start = self.out.len();
            self.section(below, &join(path, &index.to_string()), depth + 2);
            // The first key of an entry stands behind the dash.
            let dash = start + (depth + 1) * 2;
            self.out.replace_range(dash..dash + 1, "-");
        }
    }

    fn line(&mut self, depth: usize, text: String, path: Option<&str>) {
        let indented = format!("{:indent$}{text}", "", indent = depth * 2);
        // Writing to a String cannot fail.
        let _ = match path {
            Some(path) => writeln!(self.out, "{indented:<40} # {}", self.origin(path)),
            None => writeln!(self.out, "{indented}"),
        };
    }

    fn origin(&self, path: &str) -> String {
        match self.merged().origin(path) {
            Origin::File { line, .. } => format!("{}:{line}", self.file),
            Origin::Environment(variable) => variable,
            Origin::Flag(flag) => flag.to_owned(),
            Origin::Default => "default".to_owned(),
        }
    }
}
