//! Unicode's normal forms, in the version of Unicode that the crate `tokenizers` normalises by.
//!
//! Nearly every text is in its form already, and a quick look tells.

use unicode_normalization_alignments::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

/// The first byte of characters from U+0300 on; no character below is a mark.
pub(super) const FIRST_MARK: u8 = 0xCC;

/// A normal form.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Form {
    /// `text` in this form; `None` if it is already.
    pub(super) fn apply(self, text: &str) -> Option<String> {
        // What lies below is in the form, and stays so: U+0300 for NFC, U+0080 for the others.
        let first = if matches!(self, Self::Nfc) { FIRST_MARK } else { 0x80 };
        let at = text.bytes().position(|byte| byte >= first)?;
        // A mark may belong to the character before it.
        let start = text[..at].char_indices().next_back().map_or(0, |(start, _)| start);
        let rest = text[start..].chars();
        let quick = match self {
            Self::Nfc => is_nfc_quick(rest),
            Self::Nfd => is_nfd_quick(rest),
            Self::Nfkc => is_nfkc_quick(rest),
            Self::Nfkd => is_nfkd_quick(rest),
        };
        match quick {
            IsNormalized::Yes => None,
            IsNormalized::No | IsNormalized::Maybe => Some(match self {
                Self::Nfc => text.nfc().map(|(c, _)| c).collect(),
                Self::Nfd => text.nfd().map(|(c, _)| c).collect(),
                Self::Nfkc => text.nfkc().map(|(c, _)| c).collect(),
                Self::Nfkd => text.nfkd().map(|(c, _)| c).collect(),
            }),
        }
    }
}
