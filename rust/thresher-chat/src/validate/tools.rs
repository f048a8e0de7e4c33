//! The tools of a row, read and compiled once for all rows that offer the same.

use std::collections::HashMap;
use std::sync::Arc;

use thresher_core::json::{Json, Kind, Str};

use super::codes::Code;
use super::row::{Found, HEAD, Row};
use crate::conversation::{Conversation, Role};
use crate::schema::{Refusal, Schema};
use crate::shown::{one_line, shown};
use crate::tools::as_array;

/// Bytes of tools and schemas, roughly, that are remembered; then all is forgotten.
const REMEMBERED: usize = 16 << 20;

/// A tool that can be called.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    /// What its arguments must satisfy; none if it does not say, or if that was refused.
    pub(super) schema: Option<Arc<Schema>>,
}

/// Something that is wrong with a tool.
#[derive(Debug)]
struct Flaw {
    code: Code,
    path: String,
    message: String,
}

/// Tools on offer.
#[derive(Debug, Default)]
pub(super) struct ToolSet {
    tools: Vec<Tool>,
    /// Places in `tools`.
    by_name: HashMap<String, usize>,
    flaws: Vec<Flaw>,
}

impl ToolSet {
    /// The tool of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).map(|&place| &self.tools[place])
    }

    /// Names for a sentence, the first few.
    pub(super) fn names(&self) -> String {
        let mut names: Vec<String> = self.tools.iter().take(8).map(|tool| shown(&tool.name)).collect();
        if self.tools.len() > names.len() {
            names.push("...".into());
        }
        names.join(", ")
    }
}

/// Tools that were met. What is found does not depend on what is remembered.
#[derive(Debug, Default)]
pub(super) struct ToolCache {
    sets: HashMap<Box<str>, ToolSet>,
    schemas: HashMap<Box<str>, Result<Arc<Schema>, Refusal>>,
    bytes: usize,
}

impl ToolCache {
    /// What the tools of a row mean; none if it offers none.
    pub(super) fn of(&mut self, conversation: &Conversation<'_>) -> Option<&ToolSet> {
        match &conversation.tools {
            Some(tools) => Some(self.get(tools)),
            None => in_prompt(conversation).map(|tools| self.get(&tools)),
        }
    }

    fn get(&mut self, tools: &str) -> &ToolSet {
        if !self.sets.contains_key(tools) {
            self.make_room(tools.len());
            let set = self.read(tools);
            self.sets.insert(tools.into(), set);
        }
        self.sets.entry(tools.into()).or_default()
    }

    fn make_room(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > REMEMBERED {
            self.sets.clear();
            self.schemas.clear();
            self.bytes = bytes;
        }
    }

    fn read(&mut self, tools: &str) -> ToolSet {
        let mut set = ToolSet::default();
        let tools = tools.into();
        let Some(list) = as_array(&tools) else { return set };
        for (index, tool) in Json::checked(&list).items().enumerate() {
            self.read_tool(index, tool, &mut set);
        }
        set
    }

    fn read_tool(&mut self, index: usize, tool: Json<'_>, set: &mut ToolSet) {
        let mut flaw = |code, field: &str, message: String| {
            set.flaws.push(Flaw { code, path: format!("tools[{index}]{field}"), message });
        };
        let (function, within) = match tool.get("function") {
            Some(function) => (function, ".function"),
            None => (tool, ""),
        };
        if function.kind() != Kind::Object {
            let kind = function.kind().name();
            let message = format!("the tool is {kind}, but it is an object with `name` and `parameters`");
            return flaw(Code::ToolWrongShape, within, message);
        }
        let name = function.get("name").and_then(Json::as_str);
        let name = name.and_then(|name| Some(name.decode().ok()?.into_owned())).unwrap_or_default();
        if name.trim().is_empty() {
            let message =
                "the tool has no `name` (a string that is not empty), so nobody can call it; give it one"
                    .into();
            return flaw(Code::ToolWithoutName, within, message);
        }
        let parameters =
            ["parameters", "input_schema"].into_iter().find_map(|field| Some((field, function.get(field)?)));
        let mut schema = None;
        if let Some((field, parameters)) = parameters.filter(|(_, value)| value.kind() != Kind::Null) {
            let path = format!("{within}.{field}");
            match self.compile(parameters) {
                Ok(compiled) => schema = Some(compiled),
                Err(Refusal::Invalid(why)) => {
                    let message = format!(
                        "the parameters of {} are not a JSON Schema: {}; correct them",
                        shown(&name),
                        one_line(&why)
                    );
                    flaw(Code::ToolSchemaInvalid, &path, message);
                }
                Err(Refusal::Unsafe(why)) => {
                    let message = format!(
                        "the schema of {} is refused, and its arguments are not checked: {}",
                        shown(&name),
                        one_line(&why)
                    );
                    flaw(Code::ToolSchemaUnchecked, &path, message);
                }
            }
        }
        if set.by_name.contains_key(&name) {
            let path = format!("tools[{index}]{within}.name");
            let message = format!("the tool {} is there twice; keep one, or name them apart", shown(&name));
            set.flaws.push(Flaw { code: Code::DuplicateTool, path, message });
        } else {
            set.by_name.insert(name.clone(), set.tools.len());
            set.tools.push(Tool { name, schema });
        }
    }

    fn compile(&mut self, parameters: Json<'_>) -> Result<Arc<Schema>, Refusal> {
        let text = parameters.text();
        if let Some(known) = self.schemas.get(text) {
            return known.clone();
        }
        let compiled = if parameters.kind() == Kind::Object {
            Schema::parse(text).map(Arc::new)
        } else {
            Err(Refusal::Invalid(format!("they are {}, not an object", parameters.kind().name())))
        };
        self.bytes += text.len() + compiled.as_ref().map_or(0, |schema| schema.weight());
        self.schemas.insert(text.into(), compiled.clone());
        compiled
    }
}

/// The tools that a system prompt offers in its text. Looked for only if there are calls.
fn in_prompt(conversation: &Conversation<'_>) -> Option<String> {
    let prompt = conversation.messages.first().filter(|first| first.role == Role::System)?;
    if conversation.all_messages().all(|message| message.calls.is_empty()) {
        return None;
    }
    let text = super::row::text(prompt)?;
    crate::tools::in_text(&text)
}

/// What is wrong with the tools themselves.
pub(super) fn tools(row: Row<'_>, found: &mut Found<'_>) {
    for flaw in row.tools.iter().flat_map(|set| &set.flaws) {
        found.note(flaw.code, HEAD, flaw.path.as_str(), flaw.message.as_str());
    }
    for (key, value) in &row.conversation.extra {
        let value = Json::checked(value);
        let says_nothing = match value.kind() {
            Kind::Null => true,
            Kind::String => value.as_str().is_some_and(|text: Str<'_>| text.escaped().trim().is_empty()),
            _ => false,
        };
        if key.is("tools") && !says_nothing {
            let message = format!(
                "`tools` is {}, but it is an array of tools, or a JSON string that holds one",
                if value.kind() == Kind::String {
                    "a string without an array in it"
                } else {
                    value.kind().name()
                }
            );
            found.note(Code::ToolsNotAList, HEAD, "tools", message);
        }
    }
}
