//! The normaliser `Precompiled`: the table of replacements that `SentencePiece` compiles into a model.
//!
//! ```text
//! base64( size of the trie, 4 bytes | trie: a double array of 32-bit units | replacements, each ended by 0 )
//! ```
//!
//! The trie maps keys in UTF-8 to places among the replacements. As the crate `tokenizers` applies it: a grapheme of less
//! than 6 bytes is replaced as a whole if a *prefix* of it is a key, by what the shortest such key has; else each of its
//! characters is, by itself. So where no key begins at a character, nothing happens to it unless the grapheme before it is
//! replaced; and graphemes have to be found only where a key does begin.
//!
//! Units as in darts-clone (<https://github.com/s-yata/darts-clone>): label in the low byte, bit 8 says that a value follows,
//! bits 10 to 30 lead to the children, 256 times as far if bit 9 is set.

use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig},
};

use super::graphemes::Graphemes;

/// Bytes from which on a grapheme is not replaced as a whole.
const LONG: usize = 6;

/// A table of replacements.
pub(super) struct Charsmap {
    trie: Vec<u32>,
    replacements: String,
    /// Of each character of ASCII, whether no key begins with it.
    ascii: [bool; 128],
}

impl std::fmt::Debug for Charsmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Charsmap").field("units", &self.trie.len()).finish_non_exhaustive()
    }
}

impl Charsmap {
    /// Of what a file holds.
    pub(super) fn read(charsmap: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("its `precompiled_charsmap` {what}");
        let engine = GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new());
        let bytes = engine.decode(charsmap).map_err(|e| wrong(&format!("is not base64: {e}")))?;
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| wrong("is empty"))?;
        let size = u32::from_le_bytes(*size) as usize / 4 * 4;
        let (trie, replacements) = rest.split_at_checked(size).ok_or_else(|| wrong("is cut off"))?;
        let trie: Vec<u32> = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        let replacements = String::from_utf8(replacements.to_vec()).map_err(|_| wrong("is not UTF-8"))?;
        let mut charsmap = Self { trie, replacements, ascii: [false; 128] };
        charsmap.check()?;
        for byte in 0..128_u8 {
            charsmap.ascii[usize::from(byte)] = charsmap.child(charsmap.root(), byte).is_none();
        }
        Ok(charsmap)
    }

    /// Nothing that can be reached leads out of the trie, and every value is a place where a replacement may begin.
    fn check(&self) -> Result<(), String> {
        let wrong = || "its `precompiled_charsmap` leads out of its own table".to_owned();
        if self.trie.is_empty() || !self.trie.len().is_multiple_of(256) || self.root() >= self.trie.len() {
            return Err(wrong());
        }
        let mut met = vec![false; self.trie.len()];
        let mut open = vec![self.root()];
        while let Some(node) = open.pop() {
            for (here, unit) in (1..=255).filter_map(|byte| self.child(node, byte)) {
                if std::mem::replace(&mut met[here], true) {
                    continue;
                }
                let children = here ^ offset(unit);
                let place = if has_value(unit) { self.value(children) } else { 0 };
                if children >= self.trie.len() || !self.replacements.is_char_boundary(place) {
                    return Err(wrong());
                }
                open.push(children);
            }
        }
        Ok(())
    }

    /// Bytes of the tables.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.trie.len() * 4 + self.replacements.len()
    }

    fn root(&self) -> usize {
        offset(self.trie[0])
    }

    fn value(&self, node: usize) -> usize {
        (self.trie.get(node).copied().unwrap_or(0) & !(1 << 31)) as usize
    }

    /// The unit that `byte` leads to from a node.
    #[inline]
    fn child(&self, node: usize, byte: u8) -> Option<(usize, u32)> {
        let at = node ^ usize::from(byte);
        let unit = *self.trie.get(at)?;
        (byte != 0 && unit & (1 << 31 | 0xFF) == u32::from(byte)).then_some((at, unit))
    }

    /// The shortest key that `text` begins with: its length, and the place of its replacement.
    #[inline]
    fn shortest(&self, text: &[u8]) -> Option<(usize, usize)> {
        let mut node = self.root();
        for (at, &byte) in text.iter().enumerate() {
            let (here, unit) = self.child(node, byte)?;
            node = here ^ offset(unit);
            if has_value(unit) {
                return Some((at + 1, self.value(node)));
            }
        }
        None
    }

    fn replacement(&self, place: usize) -> &str {
        let rest = self.replacements.get(place..).unwrap_or("");
        rest.split('\0').next().unwrap_or("")
    }

    /// The changed text; `None` if it stays as it is.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let bytes = text.as_bytes();
        let mut graphemes = Graphemes::new(text);
        let mut changed: Option<String> = None;
        let (mut at, mut done) = (0, 0);
        while at < bytes.len() {
            let byte = bytes[at];
            if byte.is_ascii() && self.ascii[usize::from(byte)] {
                at += 1;
                continue;
            }
            let char_len = len_of(byte);
            let Some((key, place)) = self.shortest(&bytes[at..(at + LONG).min(bytes.len())]) else {
                at += char_len;
                continue;
            };
            let (start, end) = graphemes.around(at);
            let whole = start == at && end - start < LONG && key <= end - start;
            if !whole && key > char_len {
                at += char_len;
                continue;
            }
            let changed = changed.get_or_insert_with(|| String::with_capacity(text.len()));
            changed.push_str(&text[done..at]);
            changed.push_str(self.replacement(place));
            at = if whole { end } else { at + char_len };
            done = at;
        }
        let mut changed = changed?;
        changed.push_str(&text[done..]);
        Some(changed)
    }
}

/// The length of the character that begins with `byte`.
fn len_of(byte: u8) -> usize {
    match byte {
        0..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0.. => 4,
    }
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

fn has_value(unit: u32) -> bool {
    unit >> 8 & 1 == 1
}
