//! Whether the fields that a run was asked for are in its records at all.
//!
//! A field may be missing in a record: that one goes to quarantine, or has no id or rank. A field that no record has is a
//! mistyped name, and everything would be set aside for it, or nothing ranked. So the run stops as soon as enough records
//! lack it, and at the end of a shorter corpus. Columnar files need no such watch: their schema says it before.

use thresher_core::json::{FieldPath, Fields, Json, Kind};

use crate::error::{Error, Result};
use crate::quarantine::BadRecords;
use crate::record::Reason;
use crate::runs::rows::sample;
use crate::runs::source::Source;
use crate::suggest;

/// So many records without a field are no chance.
const ENOUGH: u64 = 1000;
/// Names that are looked for in the records, for the message.
const NAMES: usize = 1000;

/// Records that have what was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Having {
    /// All that are JSON objects.
    pub(crate) records: u64,
    pub(crate) text: u64,
    pub(crate) text_is_string: u64,
    pub(crate) id: u64,
    pub(crate) rank: u64,
}

impl Having {
    /// The records of a unit with `docs` good ones, so many of them with an id and a rank.
    pub(crate) fn of(docs: u64, bad: &BadRecords, id: u64, rank: u64) -> Self {
        let other = bad.docs_of(Reason::TextNotString);
        let text_is_string = docs + bad.docs_of(Reason::NullText) + bad.docs_of(Reason::LoneSurrogate);
        let text = text_is_string + other;
        Self { records: text + bad.docs_of(Reason::MissingText), text, text_is_string, id, rank }
    }

    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.text += other.text;
        self.text_is_string += other.text_is_string;
        self.id += other.id;
        self.rank += other.rank;
    }
}

/// Watches over the fields of a run.
pub(crate) struct FieldWatch<'a> {
    sources: &'a [Source],
    fields: &'a Fields,
    having: Having,
    is_settled: bool,
    /// The parameter that names the field of the id.
    id: &'static str,
}

impl<'a> FieldWatch<'a> {
    pub(crate) fn new(sources: &'a [Source], fields: &'a Fields) -> Self {
        Self { sources, fields, having: Having::default(), is_settled: false, id: "id" }
    }

    /// The field of the id is named by this parameter.
    pub(crate) fn with_id_as(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    /// Takes the records of the next unit, of the input of this index.
    ///
    /// # Errors
    /// `Error::Parameter` if enough records were seen and none has one of the fields.
    pub(crate) fn see(&mut self, input: usize, having: Having) -> Result<()> {
        if self.is_settled || matches!(self.sources[input].stored(), Source::Parquet(_) | Source::Ipc(_)) {
            return Ok(());
        }
        self.having.add(having);
        if self.having.records >= ENOUGH {
            self.check()?;
            self.is_settled = true;
        }
        Ok(())
    }

    /// There are no more records.
    ///
    /// # Errors
    /// `Error::Parameter` if none has one of the fields.
    pub(crate) fn end(&self) -> Result<()> {
        if self.is_settled { Ok(()) } else { self.check() }
    }

    fn check(&self) -> Result<()> {
        let Having { records, text, text_is_string, id, rank } = self.having;
        if records == 0 {
            return Ok(());
        }
        let lacking = |parameter: &str, path: &FieldPath, what: &str| {
            let names = field_names(self.sources)?;
            let path = path.to_string();
            let of = if records == 1 {
                "the only record has".to_owned()
            } else {
                format!("none of {records} records has")
            };
            let hint = suggest::nearest(&path, &names);
            let list = if names.is_empty() {
                "there are no fields".to_owned()
            } else {
                suggest::listing("the fields are", &names)
            };
            Err(Error::Parameter(format!("{parameter} is `{path}`, but {of} {what}; {hint}{list}")))
        };
        let only = if records == 1 { "no " } else { "a " };
        match &self.fields.text {
            Some(path) if text == 0 => return lacking("text", path, &format!("{only}field of that name")),
            Some(path) if text_is_string == 0 => {
                return lacking("text", path, &format!("{only}string in it"));
            }
            _ => {}
        }
        let scalar = format!("{only}number or string in it");
        match (&self.fields.id, &self.fields.rank) {
            (Some(path), _) if id == 0 && text_is_string > 0 => lacking(self.id, path, &scalar),
            (_, Some(path)) if rank == 0 && text_is_string > 0 => lacking("the rank of keep", path, &scalar),
            _ => Ok(()),
        }
    }
}

/// The same for rows of chat data, whose format says which fields they have.
pub(crate) struct FormatWatch<'a> {
    sources: &'a [Source],
    /// Rows that lack a field.
    lacking: u64,
    /// What the first of them lacks.
    detail: String,
    is_settled: bool,
}

impl<'a> FormatWatch<'a> {
    pub(crate) fn new(sources: &'a [Source]) -> Self {
        Self { sources, lacking: 0, detail: String::new(), is_settled: false }
    }

    /// Takes what became of the rows of the next unit.
    ///
    /// # Errors
    /// `Error::Parameter` if enough rows were seen and all lack a field of the format.
    pub(crate) fn see(&mut self, format: &str, good: u64, bad: &BadRecords) -> Result<()> {
        if self.is_settled {
            return Ok(());
        }
        let missing = [
            Reason::Chat(thresher_chat::Reason::MissingField),
            Reason::Check(thresher_chat::validate::Code::MissingField),
        ];
        let lacking: u64 = missing.iter().map(|&reason| bad.docs_of(reason)).sum();
        if let (true, Some(first)) =
            (self.lacking == 0, missing.iter().find_map(|&reason| bad.first_of(reason)))
        {
            self.detail.clone_from(&first.detail);
        }
        self.lacking += lacking;
        // A row that is refused for another reason has the fields.
        self.is_settled = good + bad.tally().docs > lacking + bad.unreadable();
        if !self.is_settled && self.lacking >= ENOUGH {
            return self.end(format);
        }
        Ok(())
    }

    /// There are no more rows.
    ///
    /// # Errors
    /// `Error::Parameter` if all lack a field of the format.
    pub(crate) fn end(&self, format: &str) -> Result<()> {
        if self.is_settled || self.lacking == 0 {
            return Ok(());
        }
        let names = field_names(self.sources)?;
        Err(Error::Parameter(format!(
            "none of {} rows is of the format `{format}`: in the first one, {}; {}; name another format, or give a mapping of \
             the fields",
            self.lacking,
            self.detail,
            suggest::listing("the fields are", &names)
        )))
    }
}

/// Dotted names of the fields in the first rows of the inputs, in order of their first appearance.
///
/// # Errors
/// I/O failures.
pub(crate) fn field_names(sources: &[Source]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for row in sample(sources, &|| Ok(()))? {
        if let Ok(row) = Json::parse(&row) {
            collect(row, "", &mut names);
        }
        if names.len() >= NAMES {
            break;
        }
    }
    Ok(names)
}

fn collect(object: Json<'_>, outer: &str, names: &mut Vec<String>) {
    for (key, value) in object.entries() {
        let Ok(key) = key.decode() else { continue };
        let name = format!("{outer}{}", suggest::escaped(&key));
        if value.kind() == Kind::Object && value.entries().next().is_some() {
            collect(value, &format!("{name}."), names);
        } else if !names.contains(&name) && names.len() < NAMES {
            names.push(name);
        }
    }
}
