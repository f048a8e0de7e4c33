//! The published rules, as data: name, signal, direction, threshold.
//!
//! The order is that of the tool, so that the first failing rule is the one that the tool reports.
//!
//! Presets that follow datatrove cut words at blanks, as the papers do. datatrove itself asks spaCy for English, to which each
//! punctuation mark is a word: pages with many of them (code, tables) then have too few words with a letter, and it drops
//! most of them (`gopher.letter_words`). With its tokeniser set to blanks it decides as these presets do.

use crate::signals::{Group, Signal};

use super::{Bound, Rule};

/// A published set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Gopher's quality rules (Rae et al. 2021), as datatrove's `GopherQualityFilter`.
    Gopher,
    /// Gopher's repetition rules, as datatrove's `GopherRepetitionFilter`.
    GopherRepetition,
    /// The pages that C4 drops (Raffel et al. 2020), as datatrove's `C4QualityFilter`. What it leaves of a page is
    /// [`Extractor::c4_text`](crate::signals::Extractor::c4_text).
    C4,
    /// The rules that FineWeb added (Penedo et al. 2024), as datatrove's `FineWebQualityFilter`.
    FineWeb,
    /// The pages that DCLM-baseline drops (Li et al. 2024), as its `dclm_baseline_refinedweb.yaml` without URLs and languages. What
    /// it leaves of a page is [`Extractor::dclm_text`](crate::signals::Extractor::dclm_text).
    Dclm,
    /// Lengths of documents, lines and words. It has no thresholds of its own: a rule without one allows everything.
    Lengths,
}

const fn at_least(name: &'static str, signal: Signal, threshold: f64) -> Rule {
    Rule { name, signal, bound: Bound::AtLeast, threshold }
}

const fn at_most(name: &'static str, signal: Signal, threshold: f64) -> Rule {
    Rule { name, signal, bound: Bound::AtMost, threshold }
}

const GOPHER: [Rule; 10] = [
    at_least("gopher.min_words", Signal::GopherWords, 50.0),
    at_most("gopher.max_words", Signal::GopherWords, 100_000.0),
    at_least("gopher.min_mean_word", Signal::GopherMeanWord, 3.0),
    at_most("gopher.max_mean_word", Signal::GopherMeanWord, 10.0),
    at_most("gopher.hashes", Signal::GopherHashes, 0.1),
    at_most("gopher.ellipses", Signal::GopherEllipses, 0.1),
    at_most("gopher.bullet_lines", Signal::GopherBulletLines, 0.9),
    at_most("gopher.ellipsis_lines", Signal::GopherEllipsisLines, 0.3),
    at_least("gopher.letter_words", Signal::GopherLetterWords, 0.8),
    at_least("gopher.stop_words", Signal::GopherStopWords, 2.0),
];

const GOPHER_REPETITION: [Rule; 14] = [
    at_least("gopher-repetition.min_chars", Signal::Chars, 1.0),
    at_most("gopher-repetition.duplicate_paragraphs", Signal::DuplicateParagraphs, 0.3),
    at_most("gopher-repetition.duplicate_paragraph_chars", Signal::DuplicateParagraphChars, 0.2),
    at_most("gopher-repetition.duplicate_lines", Signal::DuplicateLines, 0.3),
    at_most("gopher-repetition.duplicate_line_chars", Signal::DuplicateLineChars, 0.2),
    at_most("gopher-repetition.top_2_gram", Signal::Top2Gram, 0.2),
    at_most("gopher-repetition.top_3_gram", Signal::Top3Gram, 0.18),
    at_most("gopher-repetition.top_4_gram", Signal::Top4Gram, 0.16),
    at_most("gopher-repetition.duplicate_5_grams", Signal::Duplicate5Grams, 0.15),
    at_most("gopher-repetition.duplicate_6_grams", Signal::Duplicate6Grams, 0.14),
    at_most("gopher-repetition.duplicate_7_grams", Signal::Duplicate7Grams, 0.13),
    at_most("gopher-repetition.duplicate_8_grams", Signal::Duplicate8Grams, 0.12),
    at_most("gopher-repetition.duplicate_9_grams", Signal::Duplicate9Grams, 0.11),
    at_most("gopher-repetition.duplicate_10_grams", Signal::Duplicate10Grams, 0.1),
];

const C4: [Rule; 3] = [
    at_most("c4.lorem_ipsum", Signal::C4LoremIpsum, 0.0),
    at_most("c4.curly_bracket", Signal::C4CurlyBracket, 0.0),
    at_least("c4.sentences", Signal::C4Sentences, 5.0),
];

const FINE_WEB: [Rule; 5] = [
    at_least("fineweb.min_lines", Signal::FineWebLines, 1.0),
    at_least("fineweb.line_punct", Signal::FineWebLinePunct, 0.12),
    at_most("fineweb.short_lines", Signal::FineWebShortLines, 0.67),
    at_most("fineweb.duplicate_chars", Signal::FineWebDuplicateChars, 0.01),
    at_most("fineweb.newlines", Signal::FineWebNewlines, 0.3),
];

