//! Every signal: its name, its group, and what it is.
//!
//! A signal is a number for a document, in `f64`: counts are exact, and a ratio is the quotient of two counts as Python
//! computes it. What cannot be computed, a share of no words, is NaN, a null in a column.

macro_rules! signals {
    ($($group:ident { $($(#[doc = $doc:literal])+ $signal:ident $name:literal,)+ })+) => {
        /// Signals that are computed together.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Group {
            $(
                #[doc = concat!("`", stringify!($group), "`; see the signals of this group.")]
                $group,
            )+
        }

        /// A number that is computed for a document.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Signal {
            $($($(#[doc = $doc])+ $signal,)+)+
        }

        impl Group {
            /// All groups.
            pub const ALL: &[Self] = &[$(Self::$group,)+];

            pub(crate) const fn bit(self) -> u32 {
                1 << self as u32
            }
        }

        impl Signal {
            /// All signals, in the order of their values.
            pub const ALL: &[Self] = &[$($(Self::$signal,)+)+];

            /// Its name, that of its column.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$signal => $name,)+)+ }
            }

            /// What it is.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $($(Self::$signal => concat!($($doc),+),)+)+ }
            }

            /// What it is computed with.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $($(Self::$signal)|+ => Group::$group,)+ }
            }
        }
    };
}

signals! {
    Lengths {
        /// Characters (code points).
        Chars "chars",
        /// Words: runs of characters between blanks, as `str.split` of Python cuts.
        Words "words",
        /// Lines that are not blank, cut at `\n`.
        Lines "lines",
        /// Characters of the longest line, cut at `\n`.
        LongestLine "longest_line",
        /// Mean of the characters of lines that are not blank.
        MeanLine "mean_line",
        /// Characters of the longest word.
        LongestWord "longest_word",
        /// Mean of the characters of words.
        MeanWord "mean_word",
    }
    Gopher {
        /// Words that are more than punctuation (datatrove's `PUNCTUATION_SET`).
        GopherWords "gopher.words",
        /// Mean of their characters.
        GopherMeanWord "gopher.mean_word",
        /// `#` for each word.
        GopherHashes "gopher.hashes",
        /// `...` and `…` for each word.
        GopherEllipses "gopher.ellipses",
        /// Share of lines (`str.splitlines`) that begin with `•` or `-`, blanks aside.
        GopherBulletLines "gopher.bullet_lines",
        /// Share of lines (`str.splitlines`) that end with `...` or `…`, blanks aside.
        GopherEllipsisLines "gopher.ellipsis_lines",
        /// Share of words with a letter.
        GopherLetterWords "gopher.letter_words",
        /// How many of `the be to of and that have with` occur as a word.
        GopherStopWords "gopher.stop_words",
    }
    Repetition {
        /// Share of lines (cut at `\n+`) that occurred before.
        DuplicateLines "repetition.duplicate_lines",
        /// Characters of those lines, for each character of the text.
        DuplicateLineChars "repetition.duplicate_line_chars",
        /// Share of paragraphs (cut at `\n{2,}`) that occurred before.
        DuplicateParagraphs "repetition.duplicate_paragraphs",
        /// Characters of those paragraphs, for each character of the text.
        DuplicateParagraphChars "repetition.duplicate_paragraph_chars",
        /// Characters of all occurrences of the most frequent 2-gram, the first one of several, for each character of the text.
        Top2Gram "repetition.top_2_gram",
        /// The same of 3-grams.
        Top3Gram "repetition.top_3_gram",
        /// The same of 4-grams.
        Top4Gram "repetition.top_4_gram",
        /// Letters of 5-grams that occurred before, none counted twice, for each character of the text.
        Duplicate5Grams "repetition.duplicate_5_grams",
        /// The same of 6-grams.
        Duplicate6Grams "repetition.duplicate_6_grams",
        /// The same of 7-grams.
        Duplicate7Grams "repetition.duplicate_7_grams",
        /// The same of 8-grams.
        Duplicate8Grams "repetition.duplicate_8_grams",
        /// The same of 9-grams.
        Duplicate9Grams "repetition.duplicate_9_grams",
        /// The same of 10-grams.
        Duplicate10Grams "repetition.duplicate_10_grams",
    }
    C4 {
        /// Lines (`str.splitlines`) that C4 keeps.
        C4KeptLines "c4.kept_lines",
        /// Sentences of those lines.
        C4Sentences "c4.sentences",
        /// Lines with `lorem ipsum`.
        C4LoremIpsum "c4.lorem_ipsum",
        /// Lines with `{`.
        C4CurlyBracket "c4.curly_bracket",
        /// Lines dropped for a word of more than 1000 characters.
        C4LongWordLines "c4.long_word_lines",
        /// Lines dropped because they do not end with `.`, `?`, `!`, `"` or `'`, or end with `...`.
        C4UnendedLines "c4.unended_lines",
        /// Lines dropped for fewer than 3 words.
        C4ShortLines "c4.short_lines",
        /// Lines dropped for `javascript`.
        C4JavascriptLines "c4.javascript_lines",
        /// Lines dropped for a phrase about cookies, privacy or terms of use.
        C4PolicyLines "c4.policy_lines",
    }
    FineWeb {
        /// Lines that are not blank, cut at `\n`.
        FineWebLines "fineweb.lines",
        /// Share of them that end with a character of datatrove's `TERMINAL_PUNCTUATION`.
        FineWebLinePunct "fineweb.line_punct",
        /// Share of them of at most 30 characters.
        FineWebShortLines "fineweb.short_lines",
        /// Characters of those that occurred before, for each character of the text but `\n`.
        FineWebDuplicateChars "fineweb.duplicate_chars",
        /// `\n` for each word.
        FineWebNewlines "fineweb.newlines",
    }
    Dclm {
        /// Words between the boundaries of Unicode (UAX 29) that begin with a letter or a number.
        DclmWords "dclm.words",
        /// Mean of the characters of words between blanks.
        DclmMeanWord "dclm.mean_word",
        /// `#`, `...`, `. . .` and `…` for each word between blanks.
        DclmSymbols "dclm.symbols",
        /// Share of lines that begin with `●`, `•`, `*` or `-`; lines are cut at `\n`, without blanks around, none empty.
        DclmBulletLines "dclm.bullet_lines",
        /// Share of lines that end with `...`, `. . .` or `…`.
        DclmEllipsisLines "dclm.ellipsis_lines",
        /// Share of words between blanks without a letter.
        DclmNoLetterWords "dclm.no_letter_words",
        /// How often `the be to of and that have with` occur between blanks, in lower or upper case.
        DclmStopWords "dclm.stop_words",
        /// Share of lines that occur more than once, the first one included; 0 if there is one line.
        DclmRepeatedLines "dclm.repeated_lines",
        /// The same in characters, for each character of all lines.
        DclmRepeatedLineChars "dclm.repeated_line_chars",
        /// Share of paragraphs (cut at `\n\n`) that occur more than once, the first one included; 0 if there is one.
        DclmRepeatedParagraphs "dclm.repeated_paragraphs",
        /// The same in characters, for each character of all paragraphs.
        DclmRepeatedParagraphChars "dclm.repeated_paragraph_chars",
        /// Characters of all occurrences of the most frequent 2-gram of words, the longest one of several, for each character of
        /// all words; 0 if none occurs again.
        DclmTop2Gram "dclm.top_2_gram",
        /// The same of 3-grams.
        DclmTop3Gram "dclm.top_3_gram",
        /// The same of 4-grams.
        DclmTop4Gram "dclm.top_4_gram",
        /// Characters of words in some 5-gram that occurs more than once, for each character of all words.
        DclmRepeated5Grams "dclm.repeated_5_grams",
        /// The same of 6-grams.
        DclmRepeated6Grams "dclm.repeated_6_grams",
        /// The same of 7-grams.
        DclmRepeated7Grams "dclm.repeated_7_grams",
        /// The same of 8-grams.
        DclmRepeated8Grams "dclm.repeated_8_grams",
        /// The same of 9-grams.
        DclmRepeated9Grams "dclm.repeated_9_grams",
        /// The same of 10-grams.
        DclmRepeated10Grams "dclm.repeated_10_grams",
        /// Share of words that the edits of lines remove.
        DclmRemovedWords "dclm.removed_words",
    }
    RedPajama {
        /// Words of the normalised text: lower-cased, without ASCII punctuation, in NFD, cut at blanks.
        RpsWordCount "rps_doc_word_count",
        /// Mean of their characters.
        RpsMeanWordLength "rps_doc_mean_word_length",
        /// Share of different words among them.
        RpsFracUniqueWords "rps_doc_frac_unique_words",
        /// Entropy of their distribution, in nats.
        RpsUnigramEntropy "rps_doc_unigram_entropy",
        /// Sentences: matches of `\b[^.!?]+[.!?]*`.
        RpsNumSentences "rps_doc_num_sentences",
        /// `#`, `...` and `…` for each raw word; raw words are matches of `\w+|[^\w\s]+`.
        RpsSymbolToWordRatio "rps_doc_symbol_to_word_ratio",
        /// Share of lines that end with `...` or `…`; lines are cut at `\n`, which ends the last one too.
        RpsFracLinesEndWithEllipsis "rps_doc_frac_lines_end_with_ellipsis",
        /// Share of raw words without one of `a` to `z` and `A` to `Z`.
        RpsFracNoAlphWords "rps_doc_frac_no_alph_words",
        /// Share of raw words whose cased characters are all capitals, and that have one.
        RpsFracAllCapsWords "rps_doc_frac_all_caps_words",
        /// `lorem ipsum` for each character of the normalised text.
        RpsLoremIpsum "rps_doc_lorem_ipsum",
        /// `{` and `}` for each character.
        RpsCurlyBracket "rps_doc_curly_bracket",
        /// Characters of all occurrences of the most frequent 2-gram, the first one of several, for each character of all
        /// normalised words; 0 if none occurs again.
        RpsTop2Gram "rps_doc_frac_chars_top_2gram",
        /// The same of 3-grams.
        RpsTop3Gram "rps_doc_frac_chars_top_3gram",
        /// The same of 4-grams.
        RpsTop4Gram "rps_doc_frac_chars_top_4gram",
        /// Characters of normalised words in some 5-gram that occurs more than once, for each character of all of them.
        RpsDupe5Grams "rps_doc_frac_chars_dupe_5grams",
        /// The same of 6-grams.
        RpsDupe6Grams "rps_doc_frac_chars_dupe_6grams",
        /// The same of 7-grams.
        RpsDupe7Grams "rps_doc_frac_chars_dupe_7grams",
        /// The same of 8-grams.
        RpsDupe8Grams "rps_doc_frac_chars_dupe_8grams",
        /// The same of 9-grams.
        RpsDupe9Grams "rps_doc_frac_chars_dupe_9grams",
        /// The same of 10-grams.
        RpsDupe10Grams "rps_doc_frac_chars_dupe_10grams",
    }
}

impl Group {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lengths => "lengths",
            Self::Gopher => "gopher",
            Self::Repetition => "repetition",
            Self::C4 => "c4",
            Self::FineWeb => "fineweb",
            Self::Dclm => "dclm",
            Self::RedPajama => "redpajama",
        }
    }

    /// The group of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|group| group.name() == name)
    }

    /// Its signals, in the order of [`Signal::ALL`].
    pub fn signals(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.iter().copied().filter(move |signal| signal.group() == self)
    }
}

