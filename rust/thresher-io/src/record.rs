//! What a run sees of a file: records and bad records, handed to a visitor in file order.
//!
//! A reader borrows everything it hands over from its own buffers, so that a record costs no
//! allocation; a visitor copies what it wants to keep.

use thresher_core::json::Scalar;

use crate::error::Result;

/// One good record.
#[derive(Debug)]
pub struct Record<'a> {
    /// The record's position in its unit, counting bad records too.
    pub slot: u32,
    /// Where it starts: a byte offset in the decoded file (0 in columnar files and folders).
    pub offset: u64,
    /// The document's text, valid UTF-8.
    pub text: &'a str,
    /// The id field, if one was asked for and is there.
    pub id: Option<Scalar<'a>>,
    /// The rank field, if one was asked for and is there.
    pub rank: Option<Scalar<'a>>,
    /// What the books count for it: the bytes of its line (with the line end), of its file, or of its text.
    pub bytes: u64,
}

/// Why a record was set aside. The name is what `quarantine/` and `run.json` show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The line is not one JSON object.
    InvalidJson,
    /// The line or file is not UTF-8.
    InvalidUtf8,
    /// The text field is not there.
    MissingText,
    /// The text field is null.
    NullText,
    /// The text field is not a string.
    TextNotString,
    /// The text has an escaped surrogate without its partner (`\ud800`), which no UTF-8 can carry.
    LoneSurrogate,
    /// The field with the number of tokens is not there, or holds something else.
    NoLength,
    /// The record is longer than the limit on one record.
    TooLong,
    /// The file ends, or its compressed data breaks off, inside the record.
    Truncated,
    /// The record lies in a gzip member or zstd frame that does not pass its check, or cannot be decoded to its end.
    DamagedMember,
    /// Something else follows the compressed data.
    TrailingGarbage,
    /// The compressed data needs a dictionary, or a window larger than 128 MiB.
    UnsupportedCompression,
    /// A unit of a columnar file could not be decoded, or the file is not what its name says.
    Corrupt,
    /// A columnar file or a column of it is encrypted.
    Encrypted,
    /// The tokenizer has no id for a part of the text.
    NoToken,
    /// The row cannot be read or written as chat data.
    Chat(thresher_chat::Reason),
    /// The row was checked, and has an error.
    Check(thresher_chat::validate::Code),
}

impl Reason {
    /// Those for which a record of a file is set aside, whatever is done with its content.
    pub(crate) const OF_FILES: [Self; 15] = [
        Self::InvalidJson,
        Self::InvalidUtf8,
        Self::MissingText,
        Self::NullText,
        Self::TextNotString,
        Self::LoneSurrogate,
        Self::NoLength,
        Self::TooLong,
        Self::Truncated,
        Self::DamagedMember,
        Self::TrailingGarbage,
        Self::UnsupportedCompression,
        Self::Corrupt,
        Self::Encrypted,
        Self::NoToken,
    ];

    /// A name that no other reason has, for the state of a run.
    pub(crate) fn stored(self) -> String {
        match self {
            Self::Chat(reason) => format!("chat:{}", reason.name()),
            Self::Check(code) => format!("check:{}", code.name()),
            reason => reason.name().to_owned(),
        }
    }

    /// The one with this stored name.
    pub(crate) fn of_stored(name: &str) -> Option<Self> {
        match name.split_once(':') {
            Some(("chat", name)) => thresher_chat::Reason::named(name).map(Self::Chat),
            Some(("check", name)) => thresher_chat::validate::Code::named(name).map(Self::Check),
            _ => Self::OF_FILES.into_iter().find(|reason| reason.name() == name),
        }
    }

    /// Whether nothing is known of the fields of such a record.
    pub(crate) fn is_unreadable(self) -> bool {
        use Reason as R;
        matches!(
            self,
            R::InvalidJson
                | R::InvalidUtf8
                | R::TooLong
                | R::Truncated
                | R::DamagedMember
                | R::TrailingGarbage
                | R::UnsupportedCompression
                | R::Corrupt
        )
    }

    /// The stable name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::MissingText => "missing_text",
            Self::NullText => "null_text",
            Self::TextNotString => "text_not_string",
            Self::LoneSurrogate => "lone_surrogate",
            Self::NoLength => "no_length",
            Self::TooLong => "too_long",
            Self::Truncated => "truncated",
            Self::DamagedMember => "damaged_member",
            Self::TrailingGarbage => "trailing_garbage",
            Self::UnsupportedCompression => "unsupported_compression",
            Self::Corrupt => "corrupt",
            Self::Encrypted => "encrypted",
            Self::NoToken => "no_token",
            Self::Chat(reason) => reason.name(),
            Self::Check(code) => code.name(),
        }
    }
}

/// One record that could not be used.
#[derive(Debug)]
pub struct BadRecord<'a> {
    /// The record's position in its unit.
    pub slot: u32,
    /// Where it starts: a byte offset in the decoded file (0 in columnar files).
    pub offset: u64,
    /// What is wrong.
    pub reason: Reason,
    /// One sentence more, such as the parser's message.
    pub detail: String,
    /// The record as it stood in the file; empty in columnar files.
    pub raw: &'a [u8],
    /// What the books count for it.
    pub bytes: u64,
}

/// Receives the records of one unit in order.
pub trait Visitor {
    /// A good record.
    ///
    /// # Errors
    /// Whatever makes the run stop.
    fn record(&mut self, record: Record<'_>) -> Result<()>;
    /// A record to be set aside.
    ///
    /// # Errors
    /// Whatever makes the run stop (`--strict`).
    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()>;

    /// A slot whose record an earlier step of the run has taken out: it belongs to no book of this one.
    fn absent(&mut self, slot: u32) {
        let _ = slot;
    }

    /// Bytes that belong to no record: blank lines, a byte order mark.
    fn blank(&mut self, bytes: u64) {
        let _ = bytes;
    }
}
