//! Unicode's normal form NFC, in the version of Unicode that the crate `tokenizers` normalises by.
//!
//! Nearly every text is in this form already, and a quick look tells.

use std::borrow::Cow;

use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The first byte of characters from U+0300 on; whatever lies below is in the form, and stays so.
const FIRST_MARK: u8 = 0xCC;

/// `text` in NFC.
pub(crate) fn normalize(text: &str) -> Cow<'_, str> {
    let Some(at) = text.bytes().position(|byte| byte >= FIRST_MARK) else { return Cow::Borrowed(text) };
    // A mark may belong to the character before it.
    let start = text[..at].char_indices().next_back().map_or(0, |(start, _)| start);
    match is_nfc_quick(text[start..].chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().map(|(c, _)| c).collect()),
    }
}
