//! Finds everything that is wrong with rows of chat data, all at once, and says where.
//!
//! ```text
//! row -> keys -> Format::read -> Conversation -> each of CHECKS -> problems, in order of place -> Report
//! ```
//!
//! What a row can have is one table ([`CODES`]), who looks for it another (`CHECKS`); each check is a function over a
//! [`Conversation`](crate::Conversation), so that a row of any format is checked alike. A row that cannot be read has the
//! reader's reason as its problem: what stands behind that place is not looked at.
//!
//! The work on a row is linear in its size. What is not (a schema against arguments) is bounded beforehand: see [`crate::schema`].

mod arguments;
mod calls;
mod codes;
mod content;
mod keys;
mod markup;
mod options;
mod order;
mod place;
mod reasoning;
mod report;
mod row;
mod system;
mod tools;
mod training;

use std::collections::HashSet;

use thresher_core::json::Json;

pub use codes::{CODES, Code, Severity};
pub use options::{Options, OptionsError, Reasoning, TARGETS, Target};
pub use report::{Count, MAX_PROBLEMS, Problem, Report};

use crate::error::RowError;
use crate::format::Format;
use options::Settings;
use row::{Found, HEAD, Row};
use tools::ToolCache;

/// Who looks for what.
const CHECKS: &[fn(Row<'_>, &mut Found<'_>)] = &[
    tools::tools,
    order::roles,
    system::prompts,
    calls::functions,
    calls::matched,
    arguments::fit,
    content::empty,
    markup::check,
    training::weights,
    reasoning::thoughts,
];

/// Checks rows one after the other. It remembers the tools it met; what it finds does not depend on that.
#[derive(Debug)]
pub struct Validator {
    settings: Settings,
    tools: ToolCache,
    keys: keys::Scratch,
}

impl Validator {
    /// A validator.
    ///
    /// # Errors
    /// There is no such target or code.
    pub fn try_new(options: &Options) -> Result<Self, OptionsError> {
        Ok(Self {
            settings: Settings::try_new(options)?,
            tools: ToolCache::default(),
            keys: keys::Scratch::default(),
        })
    }

    /// Appends the problems of `row`, in order of place, to `problems`.
    pub fn check(&mut self, row: Json<'_>, format: &Format, problems: &mut Vec<Problem>) {
        let first = problems.len();
        let mut found = Found { settings: self.settings, problems };
        self.keys.check(row.text(), "", HEAD, &mut found);
        match format.read(row) {
            Ok(conversation) => {
                let tools = self.tools.of(&conversation);
                let row = Row { conversation: &conversation, format, tools };
                for check in CHECKS {
                    check(row, &mut found);
                }
            }
            Err(error) => refused(&error, &mut found),
        }
        in_order(problems, first);
    }

    /// The same of a text that may be no JSON.
    pub fn check_text(&mut self, text: &str, format: &Format, problems: &mut Vec<Problem>) {
        match Json::parse(text) {
            Ok(row) => self.check(row, format, problems),
            Err(error) => refused(&error.into(), &mut Found { settings: self.settings, problems }),
        }
    }
}

/// Puts the problems from `first` on in the order of their places, and keeps one of equal ones: the turns before a
/// preference stand in both of its conversations, and so do their problems.
fn in_order(problems: &mut Vec<Problem>, first: usize) {
    if problems.len() < first + 2 {
        return;
    }
    problems[first..].sort_by_key(|problem| (problem.at, problem.code));
    let mut seen = HashSet::new();
    let keep: Vec<bool> = problems[first..]
        .iter()
        .map(|problem| seen.insert((problem.code, &problem.path, &problem.message)))
        .collect();
    let mut at = 0;
    problems.retain(|_| {
        at += 1;
        at <= first || keep[at - 1 - first]
    });
}

/// The reason of a reader as a problem. Where it begins with a place, that is the path.
fn refused(error: &RowError, found: &mut Found<'_>) {
    let place = error.detail.split_once(": ").filter(|(path, _)| path.ends_with(']') && !path.contains(' '));
    let (path, message) = place.unwrap_or(("", &error.detail));
    found.note(error.reason.into(), HEAD, path, message);
}
