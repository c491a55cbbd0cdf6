//! Do the merged layers make a whole configuration? Fills nothing in; says what is missing.

use figment::value::{Dict, Value};

use super::layers::Merged;
use super::model::Config;
use super::problem::{Origin, Problem};

/// A configuration that has every key it needs.
pub(super) struct Assembled {
    pub config: Config,
    /// For each of `config.listeners` its number in the layers; entries with errors are left out.
    pub numbers: Vec<usize>,
}

/// Makes the typed configuration. `problems` holds what is wrong with single values, so that
/// their absence is not reported as well.
pub(super) fn assemble(merged: &Merged, problems: &mut Vec<Problem>) -> Option<Assembled> {
    let mut root = merged.dict();
    let numbers = listeners(&mut root, merged, problems);
    retained(&mut root, merged, problems);
    match Value::from(root).deserialize::<Config>() {
        Ok(config) => Some(Assembled { config, numbers }),
        // Every value was checked, so only a platform with small integers comes here.
        Err(error) => {
            problems.push(Problem::new(&Origin::Default, "", format!("{error}.")));
            None
        }
    }
}

/// Whether a problem is known with this key or one below it.
pub(super) fn is_wrong(problems: &[Problem], path: &str) -> bool {
    let hit = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    problems.iter().any(|problem| hit(&problem.key))
}

/// Turns the map of numbers into the list.
fn listeners(root: &mut Dict, merged: &Merged, problems: &mut Vec<Problem>) -> Vec<usize> {
    let entries = match root.remove("listeners") {
        Some(Value::Dict(_, entries)) => entries,
        _ => Dict::new(),
    };
    if entries.is_empty() && !is_wrong(problems, "listeners") {
        let message = "there is none, so nobody could connect. Write at least one: - bind: 127.0.0.1:1883.";
        problems.push(Problem::new(&merged.origin("listeners"), "listeners", message));
    }
    let (mut list, mut numbers) = (Vec::new(), Vec::new());
    for (position, (number, entry)) in entries.into_iter().enumerate() {
        let number: usize = number.parse().unwrap_or(position);
        let path = format!("listeners.{number}");
        if entry.find_ref("bind").is_some() {
            list.push(entry);
            numbers.push(number);
        } else if !is_wrong(problems, &path) {
            let message = "has no address. Write bind: 127.0.0.1:1883.";
            problems.push(Problem::new(&merged.origin(&path), &path, message));
        }
        if number > position && !is_wrong(problems, "listeners") {
            let message = format!("there is no listeners.{position} before it. Count without a gap.");
            problems.push(Problem::new(&merged.origin(&path), &path, message));
        }
    }
    root.insert("listeners".into(), Value::from(list));
    numbers
}

fn retained(root: &mut Dict, merged: &Merged, problems: &mut Vec<Problem>) {
    const KEY: &str = "storage.retained";
    let Some(Value::Dict(_, storage)) = root.get_mut("storage") else {
        return;
    };
    let section = storage.get("retained");
    let written = section.is_some() || !matches!(merged.origin(KEY), Origin::Default);
    if !written || is_wrong(problems, KEY) {
        storage.remove("retained");
        return;
    }
    let text = |key: &str| section.and_then(|s| s.find_ref(key)).and_then(Value::as_str);
    let (backend, path) = (text("backend"), text("path"));
    let missing = match (backend, path) {
        (Some("memory"), _) | (Some(_), Some(_)) => return,
        (None, _) => "has no backend. Write backend: redb, sqlite or memory, or remove the section.",
        (Some(_), None) => "has no path. Write path: ./retained.",
    };
    problems.push(Problem::new(&merged.origin(KEY), KEY, missing));
    storage.remove("retained");
}
