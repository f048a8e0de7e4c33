//! Formats that are described as data: the dataset entries of other trainers.
//!
//! | trainer | what it is | read by |
//! |---|---|---|
//! | LLaMA-Factory | an entry of `dataset_info.json` | [`llama_factory`] |
//! | axolotl | an element of `datasets` in its configuration | [`axolotl`] |
//!
//! Only what says how rows are laid out counts; where the data is and how it is trained on is taken and not looked at.
//! An unknown key is refused: a misspelled one would else lose a column without a word.

mod axolotl;
mod llama_factory;

use std::borrow::Cow;

use thresher_core::json::{Json, Kind};

use crate::format::Format;

type Name = Cow<'static, str>;
type Result<T> = std::result::Result<T, MappingError>;

/// Why a mapping describes no format: what was wrong with which key, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MappingError(String);

impl Format {
    /// The format that a dataset entry of LLaMA-Factory or axolotl describes.
    ///
    /// # Errors
    /// What is wrong with which of its keys.
    pub fn from_mapping(mapping: Json<'_>) -> std::result::Result<Self, MappingError> {
        read(mapping)
    }
}

/// The format that an entry describes.
fn read(mapping: Json<'_>) -> Result<Format> {
    if mapping.kind() != Kind::Object {
        return Err(MappingError(format!(
            "a mapping is {}, but it has to be an object",
            mapping.kind().name()
        )));
    }
    let has = |names: &[&str]| mapping.entries().any(|(key, _)| names.iter().any(|name| key.is(name)));
    if has(&llama_factory::OWN) {
        llama_factory::read(mapping)
    } else if has(&axolotl::OWN) {
        axolotl::read(mapping)
    } else {
        let entries = mapping.members();
        match &entries[..] {
            // A whole `dataset_info.json`.
            [(_, entry)] if entry.kind() == Kind::Object => read(*entry),
            [_, _, ..] if entries.iter().all(|(_, entry)| entry.kind() == Kind::Object) => {
                let names: Vec<_> = entries.iter().map(|(name, _)| name.escaped()).collect();
                Err(MappingError(format!(
                    "the mapping describes several datasets, give one of {}",
                    list(&names)
                )))
            }
            _ => Err(MappingError(format!(
                "the mapping is neither an entry of LLaMA-Factory's dataset_info.json (with one of {}) nor of axolotl's \
                 `datasets` (with one of {})",
                list(&llama_factory::OWN),
                list(&axolotl::OWN)
            ))),
        }
    }
}

/// Names in backticks.
fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A name that tells mappings apart: the same text gives the same name, on every machine and in every version.
fn format_name(trainer: &str, mapping: Json<'_>) -> Name {
    // FNV-1a (Fowler, Noll, Vo); constants of its 64-bit variant.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = mapping.text().bytes().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{trainer}:{hash:016x}").into()
}

/// An object of a mapping whose keys are known.
struct Section<'a> {
    title: &'static str,
    members: Vec<(Name, Json<'a>)>,
}

impl<'a> Section<'a> {
    /// Takes an object whose keys are all among `allowed`.
    fn new(title: &'static str, object: Json<'a>, allowed: &[&[&str]]) -> Result<Self> {
        if object.kind() != Kind::Object {
            let kind = object.kind().name();
            return Err(MappingError(format!("{title} is {kind}, but it has to be an object")));
        }
        let mut members = Vec::new();
        for (key, value) in object.members() {
            let key = key.decode().map_err(|error| MappingError(format!("a key of {title} has {error}")))?;
            if !allowed.iter().any(|names| names.contains(&&*key)) {
                let allowed = list(&allowed.concat());
                return Err(MappingError(format!("`{key}` is unknown in {title}; allowed are {allowed}")));
            }
            members.push((Cow::Owned(key.into_owned()), value));
        }
        Ok(Self { title, members })
    }

    /// The value of a key; null is no value.
    fn get(&self, key: &str) -> Option<Json<'a>> {
        let (_, value) = self.members.iter().find(|(name, _)| name == key)?;
        (value.kind() != Kind::Null).then_some(*value)
    }

    /// A section in this one.
    fn section(&self, title: &'static str, allowed: &[&[&str]]) -> Result<Self> {
        let key = title.trim_matches('`');
        match self.get(key) {
            Some(object) => Self::new(title, object, allowed),
            None => Ok(Self { title, members: Vec::new() }),
        }
    }

    fn name(&self, key: &str) -> Result<Option<Name>> {
        self.get(key).map(|value| self.text(key, value)).transpose()
    }

    /// The name at `key`, or the usual one.
    fn name_or(&self, key: &str, usual: &'static str) -> Result<Name> {
        Ok(self.name(key)?.unwrap_or(Cow::Borrowed(usual)))
    }

    fn flag(&self, key: &str) -> Result<bool> {
        match self.get(key).map(Json::text) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(MappingError(format!(
                "`{key}` in {} is `{other}`, but it has to be true or false",
                self.title
            ))),
        }
    }

    /// The names in the array at `key`, or in place of an array the only one.
    fn names(&self, key: &str) -> Result<Option<Vec<Name>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        if value.kind() != Kind::Array {
            return Ok(Some(vec![self.text(key, value)?]));
        }
        value.items().map(|item| self.text(key, item)).collect::<Result<_>>().map(Some)
    }

    fn text(&self, key: &str, value: Json<'_>) -> Result<Name> {
        let text = value.as_str().and_then(|text| Some(text.decode().ok()?.into_owned()));
        text.filter(|text| !text.is_empty()).map(Cow::Owned).ok_or_else(|| {
            let value = value.text();
            MappingError(format!(
                "`{key}` in {} is `{value}`, but it has to be a name (a string)",
                self.title
            ))
        })
    }

    /// Refuses two columns of the same name.
    fn distinct(&self, columns: &[&Name]) -> Result<()> {
        let twice = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name));
        match twice {
            Some((_, name)) => Err(MappingError(format!("{} names `{name}` for two things", self.title))),
            None => Ok(()),
        }
    }
}
