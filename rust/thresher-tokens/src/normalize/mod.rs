//! Normalisers of tokenizer.json files: what becomes of a stretch of text before it is cut.
//!
//! Most texts are normal already. Each step looks first and passes on what it was given, so such a text is never copied. A
//! step that is not done here, or not exactly, is refused by name, and the file goes to the crate.
//!
//! Models of `SentencePiece`'s kind write a blank as `▁` (U+2581), and their files replace every blank by it. Here it is the
//! other way round: `▁` becomes a blank, which rarely happens, and the tables of the models know blanks. Both
//! are the same text, written with another letter for one character, as long as no blank is left after the replacement.

mod charsmap;
mod forms;
mod graphemes;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::memmem;
use serde_json::Value;

use charsmap::Charsmap;
use forms::Form;

/// How `SentencePiece` writes a blank.
pub(crate) const META: &str = "▁";

/// The normaliser of a file.
#[derive(Debug, Default)]
pub(crate) struct Normalizer {
    steps: Vec<Step>,
    /// Whether the file turns blanks into `▁`, so that here `▁` is turned into a blank.
    pub(crate) blanks: bool,
}

/// One step.
#[derive(Debug)]
enum Step {
    Form(Form),
    Lowercase,
    StripAccents,
    Strip {
        left: bool,
        right: bool,
    },
    Prepend(String),
    /// A text by another.
    Replace {
        finder: Box<memmem::Finder<'static>>,
        by: String,
    },
    /// Two blanks and more by a text.
    ReplaceBlanks(String),
    Charsmap(Box<Charsmap>),
}

impl Normalizer {
    /// Of a file's `normalizer`; the error names what is not done here.
    pub(crate) fn read(normalizer: Option<&Value>) -> Result<Self, String> {
        let mut steps = Vec::new();
        if let Some(normalizer) = normalizer.filter(|value| !value.is_null()) {
            read_into(normalizer, &mut steps)?;
        }
        let to_meta = |step: &Step| matches!(step, Step::Replace { finder, by } if finder.needle() == b" " && by == META);
        let Some(at) = steps.iter().position(to_meta) else { return Ok(Self { steps, blanks: false }) };
        for (place, step) in steps.iter_mut().enumerate() {
            match step {
                // What is put before a text is written as the text is at that place.
                Step::Prepend(prefix) if place > at => {
                    if prefix.contains(' ') {
                        return Err(
                            "its normalizer makes blanks behind the step that replaces them".to_owned()
                        );
                    }
                    *prefix = prefix.replace(META, " ");
                }
                _ if place > at => {
                    return Err("its normalizer goes on behind the step that replaces blanks".to_owned());
                }
                _ => {}
            }
        }
        steps[at] =
            Step::Replace { finder: Box::new(memmem::Finder::new(META).into_owned()), by: " ".to_owned() };
        Ok(Self { steps, blanks: true })
    }

    /// Bytes of its tables.
    pub(crate) fn bytes(&self) -> usize {
        let of = |step: &Step| match step {
            Step::Charsmap(charsmap) => charsmap.bytes(),
            _ => 0,
        };
        self.steps.iter().map(of).sum()
    }

    /// A stretch, normalised.
    pub(crate) fn normalize<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for step in &self.steps {
            if let Some(changed) = step.apply(&text) {
                text = Cow::Owned(changed);
            }
        }
        text
    }

    /// Whether the first character of a text becomes the first one of what is normalised.
    pub(crate) fn keeps_start(&self) -> bool {
        let keeps = |step: &Step| match step {
            Step::Replace { finder, by } => !by.is_empty() && one_char(finder.needle()),
            _ => false,
        };
        self.steps.iter().all(keeps)
    }
}

fn one_char(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.chars().count() == 1)
}

