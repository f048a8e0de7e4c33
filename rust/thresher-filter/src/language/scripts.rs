//! Which languages a letter speaks for: by its script alone, or by the n-grams that it is part of.

use unicode_script::{Script, UnicodeScript};

/// Scripts that one language of this detector is written in, and how much a letter of them says beside a Latin one.
pub(super) const SINGLE: [(Script, &str, u32); 20] = [
    (Script::Greek, "el", 1),
    (Script::Armenian, "hy", 1),
    (Script::Hebrew, "he", 1),
    (Script::Georgian, "ka", 1),
    (Script::Bengali, "bn", 1),
    (Script::Gurmukhi, "pa", 1),
    (Script::Gujarati, "gu", 1),
    (Script::Tamil, "ta", 1),
    (Script::Telugu, "te", 1),
    (Script::Thai, "th", 1),
    (Script::Hangul, "ko", 3),
    (Script::Lao, "lo", 1),
    (Script::Khmer, "km", 1),
    (Script::Myanmar, "my", 1),
    (Script::Sinhala, "si", 1),
    (Script::Kannada, "kn", 1),
    (Script::Malayalam, "ml", 1),
    (Script::Oriya, "or", 1),
    (Script::Ethiopic, "am", 2),
    (Script::Tibetan, "bo", 1),
];

/// Scripts that several languages share, in the order of the groups of the model.
pub(super) const SHARED: [Script; 4] = [Script::Latin, Script::Cyrillic, Script::Arabic, Script::Devanagari];

/// How much a Chinese character or a kana says beside a Latin letter.
pub(super) const EAST_ASIAN_WEIGHT: u32 = 3;

/// What a character is to the detector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing: it ends a word.
    #[default]
    None,
    /// A letter of a script that several languages share.
    Shared(u8),
    /// A letter of a script of one language.
    Single(u8),
    /// A Chinese character.
    Han,
    /// Hiragana or Katakana.
    Kana,
}

/// The class of a character. Marks belong to words, and to the script of the letters that they stand with.
pub(super) fn class(c: char) -> Class {
    let script = c.script();
    if !c.is_alphabetic() && !is_mark(c, script) {
        return Class::None;
    }
    match script {
        Script::Han => Class::Han,
        Script::Hiragana | Script::Katakana => Class::Kana,
        script => SHARED.iter().position(|shared| *shared == script).map_or_else(
            || {
                let single = SINGLE.iter().position(|(single, ..)| *single == script);
                single.map_or(Class::None, |place| Class::Single(place as u8))
            },
            |place| Class::Shared(place as u8),
        ),
    }
}

/// Signs of Indic scripts that are no letters, such as the virama.
fn is_mark(c: char, script: Script) -> bool {
    script == Script::Devanagari && matches!(c, '\u{900}'..='\u{963}')
}
