//! Entries of LLaMA-Factory's `dataset_info.json`: `formatting`, `columns` and `tags`.
//!
//! Keys and their defaults are those of `data/README.md` in its repository (hiyouga/LLaMA-Factory).

use thresher_core::json::Json;

use super::{MappingError, Name, Result, Section, format_name, list};
use crate::conversation::Role;
use crate::format::{CallStyle, Flat, Format, Turns, turns};

/// Keys that only these entries have.
pub(super) const OWN: [&str; 8] =
    ["formatting", "columns", "tags", "ranking", "file_name", "hf_hub_url", "ms_hub_url", "script_url"];
/// Where the data is.
const ELSEWHERE: [&str; 7] =
    ["om_hub_url", "cloud_file_name", "subset", "split", "folder", "num_samples", "revision"];
const FORMATTINGS: [&str; 3] = ["alpaca", "sharegpt", "openai"];
const COLUMNS: [&str; 7] = ["system", "tools", "chosen", "rejected", "kto_tag", "prompt", "messages"];
const ALPACA_COLUMNS: [&str; 3] = ["query", "response", "history"];
/// Columns of files that belong to a row; they are passed on.
const MEDIA: [&str; 3] = ["images", "videos", "audios"];
const TAGS: [&str; 7] =
    ["role_tag", "content_tag", "user_tag", "assistant_tag", "observation_tag", "function_tag", "system_tag"];

pub(super) fn read(mapping: Json<'_>) -> Result<Format> {
    let entry = Section::new("the entry", mapping, &[&OWN, &ELSEWHERE])?;
    let formatting = entry.name_or("formatting", "alpaca")?;
    let columns = entry.section("`columns`", &[&COLUMNS, &ALPACA_COLUMNS, &MEDIA])?;
    let tags = entry.section("`tags`", &[&TAGS])?;
    let name = format_name("llama-factory", mapping);
    let preference = match (entry.flag("ranking")?, columns.name("chosen")?, columns.name("rejected")?) {
        (true, Some(chosen), Some(rejected)) => Some([chosen, rejected]),
        (true, ..) => {
            return Err(MappingError("`ranking` needs both `chosen` and `rejected` in `columns`".into()));
        }
        (false, ..) => None,
    };
    match &*formatting {
        "alpaca" => alpaca(name, &columns, preference),
        "sharegpt" => messages(name, &columns, &tags, preference, CallStyle::Turn),
        "openai" => messages(name, &columns, &tags, preference, CallStyle::Fields),
        other => Err(MappingError(format!("`formatting` is `{other}`; allowed are {}", list(&FORMATTINGS)))),
    }
}

fn alpaca(name: Name, columns: &Section<'_>, preference: Option<[Name; 2]>) -> Result<Format> {
    // Whoever names columns names all of them; without any the usual names hold.
    let input = if columns.members.is_empty() { Some("input".into()) } else { columns.name("query")? };
    let flat = Flat {
        name,
        prompt: columns.name_or("prompt", "instruction")?,
        input,
        completion: columns.name_or("response", "output")?,
        system: columns.name("system")?,
        history: columns.name("history")?,
        preference,
        label: columns.name("kto_tag")?,
        tools: columns.name("tools")?,
        partial: false,
    };
    let optional = [&flat.input, &flat.system, &flat.history, &flat.label, &flat.tools];
    let mut names = vec![&flat.prompt, &flat.completion];
    names.extend(optional.into_iter().flatten());
    names.extend(flat.preference.iter().flatten());
    columns.distinct(&names)?;
    Ok(Format::Flat(flat))
}

fn messages(
    name: Name,
    columns: &Section<'_>,
    tags: &Section<'_>,
    preference: Option<[Name; 2]>,
    calls: CallStyle,
) -> Result<Format> {
    let usual = match calls {
        CallStyle::Fields => ["role", "content", "user", "assistant", "tool"],
        _ => ["from", "value", "human", "gpt", "observation"],
    };
    let [role, content, user, assistant, observation] = usual;
    let turns = Turns {
        name,
        list: vec![columns.name_or("messages", "conversations")?],
        role: vec![tags.name_or("role_tag", role)?],
        content: vec![tags.name_or("content_tag", content)?],
        reasoning: turns::REASONING.map(Name::from).into(),
        weight: turns::WEIGHT.map(Name::from).into(),
        spelling: vec![
            (tags.name_or("user_tag", user)?, Role::User),
            (tags.name_or("assistant_tag", assistant)?, Role::Assistant),
            (tags.name_or("observation_tag", observation)?, Role::Tool),
            (tags.name_or("system_tag", "system")?, Role::System),
        ],
        calls,
        call_role: tags.name_or("function_tag", turns::CALL_ROLES[0])?,
        train: None,
        system: columns.name("system")?,
        tools: columns.name("tools")?.into_iter().collect(),
        preference,
        label: columns.name("kto_tag")?,
    };
    let mut names = vec![&turns.list[0]];
    names.extend(turns.tools.iter().chain(&turns.system).chain(&turns.label));
    names.extend(turns.preference.iter().flatten());
    columns.distinct(&names)?;
    let roles = turns.spelling.iter().map(|(name, _)| name).chain([&turns.call_role]);
    tags.distinct(&roles.collect::<Vec<_>>())?;
    tags.distinct(&[&turns.role[0], &turns.content[0]])?;
    Ok(Format::Turns(turns))
}