/// Appends the steps of a normaliser.
fn read_into(normalizer: &Value, steps: &mut Vec<Step>) -> Result<(), String> {
    let kind = normalizer["type"].as_str().unwrap_or("without a type");
    let text = |key: &str| normalizer[key].as_str().map(str::to_owned);
    let flag = |key: &str| normalizer[key].as_bool().unwrap_or(false);
    let refused = || format!("its normalizer `{kind}` is not done here");
    steps.push(match kind {
        "Sequence" => {
            let parts = normalizer["normalizers"].as_array().map_or(&[][..], Vec::as_slice);
            return parts.iter().try_for_each(|part| read_into(part, steps));
        }
        "NFC" => Step::Form(Form::Nfc),
        "NFD" => Step::Form(Form::Nfd),
        "NFKC" => Step::Form(Form::Nfkc),
        "NFKD" => Step::Form(Form::Nfkd),
        "Lowercase" => Step::Lowercase,
        "StripAccents" => Step::StripAccents,
        "Strip" => Step::Strip { left: flag("strip_left"), right: flag("strip_right") },
        "Prepend" => Step::Prepend(text("prepend").filter(|prefix| !prefix.is_empty()).ok_or_else(refused)?),
        "Replace" => {
            let by = text("content").ok_or_else(refused)?;
            match (&normalizer["pattern"]["String"], &normalizer["pattern"]["Regex"]) {
                (Value::String(needle), _) if !needle.is_empty() => {
                    Step::Replace { finder: Box::new(memmem::Finder::new(needle).into_owned()), by }
                }
                (_, Value::String(regex)) if regex == " {2,}" => Step::ReplaceBlanks(by),
                (_, pattern) => {
                    return Err(format!("its normalizer replaces `{pattern}`, which is not done here"));
                }
            }
        }
        "Precompiled" => Step::Charsmap(Box::new(Charsmap::read(
            normalizer["precompiled_charsmap"].as_str().unwrap_or(""),
        )?)),
        _ => return Err(refused()),
    });
    Ok(())
}

impl Step {
    /// The changed text; `None` if it stays as it is.
    fn apply(&self, text: &str) -> Option<String> {
        match self {
            Self::Form(form) => form.apply(text),
            Self::Lowercase => lowercase(text),
            Self::StripAccents => {
                let mark = unicode_normalization_alignments::char::is_combining_mark;
                let first = text.bytes().position(|byte| byte >= forms::FIRST_MARK)?;
                text[floor(text, first)..]
                    .contains(mark)
                    .then(|| text.chars().filter(|&c| !mark(c)).collect())
            }
            Self::Strip { left, right } => {
                let mut kept = text;
                kept = if *left { kept.trim_start() } else { kept };
                kept = if *right { kept.trim_end() } else { kept };
                (kept.len() < text.len()).then(|| kept.to_owned())
            }
            Self::Prepend(prefix) => (!text.is_empty()).then(|| [prefix.as_str(), text].concat()),
            Self::Replace { finder, by } => replace(finder, text, by),
            Self::ReplaceBlanks(by) => replace_blanks(text, by),
            Self::Charsmap(charsmap) => charsmap.apply(text),
        }
    }
}

/// The start of the character that `at` lies in.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn lowercase(text: &str) -> Option<String> {
    let first = text.bytes().position(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())?;
    let mut lower = String::with_capacity(text.len());
    lower.push_str(&text[..first]);
    // One character by itself: the last sigma of a word is like any other.
    lower.extend(text[first..].chars().flat_map(char::to_lowercase));
    (lower != text).then_some(lower)
}

fn replace(finder: &memmem::Finder<'_>, text: &str, by: &str) -> Option<String> {
    let needle = finder.needle().len();
    let mut found = finder.find_iter(text.as_bytes()).peekable();
    found.peek()?;
    let mut changed = String::with_capacity(text.len());
    let mut done = 0;
    for at in found {
        changed.push_str(&text[done..at]);
        changed.push_str(by);
        done = at + needle;
    }
    changed.push_str(&text[done..]);
    Some(changed)
}

fn replace_blanks(text: &str, by: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut found = memmem::find(bytes, b"  ")?;
    let mut changed = String::with_capacity(text.len());
    let mut done = 0;
    loop {
        changed.push_str(&text[done..found]);
        changed.push_str(by);
        done = found + bytes[found..].iter().take_while(|&&byte| byte == b' ').count();
        match memmem::find(&bytes[done..], b"  ") {
            Some(next) => found = done + next,
            None => break,
        }
    }
    changed.push_str(&text[done..]);
    Some(changed)
}
