//! The patterns by which models cut text, read alternative by alternative.
//!
//! Published patterns are one family: the same alternatives in the same order, each in a few spellings. A pattern is
//! recognised by its exact text, piece by piece; one with anything else in it is not ours. What each alternative means is in
//! [`super::scan`].

/// A pattern of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) contractions: Contractions,
    pub(crate) letters: Letters,
    pub(crate) numbers: Numbers,
    pub(crate) others: Others,
    /// `\s*[\r\n]+`: blanks up to the last line break are a pre-token.
    pub(crate) breaks: bool,
}

/// English contractions, as `'s`, which are pre-tokens of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contractions {
    No,
    Lower,
    AnyCase,
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    /// Letters, with a blank before them.
    Spaced,
    /// Letters, with any character before them that is no letter, number or line break.
    Prefixed,
    /// The same; marks are letters.
    Marked,
    /// The same; capitals begin a word, and marks may be part of it. A contraction is part of its word.
    Cased { contractions: bool },
    /// As DeepSeek V3: a punctuation mark of ASCII with ASCII letters; or letters and marks, with any character before them that is no letter,
    /// punctuation, symbol or line break.
    Punctuated,
}

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Digits, with a blank before them.
    Spaced,
    /// So many digits at most.
    UpTo(usize),
    /// Numbers are not mentioned; they are other characters, if those allow them.
    No,
}

/// Other characters, with a blank before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Others {
    pub(crate) meant: Meant,
    pub(crate) tail: Tail,
}

/// Which characters are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meant {
    /// Neither letters nor numbers nor blanks.
    All,
    /// Neither these nor marks.
    NoMarks,
    /// Punctuation and symbols.
    Punctuation,
}

/// What belongs to other characters if it follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    No,
    Breaks,
    BreaksAndSlashes,
}

impl Pattern {
    /// GPT-2's, which the pre-tokenizer `ByteLevel` has built in.
    pub(crate) const GPT2: Self = Self {
        contractions: Contractions::Lower,
        letters: Letters::Spaced,
        numbers: Numbers::Spaced,
        others: Others { meant: Meant::All, tail: Tail::No },
        breaks: false,
    };

    /// Reads a pattern; `None` if it is not of the family.
    pub(crate) fn read(pattern: &str) -> Option<Self> {
        let mut rest = pattern;
        let contractions = take(&mut rest, &CONTRACTIONS).unwrap_or(Contractions::No);
        let letters = take(&mut rest, &LETTERS)?;
        let numbers = take(&mut rest, &NUMBERS).unwrap_or(Numbers::No);
        let others = take(&mut rest, &OTHERS)?;
        let breaks = take(&mut rest, &[(r"\s*[\r\n]+|", true)]).unwrap_or(false);
        let whole = rest == r"\s+(?!\S)|\s+";
        // What is no letter must be in one of the other alternatives, or the pattern leaves gaps.
        let without_numbers = numbers == Numbers::No && letters != Letters::Punctuated;
        (whole && !without_numbers).then_some(Self { contractions, letters, numbers, others, breaks })
    }

    /// Whether every character is in a match, whatever the text.
    pub(crate) fn is_total(&self) -> bool {
        match self.others.meant {
            Meant::All => true,
            Meant::NoMarks => self.letters == Letters::Marked,
            Meant::Punctuation => false,
        }
    }
}

/// Takes the first of `choices` that `rest` begins with.
fn take<T: Copy>(rest: &mut &str, choices: &[(&str, T)]) -> Option<T> {
    let (spelling, meaning) = choices.iter().find(|(spelling, _)| rest.starts_with(spelling))?;
    *rest = &rest[spelling.len()..];
    Some(*meaning)
}

const CONTRACTIONS: [(&str, Contractions); 3] = [
    (r"'s|'t|'re|'ve|'m|'ll|'d|", Contractions::Lower),
    (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|", Contractions::AnyCase),
    (r"'(?i:[sdmt]|ll|ve|re)|", Contractions::AnyCase),
];

const LETTERS: [(&str, Letters); 7] = [
    (r" ?\p{L}+|", Letters::Spaced),
    (r"[^\r\n\p{L}\p{N}]?\p{L}+|", Letters::Prefixed),
    (r"[^\r\n\p{L}\p{N}]?+\p{L}+|", Letters::Prefixed),
    (r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|", Letters::Marked),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
        Letters::Cased { contractions: true },
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|",
        Letters::Cased { contractions: false },
    ),
    (
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##,
        Letters::Punctuated,
    ),
];

const NUMBERS: [(&str, Numbers); 5] = [
    (r" ?\p{N}+|", Numbers::Spaced),
    (r"\p{N}{1,3}|", Numbers::UpTo(3)),
    (r"\p{N}{1,2}|", Numbers::UpTo(2)),
    (r"\p{N}+|", Numbers::UpTo(usize::MAX)),
    (r"\p{N}|", Numbers::UpTo(1)),
];

const OTHERS: [(&str, Others); 6] = [
    (r" ?[^\s\p{L}\p{N}]+[\r\n/]*|", Others { meant: Meant::All, tail: Tail::BreaksAndSlashes }),
    (r" ?[^\s\p{L}\p{N}]+[\r\n]*|", Others { meant: Meant::All, tail: Tail::Breaks }),
    (r" ?[^\s\p{L}\p{N}]+|", Others { meant: Meant::All, tail: Tail::No }),
    (r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n/]*|", Others { meant: Meant::NoMarks, tail: Tail::BreaksAndSlashes }),
    (r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|", Others { meant: Meant::NoMarks, tail: Tail::Breaks }),
    (r" ?[\p{P}\p{S}]+[\r\n]*|", Others { meant: Meant::Punctuation, tail: Tail::Breaks }),
];
