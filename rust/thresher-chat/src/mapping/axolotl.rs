//! Entries of `datasets` in axolotl's configuration: `type`, field names, `message_property_mappings`, `roles`.
//!
//! Keys and their defaults are those of `docs/dataset-formats` and `utils/schemas/datasets.py` in its repository
//! (axolotl-ai-cloud/axolotl).

use std::borrow::Cow;

use thresher_core::json::{Json, Kind};

use super::{MappingError, Name, Result, Section, format_name, list};
use crate::conversation::Role;
use crate::format::{CallStyle, Flat, Format, Turns, turns};

/// Keys that only these entries have.
pub(super) const OWN: [&str; 5] = ["type", "path", "field_messages", "message_property_mappings", "roles"];
const FIELDS: [&str; 12] = [
    "field_system",
    "field_tools",
    "field_thinking",
    "field_chosen",
    "field_rejected",
    "message_field_role",
    "message_field_content",
    "message_field_training",
    "message_field_training_detail",
    "roles_to_train",
    "drop_system_message",
    "template_thinking_key",
];
/// Where the data is, and how it is trained on.
const ELSEWHERE: [&str; 15] = [
    "name",
    "split",
    "data_files",
    "ds_type",
    "revision",
    "shards",
    "shards_idx",
    "preprocess_shards",
    "trust_remote_code",
    "conversation",
    "chat_template",
    "chat_template_jinja",
    "train_on_eos",
    "train_on_eot",
    "split_thinking",
];
const CUSTOM: [&str; 8] = [
    "field_instruction",
    "field_input",
    "field_output",
    "field_system",
    "system_prompt",
    "system_format",
    "format",
    "no_input_format",
];
const TYPES: [&str; 5] = ["chat_template", "sharegpt", "alpaca", "gpteacher", "oasst"];

pub(super) fn read(mapping: Json<'_>) -> Result<Format> {
    let entry = Section::new("the entry", mapping, &[&OWN, &FIELDS, &ELSEWHERE])?;
    let name = format_name("axolotl", mapping);
    if entry.flag("drop_system_message")? {
        return Err(MappingError(
            "`drop_system_message` would take the system prompts out of the data; filter them in a step of its own".into(),
        ));
    }
    if let Some(custom) = entry.get("type").filter(|value| value.kind() == Kind::Object) {
        return self_made(name, &Section::new("`type`", custom, &[&CUSTOM])?);
    }
    let kind = entry.name_or("type", "chat_template")?;
    // What follows the dot or the colon chooses a prompt, not other fields.
    match kind.split(['.', ':']).next().unwrap_or_default() {
        "chat_template" => messages(name, &entry, CallStyle::Fields),
        "sharegpt" => messages(name, &entry, CallStyle::Turn),
        "alpaca" => Ok(flat(name, "instruction", Some("input"), "output")),
        "gpteacher" => Ok(flat(name, "instruction", Some("input"), "response")),
        "oasst" => Ok(flat(name, "INSTRUCTION", None, "RESPONSE")),
        "completion" | "pretrain" | "input_output" => Err(MappingError(format!(
            "`type` is `{kind}`, whose rows are texts and no conversations; allowed are {} and an object of fields",
            list(&TYPES)
        ))),
        _ => Err(MappingError(format!(
            "`type` is `{kind}`; allowed are {} and an object of fields",
            list(&TYPES)
        ))),
    }
}

fn flat(name: Name, prompt: &'static str, input: Option<&'static str>, completion: &'static str) -> Format {
    Format::Flat(Flat {
        name,
        prompt: prompt.into(),
        input: input.map(Name::from),
        completion: completion.into(),
        system: None,
        history: None,
        preference: None,
        label: None,
        tools: None,
        partial: false,
    })
}

/// A type that names its fields.
fn self_made(name: Name, fields: &Section<'_>) -> Result<Format> {
    let fixed = fields.get("system_prompt").is_some_and(|prompt| prompt.text() != "\"\"");
    if fixed {
        return Err(MappingError(
            "`system_prompt` in `type` is the same for all rows and stands in none; add it in a step of its own".into(),
        ));
    }
    let flat = Flat {
        name,
        prompt: fields.name_or("field_instruction", "instruction")?,
        input: fields.name("field_input")?,
        completion: fields.name_or("field_output", "output")?,
        system: fields.name("field_system")?,
        history: None,
        preference: None,
        label: None,
        tools: None,
        partial: false,
    };
    let mut names = vec![&flat.prompt, &flat.completion];
    names.extend([&flat.input, &flat.system].into_iter().flatten());
    fields.distinct(&names)?;
    Ok(Format::Flat(flat))
}

