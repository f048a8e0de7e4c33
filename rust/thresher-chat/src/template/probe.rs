//! What a template can do, found out by rendering small conversations with words that nobody else uses.
//!
//! Templates differ in whether they take the arguments of a call as a mapping or as a text that holds JSON, and most do
//! not say so when they get the other form: they write it twice encoded, drop it, or write `None`.

use serde::Serialize;
use thresher_core::json::Json;

use crate::error::Result;

use super::chat::Chat;
use super::value::Value;
use super::{Arguments, Moment, RenderOptions, Template};

/// What becomes of the arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// They stand in the text as JSON.
    Ok,
    /// They stand in it as JSON inside of a JSON text.
    DoubleEncoded,
    /// They stand in it as Python prints them.
    PrintsPython,
    /// `None` stands in it.
    PrintsNone,
    /// The call, or what it is called with, is not in the text.
    Dropped,
    /// The template refuses.
    Raises,
}

/// What becomes of each kind of arguments in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Form {
    /// Of some arguments.
    pub normal: Fate,
    /// Of none: `{}`.
    pub empty: Fate,
    /// Of null.
    pub null: Fate,
    /// Of no such field.
    pub absent: Fate,
}

/// What a template can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
pub struct Probe {
    /// Arguments as a text that holds JSON.
    pub string: Form,
    /// Arguments as a mapping.
    pub mapping: Form,
    /// The form to use; none if calls do not get into the text in either.
    pub recommended: Option<&'static str>,
    /// A system prompt gets into the text.
    pub system: bool,
    /// A message of the developer does.
    pub developer: bool,
    /// The tools on offer do.
    pub tools: bool,
    /// Several calls in one message do.
    pub parallel_calls: bool,
    /// The result of a call does.
    pub tool_results: bool,
    /// The thoughts of the last message do.
    pub reasoning: bool,
    /// Two messages of the user in a row are refused.
    pub needs_alternation: bool,
    /// There is a prompt to go on.
    pub generation_prompt: bool,
    /// The template says what the model is to generate.
    pub generation_tags: bool,
}

const USER: &str = r#"{"role":"user","content":"Pruser"}"#;
const TOOLS: &str = r#"[{"type":"function","function":{"name":"prtool","description":"Prdescription.","parameters":{"type":"object","properties":{"prkey":{"type":"string","description":"Prparam."}},"required":["prkey"]}}}]"#;
/// A call; Mistral's templates want ids of nine letters and digits.
const CALL: &str = r#"{"id":"prcall001","type":"function","function":{"name":"prtool"ARGUMENTS}}"#;

/// Renders small conversations.
struct Prober<'t> {
    template: &'t Template,
    options: RenderOptions,
}

impl Prober<'_> {
    fn render(&self, messages: &[&str], tools: Option<&str>, prompt: bool) -> Result<String> {
        let read = |text: &str| -> Result<Value> { Ok(Value::from_json(Json::parse(text)?)?) };
        let tools = tools.map(read).transpose()?.unwrap_or(Value::None);
        let messages: Vec<Value> = messages.iter().map(|message| read(message)).collect::<Result<_>>()?;
        let (marked, _) = self.template.run_messages(&Chat::of(tools), messages, prompt, &self.options)?;
        Ok(marked.text.to_string())
    }

    fn shows(&self, messages: &[&str], tools: Option<&str>, words: &[&str]) -> bool {
        self.render(messages, tools, false).is_ok_and(|text| words.iter().all(|word| text.contains(word)))
    }

    fn call(&self, arguments: &str) -> Result<String> {
        self.render(&[USER, &calling(&[arguments])], Some(TOOLS), false)
    }

    /// What becomes of `arguments`; `says_none` if the template writes `None` anyway.
    fn fate(&self, arguments: &str, has_value: bool, says_none: bool) -> Fate {
        let Ok(text) = self.call(arguments) else { return Fate::Raises };
        // Without a call there is nothing of the tool behind the user's message but its signature before it.
        let said = text.rsplit_once("Pruser").map_or("", |(_, said)| said);
        if !said.contains("prtool") || (has_value && !said.contains("prvalue")) {
            Fate::Dropped
        } else if said.contains("\\\"prkey") || said.contains("\"{}\"") {
            Fate::DoubleEncoded
        } else if said.contains("'prkey'") {
            Fate::PrintsPython
        } else if !says_none && said.contains("None") {
            Fate::PrintsNone
        } else {
            Fate::Ok
        }
    }

    fn form(&self, [normal, empty]: [&str; 2]) -> Form {
        let says_none = self.call(&argument(normal)).is_ok_and(|text| text.contains("None"));
        let fate = |arguments: &str, has_value| self.fate(arguments, has_value, says_none);
        Form {
            normal: fate(&argument(normal), true),
            empty: fate(&argument(empty), false),
            null: fate(&argument("null"), false),
            absent: fate("", false),
        }
    }
}

