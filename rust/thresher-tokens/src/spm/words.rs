//! A stretch becomes words: blanks where the file puts them, and cuts at blanks.
//!
//! Everything here knows a blank for `▁`, see [`crate::normalize`].

use memchr::memmem;
use serde_json::Value;

use crate::{
    joints::Joints,
    model::Stretch,
    normalize::{META, Normalizer},
};

/// When a stretch that does not begin with a blank is given one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prepend {
    Never,
    /// If the text begins with it.
    First,
    Always,
}

/// How the pre-tokenizer of a file cuts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) prepend: Prepend,
    /// Whether every blank begins a word that no token reaches over; else the whole stretch is one word.
    pub(super) split: bool,
    /// Whether words end at any white space, which is dropped.
    white_space: bool,
    /// What reports call it.
    pub(super) name: &'static str,
}

impl Words {
    /// Of a file's `pre_tokenizer`, behind its normaliser; the error names what is not done here.
    pub(super) fn read(pre_tokenizer: Option<&Value>, normalizer: &Normalizer) -> Result<Self, String> {
        let blanks = normalizer.blanks;
        let mut words = Self { prepend: Prepend::Never, split: false, white_space: false, name: "one word" };
        let parts: Vec<&Value> = match pre_tokenizer.filter(|value| !value.is_null()) {
            Some(sequence) if sequence["type"] == "Sequence" => {
                sequence["pretokenizers"].as_array().into_iter().flatten().collect()
            }
            other => other.into_iter().collect(),
        };
        let mut meta = false;
        for part in parts {
            match part["type"].as_str().unwrap_or("without a type") {
                "Metaspace" if !meta => {
                    words.read_metaspace(part)?;
                    meta = true;
                }
                "WhitespaceSplit" if !meta && !blanks => words.white_space = true,
                // It looks for blanks where there are none any more.
                "Split" if blanks && part["pattern"]["String"] == " " && part["invert"] != true => {}
                kind => return Err(format!("its pre-tokenizer `{kind}` is not done here for its model")),
            }
        }
        if !meta && !blanks {
            return Err("its blanks are not written as `▁`".to_owned());
        }
        if words.prepend == Prepend::First && !normalizer.keeps_start() {
            return Err(
                "its first word begins with `▁` if its text does, whose start may be normalised away"
                    .to_owned(),
            );
        }
        if words.white_space && (words.prepend != Prepend::Always || !words.split) {
            return Err("its words end at white space and do not all begin with `▁`".to_owned());
        }
        if words.white_space {
            words.name = "words at white space";
        }
        Ok(words)
    }

    fn read_metaspace(&mut self, part: &Value) -> Result<(), String> {
        if part["replacement"] != META {
            return Err(format!("its blanks are written as {}", part["replacement"]));
        }
        let scheme = part["prepend_scheme"].as_str().unwrap_or("always");
        self.prepend = match scheme {
            _ if part["add_prefix_space"] == false => Prepend::Never,
            "always" => Prepend::Always,
            "first" => Prepend::First,
            _ => Prepend::Never,
        };
        self.split = part["split"].as_bool().unwrap_or(true);
        self.name = if self.split { "words at blanks" } else { "one word" };
        Ok(())
    }

    /// The stretch with blanks where they belong: as it is, or in `scratch`.
    pub(super) fn prepare<'t>(&self, stretch: Stretch<'t>, scratch: &'t mut String) -> &'t str {
        let text = stretch.text;
        if self.white_space {
            scratch.clear();
            for word in text.split_whitespace() {
                if !word.starts_with(META) {
                    scratch.push(' ');
                }
                push_blanks(word, scratch);
            }
            return scratch;
        }
        let begins = text.starts_with([' ', '▁']);
        let prepend = !begins
            && match self.prepend {
                Prepend::Never => false,
                Prepend::First => stretch.first,
                Prepend::Always => true,
            };
        if !prepend && memmem::find(text.as_bytes(), META.as_bytes()).is_none() {
            return text;
        }
        scratch.clear();
        scratch.reserve(text.len() + 1);
        if prepend {
            scratch.push(' ');
        }
        push_blanks(text, scratch);
        scratch
    }

    /// Hands `take` the parts of a prepared stretch, in order, that blanks begin: all of them if words are split there, else those
    /// that no token reaches over by `joints`.
    #[inline(always)]
    pub(super) fn cut(&self, text: &str, joints: &Joints, mut take: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        let mut start = 0;
        for at in memchr::memchr_iter(b' ', bytes) {
            if at > start && (self.split || !joints.join_blank(bytes[at - 1])) {
                take(start, at);
                start = at;
            }
        }
        if start < bytes.len() {
            take(start, bytes.len());
        }
    }
}

/// Appends `text` with blanks for `▁`.
fn push_blanks(text: &str, into: &mut String) {
    let mut done = 0;
    for at in memmem::find_iter(text.as_bytes(), META.as_bytes()) {
        into.push_str(&text[done..at]);
        into.push(' ');
        done = at + META.len();
    }
    into.push_str(&text[done..]);
}