fn messages(name: Name, entry: &Section<'_>, calls: CallStyle) -> Result<Format> {
    let (list_name, role, content) = match calls {
        CallStyle::Turn => ("conversations", "from", "value"),
        _ => ("messages", "role", "content"),
    };
    let properties = entry
        .section("`message_property_mappings`", &[&["role", "content", "reasoning_content", "thinking"]])?;
    let pick = |property: &str, old: &str, usual: &'static str| -> Result<Name> {
        Ok(match properties.name(property)? {
            Some(name) => name,
            None => entry.name_or(old, usual)?,
        })
    };
    let thinking = match (properties.name("reasoning_content")?, properties.name("thinking")?) {
        (Some(name), _) | (None, Some(name)) => Some(name),
        _ => entry.name("field_thinking")?,
    };
    let preference = match (entry.name("field_chosen")?, entry.name("field_rejected")?) {
        (Some(chosen), Some(rejected)) => Some([chosen, rejected]),
        (None, None) => None,
        _ => return Err(MappingError("`field_chosen` and `field_rejected` go together".into())),
    };
    let turns = Turns {
        name,
        list: vec![entry.name_or("field_messages", list_name)?],
        role: vec![pick("role", "message_field_role", role)?],
        content: vec![pick("content", "message_field_content", content)?],
        reasoning: first_of(thinking.as_ref(), &turns::REASONING),
        weight: first_of(entry.name("message_field_training")?.as_ref(), &turns::WEIGHT),
        spelling: spelling(entry, calls)?,
        calls,
        call_role: turns::CALL_ROLES[0].into(),
        train: roles_to_train(entry)?,
        system: entry.name("field_system")?,
        tools: vec![entry.name_or("field_tools", "tools")?],
        preference,
        label: None,
    };
    let mut names = vec![&turns.list[0]];
    names.extend(turns.tools.iter().chain(&turns.system));
    names.extend(turns.preference.iter().flatten());
    entry.distinct(&names)?;
    let fields = [&turns.role[0], &turns.content[0], &turns.reasoning[0], &turns.weight[0]];
    entry.distinct(&fields)?;
    Ok(Format::Turns(turns))
}

/// The names to read, the given one first.
fn first_of(given: Option<&Name>, usual: &[&'static str]) -> Vec<Name> {
    let rest = usual.iter().map(|name| Cow::Borrowed(*name)).filter(|name| Some(name) != given);
    given.cloned().into_iter().chain(rest).collect()
}

/// The spellings of each role, the first to be written.
fn spelling(entry: &Section<'_>, calls: CallStyle) -> Result<Vec<(Name, Role)>> {
    let roles = [Role::User, Role::Assistant, Role::System, Role::Tool];
    let given = entry.section("`roles`", &[&roles.map(Role::name)])?;
    let mut spelling = Vec::new();
    for role in roles {
        match given.names(role.name())? {
            Some(names) => spelling.extend(names.into_iter().map(|name| (name, role))),
            None if calls == CallStyle::Turn && role == Role::User => {
                spelling.push(("human".into(), role));
            }
            None if calls == CallStyle::Turn && role == Role::Assistant => {
                spelling.push(("gpt".into(), role));
            }
            None => {}
        }
    }
    given.distinct(&spelling.iter().map(|(name, _)| name).collect::<Vec<_>>())?;
    Ok(spelling)
}

/// Roles that are learnt; none if it is the assistant's alone.
fn roles_to_train(entry: &Section<'_>) -> Result<Option<Vec<Role>>> {
    let Some(names) = entry.names("roles_to_train")? else { return Ok(None) };
    let role = |name: &Name| {
        Role::of(name).ok_or_else(|| {
            let allowed = list(&[Role::System, Role::User, Role::Assistant, Role::Tool].map(Role::name));
            MappingError(format!("`roles_to_train` has `{name}`; allowed are {allowed}"))
        })
    };
    let roles = names.iter().map(role).collect::<Result<Vec<_>>>()?;
    Ok((roles != [Role::Assistant]).then_some(roles))
}