fn argument(json: &str) -> String {
    format!(r#","arguments":{json}"#)
}

/// A message with these calls.
fn calling(arguments: &[&str]) -> String {
    let calls: Vec<String> = arguments.iter().map(|arguments| CALL.replace("ARGUMENTS", arguments)).collect();
    format!(r#"{{"role":"assistant","content":"","tool_calls":[{}]}}"#, calls.join(","))
}

impl Template {
    /// Finds out what the template can do, with the variables of `options`.
    #[must_use]
    pub fn probe(&self, options: &RenderOptions) -> Probe {
        let now = options.now.or_else(|| Moment::parse("2000-01-01"));
        let options = RenderOptions { now, add_generation_prompt: false, ..options.clone() };
        let prober = Prober { template: self, options };
        let string = prober.form([r#""{\"prkey\": \"prvalue\"}""#, r#""{}""#]);
        let mapping = prober.form([r#"{"prkey": "prvalue"}"#, "{}"]);
        let recommended = match (mapping.normal, string.normal) {
            (Fate::Ok, Fate::Ok) if mapping.empty != Fate::Ok && string.empty == Fate::Ok => Some("string"),
            (Fate::Ok, _) => Some("mapping"),
            (_, Fate::Ok) => Some("string"),
            (Fate::PrintsPython, _) => Some("mapping"),
            (_, Fate::DoubleEncoded) => Some("string"),
            _ => None,
        };
        let value = if recommended == Some("string") {
            argument(r#""{\"prkey\": \"prvalue\"}""#)
        } else {
            argument(r#"{"prkey": "prvalue"}"#)
        };
        let call = calling(&[&value]);
        let second = value.replace("prvalue", "prother");
        let result = r#"{"role":"tool","content":"Prresult","tool_call_id":"prcall001","name":"prtool"}"#;
        let thinking = r#"{"role":"assistant","content":"Pranswer","reasoning_content":"Prthought"}"#;
        let (open, going_on) = (prober.render(&[USER], None, false), prober.render(&[USER], None, true));
        Probe {
            string,
            mapping,
            recommended,
            system: prober.shows(
                &[r#"{"role":"system","content":"Prsystem"}"#, USER],
                None,
                &["Prsystem", "Pruser"],
            ),
            developer: prober.shows(
                &[r#"{"role":"developer","content":"Prdeveloper"}"#, USER],
                None,
                &["Prdeveloper", "Pruser"],
            ),
            tools: prober.shows(&[USER], Some(TOOLS), &["prtool", "Prdescription"]),
            parallel_calls: prober.shows(
                &[USER, &calling(&[&value, &second])],
                Some(TOOLS),
                &["prvalue", "prother"],
            ),
            tool_results: prober.shows(&[USER, &call, result], Some(TOOLS), &["Prresult"]),
            reasoning: prober.shows(&[USER, thinking], None, &["Prthought"]),
            needs_alternation: open.is_ok() && prober.render(&[USER, USER], None, false).is_err(),
            generation_prompt: matches!((&open, &going_on), (Ok(open), Ok(going_on)) if open != going_on),
            generation_tags: self.has_generation(),
        }
    }

    /// The form of arguments that `options` ask for.
    pub(super) fn arguments(&self, options: &RenderOptions) -> Arguments {
        if options.arguments != Arguments::Auto {
            return options.arguments;
        }
        *self.wanted.get_or_init(|| match self.probe(options).recommended {
            Some("string") => Arguments::Text,
            Some(_) => Arguments::Mapping,
            None => Arguments::Written,
        })
    }
}
