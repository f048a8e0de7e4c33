//! What rows are checked for: the order of roles that a target takes, as a table, and what to leave out.

use serde::{Deserialize, Serialize};

use super::codes::{Code, CodeSet, Severity};
use crate::conversation::Role;

/// What the caller asks for; as JSON, an object with any of these fields.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The name of one of [`TARGETS`].
    pub target: String,
    /// What is to become of reasoning.
    pub reasoning: Reasoning,
    /// Codes that are not looked for.
    pub ignore: Vec<String>,
    /// Whether a warning is an error.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { target: "openai".into(), reasoning: Reasoning::Any, ignore: Vec::new(), strict: false }
    }
}

/// What is to become of reasoning (a field of its own, or `<think>` in the text).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reasoning {
    /// The last assistant turn must have it. Templates of reasoning models drop that of earlier turns, so data made for
    /// them rightly lack it there.
    Keep,
    /// No turn may have it.
    Strip,
    /// As it comes; only its tags must be in order.
    Any,
}

/// The order of roles that a chat template or an API takes.
#[derive(Debug)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// In one line, what it stands for.
    pub about: &'static str,
    /// The rules of order; none if any order will do.
    pub(crate) order: Option<Order>,
    /// Whether a turn may make several calls.
    pub(crate) parallel_calls: bool,
}

/// Which role may follow which. System prompts come first and results follow calls, so they are no part of this.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) developer: bool,
    after_user: &'static [Role],
    after_assistant: &'static [Role],
    after_tool: &'static [Role],
}

impl Order {
    /// The roles that may follow `role`.
    pub(crate) fn after(&self, role: Role) -> &'static [Role] {
        match role {
            Role::System | Role::Developer => &[Role::User],
            Role::User => self.after_user,
            Role::Assistant => self.after_assistant,
            Role::Tool => self.after_tool,
        }
    }
}

/// What accepts two turns of one role in a row, as the `OpenAI` API does.
const LOOSE: Order = Order {
    developer: true,
    after_user: &[Role::User, Role::Assistant],
    after_assistant: &[Role::User, Role::Assistant],
    after_tool: &[Role::User, Role::Assistant],
};

/// The targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "openai",
        about: "system or developer first, then the user; results follow the turn that calls",
        order: Some(LOOSE),
        parallel_calls: true,
    },
    Target {
        name: "single-call",
        about: "as openai, with one call a turn (Llama 3.1)",
        order: Some(LOOSE),
        parallel_calls: false,
    },
    Target {
        name: "alternating",
        about: "user and assistant take turns after an optional system prompt (Mistral, Gemma)",
        order: Some(Order {
            developer: false,
            after_user: &[Role::Assistant],
            after_assistant: &[Role::User],
            after_tool: &[Role::Assistant],
        }),
        parallel_calls: true,
    },
    Target {
        name: "any",
        about: "roles in any order, as long as an assistant turn is last",
        order: None,
        parallel_calls: true,
    },
];

/// Options that were looked up and found good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) target: &'static Target,
    pub(crate) reasoning: Reasoning,
    ignored: CodeSet,
    strict: bool,
}

/// The options name something that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionsError(String);

impl Settings {
    pub(crate) fn try_new(options: &Options) -> Result<Self, OptionsError> {
        let names = |names: Vec<&str>| names.join(", ");
        let target = TARGETS.iter().find(|target| target.name == options.target).ok_or_else(|| {
            let known = names(TARGETS.iter().map(|target| target.name).collect());
            OptionsError(format!("target is `{}`, but it is one of {known}", options.target))
        })?;
        let mut ignored = CodeSet::default();
        for name in &options.ignore {
            let code = Code::named(name).ok_or_else(|| {
                let known = names(super::CODES.iter().map(|code| code.name()).collect());
                OptionsError(format!("ignore has `{name}`, but no check is called so; choose from {known}"))
            })?;
            ignored.insert(code);
        }
        Ok(Self { target, reasoning: options.reasoning, ignored, strict: options.strict })
    }

    /// How bad a problem is; none if nobody wants to know.
    pub(crate) fn severity(&self, code: Code) -> Option<Severity> {
        if self.ignored.contains(code) {
            return None;
        }
        Some(if self.strict { Severity::Error } else { code.severity() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let wrong = |options: &Options| Settings::try_new(options).unwrap_err().to_string();
        let target = wrong(&Options { target: "gpt".into(), ..Options::default() });
        assert!(target.contains("`gpt`") && target.contains("alternating"), "{target}");
        let ignore = wrong(&Options { ignore: vec!["emtpy".into()], ..Options::default() });
        assert!(ignore.contains("`emtpy`") && ignore.contains("empty_turn"), "{ignore}");
    }

    #[test]
    fn the_strict_have_no_warnings_and_nobody_what_is_ignored() {
        let options = Options { strict: true, ignore: vec!["blank_turn".into()], ..Options::default() };
        let settings = Settings::try_new(&options).unwrap();
        assert_eq!(settings.severity(Code::RepeatedTurn), Some(Severity::Error));
        assert_eq!(settings.severity(Code::BlankTurn), None);
        let usual = Settings::try_new(&Options::default()).unwrap();
        assert_eq!(usual.severity(Code::RepeatedTurn), Some(Severity::Warning));
    }
}