const DCLM: [Rule; 23] = [
    at_least("dclm.min_words", Signal::DclmWords, 50.0),
    at_most("dclm.max_words", Signal::DclmWords, 100_000.0),
    at_least("dclm.min_mean_word", Signal::DclmMeanWord, 3.0),
    at_most("dclm.max_mean_word", Signal::DclmMeanWord, 10.0),
    at_most("dclm.symbols", Signal::DclmSymbols, 0.1),
    at_most("dclm.bullet_lines", Signal::DclmBulletLines, 0.9),
    at_most("dclm.ellipsis_lines", Signal::DclmEllipsisLines, 0.3),
    at_most("dclm.no_letter_words", Signal::DclmNoLetterWords, 0.2),
    at_least("dclm.stop_words", Signal::DclmStopWords, 2.0),
    at_most("dclm.repeated_lines", Signal::DclmRepeatedLines, 0.3),
    at_most("dclm.repeated_paragraphs", Signal::DclmRepeatedParagraphs, 0.3),
    at_most("dclm.repeated_line_chars", Signal::DclmRepeatedLineChars, 0.2),
    at_most("dclm.repeated_paragraph_chars", Signal::DclmRepeatedParagraphChars, 0.2),
    at_most("dclm.top_2_gram", Signal::DclmTop2Gram, 0.2),
    at_most("dclm.top_3_gram", Signal::DclmTop3Gram, 0.18),
    at_most("dclm.top_4_gram", Signal::DclmTop4Gram, 0.16),
    at_most("dclm.repeated_5_grams", Signal::DclmRepeated5Grams, 0.15),
    at_most("dclm.repeated_6_grams", Signal::DclmRepeated6Grams, 0.14),
    at_most("dclm.repeated_7_grams", Signal::DclmRepeated7Grams, 0.13),
    at_most("dclm.repeated_8_grams", Signal::DclmRepeated8Grams, 0.12),
    at_most("dclm.repeated_9_grams", Signal::DclmRepeated9Grams, 0.11),
    at_most("dclm.repeated_10_grams", Signal::DclmRepeated10Grams, 0.1),
    at_most("dclm.removed_words", Signal::DclmRemovedWords, 0.05),
];

const LENGTHS: [Rule; 14] = [
    at_least("lengths.min_chars", Signal::Chars, f64::NAN),
    at_most("lengths.max_chars", Signal::Chars, f64::NAN),
    at_least("lengths.min_words", Signal::Words, f64::NAN),
    at_most("lengths.max_words", Signal::Words, f64::NAN),
    at_least("lengths.min_lines", Signal::Lines, f64::NAN),
    at_most("lengths.max_lines", Signal::Lines, f64::NAN),
    at_least("lengths.min_longest_line", Signal::LongestLine, f64::NAN),
    at_most("lengths.max_longest_line", Signal::LongestLine, f64::NAN),
    at_least("lengths.min_mean_line", Signal::MeanLine, f64::NAN),
    at_most("lengths.max_mean_line", Signal::MeanLine, f64::NAN),
    at_least("lengths.min_mean_word", Signal::MeanWord, f64::NAN),
    at_most("lengths.max_mean_word", Signal::MeanWord, f64::NAN),
    at_least("lengths.min_longest_word", Signal::LongestWord, f64::NAN),
    at_most("lengths.max_longest_word", Signal::LongestWord, f64::NAN),
];

impl Preset {
    /// All presets.
    pub const ALL: [Self; 6] =
        [Self::Gopher, Self::GopherRepetition, Self::C4, Self::FineWeb, Self::Dclm, Self::Lengths];

    /// The preset of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gopher => "gopher",
            Self::GopherRepetition => "gopher-repetition",
            Self::C4 => "c4",
            Self::FineWeb => "fineweb",
            Self::Dclm => "dclm",
            Self::Lengths => "lengths",
        }
    }

    /// Whose definition it follows, where several exist.
    #[must_use]
    pub const fn semantics(self) -> &'static str {
        match self {
            Self::Dclm => "mlfoundations/dclm 361714b",
            Self::Lengths => "thresholds of the user, words cut at blanks",
            _ => "datatrove 0.10.1, words cut at blanks",
        }
    }

    /// The signals that its rules need.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Gopher => Group::Gopher,
            Self::GopherRepetition => Group::Repetition,
            Self::C4 => Group::C4,
            Self::FineWeb => Group::FineWeb,
            Self::Dclm => Group::Dclm,
            Self::Lengths => Group::Lengths,
        }
    }

    /// Its rules with the published thresholds, in the order of the tool.
    #[must_use]
    pub const fn rules(self) -> &'static [Rule] {
        match self {
            Self::Gopher => &GOPHER,
            Self::GopherRepetition => &GOPHER_REPETITION,
            Self::C4 => &C4,
            Self::FineWeb => &FINE_WEB,
            Self::Dclm => &DCLM,
            Self::Lengths => &LENGTHS,
        }
    }
}
