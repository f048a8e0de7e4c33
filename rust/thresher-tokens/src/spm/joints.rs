//! Where a text may be cut without changing its tokens.
//!
//! A *joint* is a pair of characters that stand side by side somewhere in a token. Between two characters that are no joint, no
//! token lies across, so every way to cut the text into tokens cuts there too.
//!
//! For a BPE this makes the parts independent. By induction over the merges: symbols begin as characters; a merge across the place
//! would make a token in which both stand side by side, so there is none, and what is a symbol's neighbour across the place never
//! matters. Of the merges of the whole text, in order of rank and then place, those of one part are the merges of that part
//! alone, in the same order.
//!
//! Pairs are kept as bits by their hash. Two pairs may share a bit; then a place counts as a joint that is none, and a part is
//! longer than it need be.

/// A set of pairs of characters.
#[derive(Debug)]
pub(super) struct Joints {
    bits: Vec<u64>,
    shift: u32,
    /// Whether a blank may follow a character that ends with this byte.
    blank_after: [bool; 256],
}

impl Joints {
    /// Of all neighbours in `tokens`.
    pub(super) fn new<'a>(tokens: impl Iterator<Item = &'a str> + Clone) -> Self {
        let pairs = tokens.clone().map(|token| token.chars().count().saturating_sub(1)).sum::<usize>();
        // A pair is in several tokens; at most one bit of eight is set. 2 MiB at most.
        let bits = (2 * pairs).next_power_of_two().clamp(1 << 10, 1 << 24);
        let shift = 64 - bits.trailing_zeros();
        let mut joints = Self { bits: vec![0; bits / 64], shift, blank_after: [false; 256] };
        for token in tokens {
            let mut before: Option<char> = None;
            for c in token.chars() {
                if let Some(before) = before {
                    let at = joints.place(before, c);
                    joints.bits[at / 64] |= 1 << (at % 64);
                    if c == ' ' {
                        let mut bytes = [0; 4];
                        let bytes = before.encode_utf8(&mut bytes).as_bytes();
                        joints.blank_after[usize::from(bytes[bytes.len() - 1])] = true;
                    }
                }
                before = Some(c);
            }
        }
        joints
    }

    /// Bytes of the tables.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.bits.len() * 8
    }

    #[inline(always)]
    fn place(&self, left: char, right: char) -> usize {
        let pair = u64::from(left as u32) << 32 | u64::from(right as u32);
        (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    /// Whether a token may hold both side by side.
    #[inline(always)]
    pub(super) fn join(&self, left: char, right: char) -> bool {
        let at = self.place(left, right);
        self.bits[at / 64] >> (at % 64) & 1 == 1
    }

    /// Whether a token may hold a character that ends with this byte, and a blank behind it.
    #[inline(always)]
    pub(super) fn join_blank(&self, last: u8) -> bool {
        self.blank_after[usize::from(last)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn neighbours_in_tokens_are_joints(
            tokens in prop::collection::vec("[ab 字か]{0,6}", 0..20),
            text in "[ab 字か]{0,20}",
        ) {
            let joints = Joints::new(tokens.iter().map(String::as_str));
            for (start, _) in text.char_indices() {
                for token in tokens.iter().filter(|token| text[start..].starts_with(token.as_str())) {
                    for (at, right) in token.char_indices().skip(1) {
                        let before = &text[..start + at];
                        let left = before.chars().next_back().unwrap();
                        prop_assert!(joints.join(left, right));
                        prop_assert!(right != ' ' || joints.join_blank(before.as_bytes()[before.len() - 1]));
                    }
                }
            }
        }
    }

    #[test]
    fn characters_that_never_meet_are_no_joint() {
        let joints = Joints::new(["the", " the", "  "].into_iter());
        assert!(!joints.join('e', ' ') && !joints.join_blank(b'e') && joints.join_blank(b' '));
    }
}
