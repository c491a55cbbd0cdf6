//! What does the environment say? `HIKYAKU__STORAGE__PATH` is `storage.path`.

use super::check::{check, nested, scalar};
use super::layers::Layer;
use super::problem::{Origin, Problem};
use super::schema::{self, Key, Shape, join};

const PREFIX: &str = "HIKYAKU__";

/// The variables of this process that may be meant for us.
pub(super) fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("HIKYAKU_"))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// The layer of the environment, and what is wrong with it.
pub(super) fn layer(variables: &[(String, String)]) -> (Layer, Vec<Problem>) {
    let mut layer = Layer::new("environment");
    let mut problems = Vec::new();
    for (variable, text) in variables {
        let origin = Origin::Environment(variable.clone());
        if let Some(rest) = variable.strip_prefix(PREFIX) {
            let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            problems.extend(check(&mut layer, &nested(&path, scalar(&origin, text))));
        } else if let Some(meant) = meant(variable) {
            let message = format!("is not read, because levels are parted by two underscores. Set {meant}.");
            problems.push(Problem::new(&origin, "", message));
        }
    }
    (layer, problems)
}

/// The variable that was meant by one with single underscores. Others are not ours: Kubernetes
/// sets `HIKYAKU_SERVICE_HOST` for a service of that name.
fn meant(variable: &str) -> Option<String> {
    let mut leaves = Vec::new();
    collect_leaves(schema::ROOT, "", &mut leaves);
    let with = |parted: &str, leaf: &str| format!("HIKYAKU{parted}{}", leaf.replace('.', parted)).to_uppercase();
    leaves.iter().find(|leaf| with("_", leaf) == variable).map(|leaf| with("__", leaf))
}

fn collect_leaves(keys: &'static [Key], prefix: &str, leaves: &mut Vec<String>) {
    for key in keys {
        let path = join(prefix, key.name);
        match key.shape {
            Shape::Section(below) => collect_leaves(below, &path, leaves),
            Shape::List(below) => collect_leaves(below, &join(&path, "0"), leaves),
            Shape::Leaf(_) => leaves.push(path),
        }
    }
}
