//! What does the operator want? One answer out of defaults, file, environment and flags.
//!
//! Later wins: the defaults, then the file, then the environment (`HIKYAKU__STORAGE__PATH`), then
//! the flags. Each layer is checked by itself against one table of keys, so that every problem
//! has a place: line and column of the file, the name of the variable, the flag. Then figment
//! merges what is right, and the rules that need several values run on the result. All problems
//! come back together.
//!
//! Called once, at start; nothing is ever written back.

mod assemble;
mod check;
mod document;
mod environment;
mod flags;
mod layers;
mod model;
mod problem;
mod rules;
mod schema;
mod show;
mod units;

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::value::Value;

pub use flags::Flags;
pub use model::{Backend, Config, Durability, Limits, Listener, Log, MQTT_PORT, OnCorrupt, RetainedStorage, Storage};
pub use problem::{ConfigErrors, Origin};
pub(crate) use units::duration_text;

use layers::{Layer, Merged};
use problem::Problem;

/// Where a configuration is looked for when no flag names one, in this order.
pub const SEARCHED: [&str; 2] = ["config.yaml", "/etc/hikyaku/config.yaml"];

/// A good configuration and where it comes from.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file.
    pub source: ConfigSource,
    /// What the operator should know although it is no error.
    pub notes: Vec<String>,
    merged: Merged,
}

impl Loaded {
    /// Where the value at a path like `listeners.0.bind` was written.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        self.merged.origin(path)
    }
}

/// Which file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// This one.
    File(PathBuf),
    /// None was found in [`SEARCHED`].
    Defaults,
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Defaults => f.write_str("built-in defaults"),
        }
    }
}

/// Everything a configuration is made of, read but not understood.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Name and text of the file.
    pub file: Option<(PathBuf, String)>,
    /// Variables whose names begin with `HIKYAKU_`; others are passed over.
    pub environment: Vec<(String, String)>,
    /// The command line.
    pub flags: Flags,
}

/// Reads the file and the environment of this process and resolves them.
pub fn load(flags: &Flags) -> Result<Loaded, ConfigErrors> {
    let searched: Vec<&Path> = SEARCHED.iter().map(Path::new).collect();
    let file = read(flags.config.as_deref(), &searched)?;
    resolve(&Inputs { file, environment: environment::variables(), flags: flags.clone() })
}

/// Makes a configuration of the inputs, or says everything that is wrong with them.
pub fn resolve(inputs: &Inputs) -> Result<Loaded, ConfigErrors> {
    let (source, text) = match &inputs.file {
        Some((path, text)) => (ConfigSource::File(path.clone()), text.as_str()),
        None => (ConfigSource::Defaults, ""),
    };
    let mut notes = Vec::new();
    let mut problems = Vec::new();
    let mut file = Layer::new("file");
    let tree = document::parse(text);
    let readable = tree.is_ok();
    match tree {
        Ok(tree) => {
            if inputs.file.is_some() && matches!(tree.value, document::Tree::Nothing) {
                notes.push(format!("{source} is empty, so every value is the default"));
            }
            problems.extend(check::check(&mut file, &tree));
        }
        Err(problem) => problems.push(problem),
    }
    let (environment, wrong) = environment::layer(&inputs.environment);
    problems.extend(wrong);
    let (flags, wrong) = inputs.flags.layer();
    problems.extend(wrong);

    let merged = Merged::new(vec![defaults(), file, environment, flags]);
    let mut assembled = None;
    // Of a file that is not YAML nothing is known, so nothing can be missing or misfit.
    if readable {
        assembled = assemble::assemble(&merged, &mut problems);
    }
    if let Some(assembled) = &assembled {
        let misfits = rules::check(assembled, &merged, &problems);
        problems.extend(misfits);
    }
    match assembled {
        Some(assembled) if problems.is_empty() => Ok(Loaded { config: assembled.config, source, notes, merged }),
        _ => Err(ConfigErrors::new(&file_name(&inputs.file), text, problems)),
    }
}

fn file_name(file: &Option<(PathBuf, String)>) -> String {
    file.as_ref().map_or_else(String::new, |(path, _)| path.display().to_string())
}

fn defaults() -> Layer {
    let mut layer = Layer::new("defaults");
    // A struct of numbers, words and lists always serializes.
    if let Ok(value) = Value::serialize(Config::default()) {
        check::keep_all(&mut layer, "", value);
    }
    layer
}

/// The file that was asked for, which must be there, else the first of the others that is.
fn read(asked: Option<&Path>, searched: &[&Path]) -> Result<Option<(PathBuf, String)>, ConfigErrors> {
    let candidates = asked.map_or_else(|| searched.to_vec(), |path| vec![path]);
    for path in candidates {
        match std::fs::read(path) {
            Ok(bytes) => return decode(path, bytes).map(|text| Some((path.to_owned(), text))),
            Err(error) if error.kind() == ErrorKind::NotFound && asked.is_none() => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    Ok(None)
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, ConfigErrors> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let origin = Origin::File { line, column, length: 1 };
        let message = "this byte is not UTF-8. Save the file as UTF-8.";
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        ConfigErrors::new(&path.display().to_string(), &text, vec![Problem::new(&origin, "", message)])
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigErrors {
    let message = match error.kind() {
        ErrorKind::NotFound => {
            "there is no such file. Give --config the path of one, or leave the flag out.".to_owned()
        }
        ErrorKind::IsADirectory => "this is a directory. Give --config the path of a file.".to_owned(),
        ErrorKind::PermissionDenied => {
            format!("this user may not read it. Try: sudo chmod a+r {}", path.display())
        }
        _ => format!("it cannot be read: {error}."),
    };
    let problem = Problem::new(&Origin::Default, "", message);
    ConfigErrors::new(&path.display().to_string(), "", vec![problem])
}
