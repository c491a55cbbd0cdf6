//! Where is it wrong, and how do we say so?

use std::fmt;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the file. Lines and columns count characters and start at 1; `length` may be 0.
    File {
        /// The line.
        line: usize,
        /// The first column.
        column: usize,
        /// How many characters.
        length: usize,
    },
    /// In this variable.
    Environment(String),
    /// In this flag.
    Flag(&'static str),
    /// Nowhere: it is the default.
    Default,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub origin: Origin,
    /// The key, like `storage.path`; empty if it is about no key.
    pub key: String,
    /// What is wrong and what to write.
    pub message: String,
}

impl Problem {
    pub(super) fn new(origin: &Origin, key: &str, message: impl Into<String>) -> Self {
        Self { origin: origin.clone(), key: key.to_owned(), message: message.into() }
    }
}

/// Everything that is wrong with a configuration, at once.
///
/// `Display` is meant for the operator: for each problem where it is, what is wrong and what to
/// write, and for the file also the line with a caret below.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    file: String,
    text: String,
    problems: Vec<Problem>,
}

impl ConfigErrors {
    /// Sorts the problems by place: the file from top to bottom, environment, flags.
    pub(super) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { file: file.to_owned(), text: text.to_owned(), problems }
    }

    /// How many things are wrong; never 0.
    #[must_use]
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    fn show(&self, problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &problem.origin {
            Origin::File { line, column, .. } => write!(f, "{}:{line}:{column}: ", self.file)?,
            Origin::Environment(variable) => write!(f, "{variable}: ")?,
            Origin::Flag(flag) => write!(f, "{flag}: ")?,
            Origin::Default if self.file.is_empty() => {}
            Origin::Default => write!(f, "{}: ", self.file)?,
        }
        if !problem.key.is_empty() {
            write!(f, "{}: ", problem.key)?;
        }
        f.write_str(&problem.message)?;
        if let Origin::File { line, column, length } = problem.origin {
            self.show_line(line, column, length, f)?;
        }
        Ok(())
    }

    /// The line of the file, cut to what fits a terminal, and a caret below.
    fn show_line(&self, line: usize, column: usize, length: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BEFORE: usize = 60;
        const WIDTH: usize = 100;
        let Some(text) = self.text.lines().nth(line.saturating_sub(1)) else {
            return Ok(());
        };
        let text = text.trim_start_matches('\u{feff}');
        let at = column.saturating_sub(1);
        let skipped = at.saturating_sub(BEFORE);
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = text.chars().skip(skipped).take(WIDTH).map(printable).collect();
        let rest = shown.chars().count().saturating_sub(at - skipped);
        let gutter = line.to_string();
        let caret = "^".repeat(length.min(rest).max(1));
        write!(f, "\n  {gutter} | {}", shown.trim_end())?;
        write!(f, "\n  {:w$} | {:indent$}{caret}", "", "", w = gutter.len(), indent = at - skipped)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            self.show(problem, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
