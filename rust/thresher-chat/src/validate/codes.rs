//! What a check can find: one table of codes, from which reports, documentation and `ignore` are made.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Reason;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The row trains something else than it seems to, or nothing.
    Error,
    /// The row is worth a look.
    Warning,
}

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $about:literal,)*) => {
        /// Kinds of problems. Their names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $about] $name,)*
        }

        /// Every code, in the order in which problems of one place are listed.
        pub const CODES: &[Code] = &[$(Code::$name,)*];

        impl Code {
            /// The stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How bad it is, unless the caller is strict.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What is wrong with such a row, in one line.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }
        }
    };
}

codes! {
    InvalidJson "invalid_json" Error "the row is not JSON",
    NotAnObject "not_an_object" Error "the row is not a JSON object",
    MissingField "missing_field" Error "a field that the format needs is not there",
    WrongShape "wrong_shape" Error "a field is of another type or shape than the format says",
    UnknownRole "unknown_role" Error "a turn has a role that nobody knows",
    BadCall "bad_call" Error "a tool call, or the text of one, is not what the format says",
    LoneSurrogate "lone_surrogate" Error "a text has half of a surrogate pair, which no UTF-8 can carry",
    NotExpressible "not_expressible" Error "the row says what its format has no way to say",
    DuplicateKey "duplicate_key" Error "an object has the same key twice; readers disagree on which one counts",
    NoMessages "no_messages" Error "the row has no turns",
    RoleNotAllowed "role_not_allowed" Error "the target has no such role",
    SystemNotFirst "system_not_first" Error "a system prompt comes after another turn",
    WrongFirstRole "wrong_first_role" Error "the first turn after the system prompt is not the user's",
    WrongRoleOrder "wrong_role_order" Error "a role follows another one that the target does not let it follow",
    ConsecutiveSameRole "consecutive_same_role" Warning "two turns in a row are of one role",
    NoAssistant "no_assistant" Error "there is no assistant turn, so there is nothing to train on",
    WrongLastRole "wrong_last_role" Error "the conversation ends with a turn that is not the assistant's",
    TrailingToolMessage "trailing_tool_message" Error "the conversation ends with a result that nobody reads",
    DuplicateSystem "duplicate_system" Warning "the same system prompt stands there twice",
    ContradictorySystem "contradictory_system" Error "there are two different system prompts",
    SystemAndDeveloper "system_and_developer" Error "there are both a system and a developer prompt",
    SystemNotRead "system_not_read" Warning "a field holds a system prompt, but the format has no such field",
    EmptyTurn "empty_turn" Error "a turn has no text, no calls and no reasoning",
    NullContent "null_content" Error "the content of a turn is null, and it has no calls",
    BlankTurn "blank_turn" Warning "a turn is nothing but white space",
    RepeatedTurn "repeated_turn" Warning "two turns in a row say the same",
    ControlToken "control_token" Warning "a text holds a control token of a chat template, which breaks rendering",
    CallInText "call_in_text" Warning "a tool call stands in the text of a turn, where no reader finds it",
    NothingTrained "nothing_trained" Error "every assistant turn has weight 0",
    ReasoningMissing "reasoning_missing" Error "the last assistant turn has no reasoning, which `keep` asks for",
    ReasoningLeft "reasoning_left" Error "an assistant turn has reasoning, which `strip` does not allow",
    ThinkUnclosed "think_unclosed" Error "a `<think>` has no `</think>`",
    ThinkUnopened "think_unopened" Error "a `</think>` has no `<think>`",
    ThinkNested "think_nested" Error "a `<think>` stands inside another one",
    ToolsNotAList "tools_not_a_list" Error "`tools` is neither an array nor a JSON string that holds one",
    ToolWrongShape "tool_wrong_shape" Error "a tool is not an object with a function",
    ToolWithoutName "tool_without_name" Error "a tool has no name",
    DuplicateTool "duplicate_tool" Error "two tools have the same name",
    ToolSchemaInvalid "tool_schema_invalid" Error "the parameters of a tool are not a valid JSON Schema",
    ToolSchemaUnchecked "tool_schema_unchecked" Warning "the schema of a tool is refused: it is remote, endless or too costly",
    CallsWithoutTools "calls_without_tools" Warning "tools are called, but the row offers none",
    CallWithoutName "call_without_name" Error "a call names no function",
    UnknownFunction "unknown_function" Error "a call names a function that is not among the tools",
    ParallelCalls "parallel_calls" Error "a turn makes several calls where one is allowed",
    MissingId "missing_id" Error "a call or a result has no id, though others in the row have one",
    DuplicateCallId "duplicate_call_id" Error "two calls have the same id",
    UnansweredCall "unanswered_call" Error "the conversation goes on without the result of a call",
    OrphanResult "orphan_result" Error "a result answers no call",
    ResultBeforeCall "result_before_call" Error "a result stands before its call",
    LateResult "late_result" Error "another turn stands between a call and its result",
    DuplicateResult "duplicate_result" Error "a call has more than one result",
    ResultNameMismatch "result_name_mismatch" Warning "a result names another function than its call",
    ArgumentsNotJson "arguments_not_json" Error "the arguments of a call are not JSON",
    ArgumentsNotAnObject "arguments_not_an_object" Error "the arguments of a call are not an object",
    ArgumentsViolateSchema "arguments_violate_schema" Error "the arguments of a call do not satisfy the schema of the tool",
    ArgumentsUnchecked "arguments_unchecked" Warning "checking the arguments against the schema would take too long",
}

impl Code {
    /// The code of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        CODES.iter().copied().find(|code| code.name() == name)
    }
}

impl From<Reason> for Code {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::InvalidJson => Self::InvalidJson,
            Reason::NotAnObject => Self::NotAnObject,
            Reason::MissingField => Self::MissingField,
            Reason::WrongShape => Self::WrongShape,
            Reason::UnknownRole => Self::UnknownRole,
            Reason::BadCall => Self::BadCall,
            Reason::LoneSurrogate => Self::LoneSurrogate,
            // Reading a row gives none of the reasons of templates.
            Reason::NotExpressible
            | Reason::TemplateError
            | Reason::TemplateRaised
            | Reason::TemplateLimit
            | Reason::NoSpans => Self::NotExpressible,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| serde::de::Error::custom(format!("there is no code `{name}`")))
    }
}

/// A set of codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CodeSet(u64);

const _: () = assert!(CODES.len() <= 64, "a set of codes is one word");

impl CodeSet {
    pub(crate) fn insert(&mut self, code: Code) {
        self.0 |= 1 << code as u32;
    }

    pub(crate) fn contains(self, code: Code) -> bool {
        self.0 >> code as u32 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name_and_says_what_it_is() {
        for &code in CODES {
            assert_eq!(Code::named(code.name()), Some(code));
            assert!(code.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(code.about().len() > 15 && !code.about().ends_with('.'));
        }
        assert_eq!(Code::named("no_such_code"), None);
    }

    #[test]
    fn a_reason_keeps_its_name_as_a_code() {
        for reason in [Reason::InvalidJson, Reason::BadCall, Reason::WrongShape, Reason::UnknownRole] {
            assert_eq!(Code::from(reason).name(), reason.name());
        }
    }
}
