//! Where a text may be cut without changing its tokens.
//!
//! A *joint* is a pair of characters that stand side by side somewhere in a token. Between two characters that are no joint, no
//! token lies across, so every way to cut the text into tokens cuts there too.
//!
//! For a BPE this makes the parts independent. By induction over the merges: symbols begin as characters or bytes; a merge across
//! the place would make a token in which both stand side by side, so there is none, and what is a symbol's neighbour across the
//! place never matters. Of the merges of the whole text, in order of rank and then place, those of one part are the merges of that
//! part alone, in the same order.
//!
//! Pairs are kept as bits by their hash. Two pairs may share a bit; then a place counts as a joint that is none, and a part is
//! longer than it need be. A token of bytes may begin or end within a character; of the two characters it then says only the
//! bytes at the place, the last one before it and the first one behind. Such tokens are few.

/// A set of pairs of characters.
#[derive(Debug)]
pub(crate) struct Joints {
    bits: Vec<u64>,
    shift: u32,
    /// Bits by two bytes, where a token has only a part of a character.
    parts: Vec<u64>,
    /// Whether a blank may follow a character that ends with this byte.
    blank_after: [bool; 256],
}

impl Joints {
    /// Of all neighbours in `tokens`.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let begins = |token: &[u8]| token.iter().filter(|&&byte| !is_inner(byte)).count();
        let pairs: usize = tokens.clone().map(begins).sum();
        // A pair is in several tokens; at most one bit of eight is set. 2 MiB at most.
        let bits = (2 * pairs).next_power_of_two().clamp(1 << 10, 1 << 24);
        let shift = 64 - bits.trailing_zeros();
        let mut joints =
            Self { bits: vec![0; bits / 64], shift, parts: vec![0; 1 << 10], blank_after: [false; 256] };
        for token in tokens {
            for at in (1..token.len()).filter(|&at| !is_inner(token[at])) {
                joints.add(token, at);
            }
        }
        joints
    }

    /// Notes that `token` lies across the place `at`, where a character begins.
    fn add(&mut self, token: &[u8], at: usize) {
        let (last, first) = (token[at - 1], token[at]);
        if first == b' ' {
            self.blank_after[usize::from(last)] = true;
        }
        let start = token[..at].iter().rposition(|&byte| !is_inner(byte));
        let left = start.map(|start| &token[start..at]).filter(|left| left.len() == len_of(left[0]));
        let (bits, place) = if let (Some(left), Some(right)) = (left, token.get(at..at + len_of(first))) {
            let place = self.place(packed(left, 0), packed(right, 0));
            (&mut self.bits, place)
        } else {
            (&mut self.parts, usize::from(last) << 8 | usize::from(first))
        };
        bits[place / 64] |= 1 << (place % 64);
    }

    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + (self.bits.len() + self.parts.len()) * 8
    }

    #[inline(always)]
    fn place(&self, left: u32, right: u32) -> usize {
        let pair = u64::from(left) << 32 | u64::from(right);
        (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    /// Where the part that begins at `start` ends: before the next place in `text[..end]`, UTF-8, that no token lies across.
    #[inline(always)]
    pub(crate) fn part_end(&self, text: &[u8], start: usize, end: usize) -> usize {
        let mut left = packed(text, start);
        let mut at = start + len_of(text[start]);
        while at < end {
            let right = packed(text, at);
            let place = self.place(left, right);
            let part = usize::from(text[at - 1]) << 8 | usize::from(text[at]);
            let is_joint = self.bits[place / 64] >> (place % 64) | self.parts[part / 64] >> (part % 64);
            if is_joint & 1 == 0 {
                return at;
            }
            left = right;
            at += len_of(text[at]);
        }
        end
    }

    /// Whether a token may hold a character that ends with this byte, and a blank behind it.
    #[inline(always)]
    pub(crate) fn join_blank(&self, last: u8) -> bool {
        self.blank_after[usize::from(last)]
    }
}

/// Whether a byte of UTF-8 is one of a character that began before.
#[inline(always)]
fn is_inner(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Bytes of the character that begins with `byte`.
#[inline(always)]
pub(crate) fn len_of(byte: u8) -> usize {
    match byte {
        0..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0.. => 4,
    }
}

/// The bytes of the character at `at` as a number.
#[inline(always)]
fn packed(text: &[u8], at: usize) -> u32 {
    let bytes = text[at..].first_chunk::<4>().copied().unwrap_or_else(|| {
        let mut bytes = [0; 4];
        bytes[..text.len() - at].copy_from_slice(&text[at..]);
        bytes
    });
    u32::from_le_bytes(bytes) & (u32::MAX >> (32 - 8 * len_of(text[at])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_token_lies_across_the_end_of_a_part(
            tokens in prop::collection::vec("[ab 字か😀]{0,6}", 0..20),
            cuts in prop::collection::vec((0..9_usize, 0..9_usize), 20),
            text in "[ab 字か😀]{1,20}",
        ) {
            // Tokens of bytes: some lack bytes at either end.
            let tokens: Vec<&[u8]> = tokens
                .iter()
                .zip(cuts)
                .map(|(token, (from, to))| {
                    let token = token.as_bytes();
                    let from = from.saturating_sub(5).min(token.len());
                    &token[from..token.len() - to.saturating_sub(5).min(token.len() - from)]
                })
                .collect();
            let joints = Joints::new(tokens.iter().copied());
            let bytes = text.as_bytes();
            let mut ends = Vec::new();
            while ends.last() != Some(&bytes.len()) {
                ends.push(joints.part_end(bytes, ends.last().copied().unwrap_or(0), bytes.len()));
            }
            for start in 0..bytes.len() {
                for token in tokens.iter().filter(|token| bytes[start..].starts_with(token)) {
                    let inside = start + 1..start + token.len();
                    prop_assert!(ends.iter().all(|end| text.is_char_boundary(*end) && !inside.contains(end)));
                    for at in inside.filter(|&at| bytes[at] == b' ') {
                        prop_assert!(joints.join_blank(bytes[at - 1]));
                    }
                }
            }
        }
    }

    #[test]
    fn characters_that_never_meet_are_no_joint() {
        let joints = Joints::new(
            [&b"the"[..], b" the", b"  ", "か字".as_bytes(), &"字か".as_bytes()[2..4]].into_iter(),
        );
        assert!(!joints.join_blank(b'e') && joints.join_blank(b' '));
        let parts = |text: &str| {
            let (mut at, mut ends) = (0, Vec::new());
            while at < text.len() {
                at = joints.part_end(text.as_bytes(), at, text.len());
                ends.push(at);
            }
            ends
        };
        assert_eq!(parts("the thet"), [3, 7, 8]);
        // Of the token that has but bytes of both, the bytes at the place count.
        assert_eq!(parts("か字か字字"), [12, 15]);
    }
}