impl Signal {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The signal of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|signal| signal.name() == name)
    }
}

/// The signals of one document.
#[derive(Clone, Debug)]
pub struct Signals {
    values: [f64; Signal::COUNT],
}

impl Default for Signals {
    /// None known.
    fn default() -> Self {
        Self { values: [f64::NAN; Signal::COUNT] }
    }
}

impl Signals {
    /// A signal; NaN if it is not defined for the document or was not asked for.
    #[inline]
    #[must_use]
    pub fn get(&self, signal: Signal) -> f64 {
        self.values[signal as usize]
    }

    /// Sets a signal, as one that was stored is read back.
    #[inline]
    pub fn set(&mut self, signal: Signal, value: f64) {
        self.values[signal as usize] = value;
    }

    /// Sets a signal to a quotient; to NaN where it would be one by 0.
    #[inline]
    pub(crate) fn set_ratio(&mut self, signal: Signal, count: u64, of: u64) {
        self.set(signal, if of == 0 { f64::NAN } else { count as f64 / of as f64 });
    }

    /// Sets signals that follow each other in [`Signal::ALL`], from `first` on.
    pub(crate) fn set_from(&mut self, first: Signal, values: impl IntoIterator<Item = f64>) {
        for (place, value) in self.values[first as usize..].iter_mut().zip(values) {
            *place = value;
        }
    }
}
