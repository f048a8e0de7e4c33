//! The ids of a piece in linear time: longest tokens first, as long as neighbours may stand side by side.
//!
//! What merges begin with are *symbols*: bytes, or characters. Call a token *canonical* if its symbols are merged to it. What merges make of a piece is the only row of canonical tokens in which
//! every two neighbours, merged from their symbols, are themselves again ([`Longest::fit`]). For merges inside a part of
//! a piece happen as if the part stood alone, as long as none crosses its ends; so a row that merges made has this
//! property. And where a merge would cross first, it would cross between the two neighbours alone, because
//! ranks only rise while a token is made. That is asked of the merges when they are loaded ([`Longest::new`]); those of trained vocabularies have it,
//! and others are merged pair by pair.
//!
//! The row is found from left to right: the longest token that fits behind the last one; where none does, the last
//! one is shortened, and the place is noted as a dead end. A place is a dead end once, so a piece costs time linear in
//! its length.
//!
//! The method is that of Hendrik van Antwerpen and Alexander Neubeck: So many tokens, so little time, 2024
//! (<https://github.blog/ai-and-ml/llms/so-many-tokens-so-little-time-introducing-a-faster-more-flexible-byte-pair-tokenizer/>).

use super::merges::{Merges, NONE};
use crate::double_array::DoubleArray;

/// No token.
const NO: u32 = u32::MAX;

/// A canonical token.
#[derive(Debug, Clone, Copy)]
struct Token {
    /// Its bytes; 0 for an id that is no canonical token.
    len: u32,
    /// The rank of the merge that makes it, plus 1; 0 for a symbol.
    made: u32,
    /// What that merges; of a symbol the symbol itself.
    left: u32,
    right: u32,
    /// The longest canonical token that it begins with.
    shorter: u32,
}

/// Bytes of the longest token with which tokens are looked for at every place of a text, which costs so many steps; those of
/// published vocabularies have up to 256.
pub(crate) const LONGEST: usize = 512;

/// A canonical token as it is loaded: its bytes, its id, and the ids that its last merge joins; none for a symbol.
pub(crate) type Canonical = (Vec<u8>, u32, Option<(u32, u32)>);

/// Tables of the canonical tokens.
#[derive(Debug)]
pub(crate) struct Longest {
    tokens: Vec<Token>,
    trie: DoubleArray,
}

/// What one thread needs.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// A bit for each place of a piece at which a row may end.
    open: Vec<u64>,
}

impl Longest {
    /// Of the canonical tokens; nothing if their ranks do not rise.
    pub(crate) fn new(canonical: &[Canonical], merges: &Merges) -> Option<Self> {
        let size = canonical.iter().map(|(_, id, _)| *id as usize + 1).max()?;
        let none = Token { len: 0, made: 0, left: NO, right: NO, shorter: NO };
        let mut tokens = vec![none; size];
        for (bytes, id, parts) in canonical {
            let (left, right) = parts.unwrap_or((*id, *id));
            let made = if parts.is_some() { merges.rank(left, right).checked_add(1)? } else { 0 };
            tokens[*id as usize] = Token { len: bytes.len() as u32, made, left, right, shorter: NO };
        }
        // Every merge of two canonical tokens must come after those that make them.
        let rises = |(left, right, rank): (u32, u32, u32)| {
            [left, right]
                .iter()
                .all(|&id| tokens.get(id as usize).is_none_or(|token| token.len == 0 || token.made <= rank))
        };
        let both = |&(left, right, _): &(u32, u32, u32)| {
            [left, right].iter().all(|&id| tokens.get(id as usize).is_some_and(|token| token.len > 0))
        };
        if !merges.pairs().filter(both).all(rises) {
            return None;
        }
        let mut sorted: Vec<(&[u8], u32)> =
            canonical.iter().map(|(bytes, id, _)| (&bytes[..], *id)).collect();
        sorted.sort_unstable();
        let mut longest = Self { tokens, trie: DoubleArray::new(&sorted)? };
        for (bytes, id) in sorted {
            longest.tokens[id as usize].shorter = longest.longest(&bytes[..bytes.len() - 1]).0;
        }
        Some(longest)
    }

    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> usize {
        self.tokens.len() * size_of::<Token>() + self.trie.bytes()
    }

    /// The longest token that `text` begins with, and its bytes.
    #[inline(always)]
    fn longest(&self, text: &[u8]) -> (u32, usize) {
        let (mut node, mut found) = (self.trie.root(), (NO, 0));
        for (at, &byte) in text.iter().enumerate() {
            let Some(child) = self.trie.child(node, byte) else { break };
            node = child;
            if let Some(token) = node.value() {
                found = (token, at + 1);
            }
        }
        found
    }

    /// Whether no merge crosses from `left` to `right`: back in time, the last symbol of one and the first of the other are taken
    /// apart, the one that was made later first, and no two of them may have a merge that would have come before that.
    #[inline(always)]
    fn fit(&self, merges: &Merges, mut left: u32, mut right: u32) -> bool {
        // A merge that crosses comes before those from this rank on.
        let mut before = NONE;
        loop {
            if merges.rank(left, right) < before {
                return false;
            }
            let (l, r) = (self.tokens[left as usize], self.tokens[right as usize]);
            if l.made == 0 && r.made == 0 {
                return true;
            }
            if l.made > r.made {
                // Of equal pairs the left one is merged first, so one that crosses must be of a lower rank.
                before = l.made - 1;
                left = l.right;
            } else {
                before = r.made;
                right = r.left;
            }
        }
    }

    /// Appends the ids of `piece` up to the first symbol that is no token, and says where that begins.
    pub(crate) fn encode(
        &self,
        merges: &Merges,
        piece: &[u8],
        places: &mut Places,
        ids: &mut Vec<u32>,
    ) -> usize {
        let (mut candidate, mut len) = self.longest(piece);
        if candidate == NO {
            return 0;
        }
        if len == piece.len() {
            ids.push(candidate);
            return len;
        }
        let Places { open } = places;
        open.clear();
        open.resize(piece.len() / 64 + 1, !0);
        let first = ids.len();
        let mut at = 0;
        while at < piece.len() {
            let last = if ids.len() > first { ids.last().copied() } else { None };
            loop {
                let end = at + len;
                let is_open = open[end / 64] >> (end % 64) & 1 == 1;
                if is_open && last.is_none_or(|last| self.fit(merges, last, candidate)) {
                    ids.push(candidate);
                    at = end;
                    (candidate, len) = self.longest(&piece[at..]);
                    if candidate == NO {
                        return at;
                    }
                    break;
                }
                candidate = self.tokens[candidate as usize].shorter;
                if candidate == NO {
                    // Nothing fits: the last one ends at a dead end.
                    open[at / 64] &= !(1 << (at % 64));
                    let Some(last) = last else { return at };
                    ids.pop();
                    len = self.tokens[last as usize].len as usize;
                    at -= len;
                    candidate = last;
                    break;
                }
                len = self.tokens[candidate as usize].len as usize;
            }
        }
        if open.capacity() > 1 << 12 {
            *open = Vec::new();
        }
        at
    }

    /// Bytes that a thread takes.
    pub(crate) fn scratch_bytes(places: &Places) -> usize {
        places.open.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bpe::merges::Scratch;

    /// Canonical tokens of `letters` bytes and what merges make, by their bytes.
    fn tables(letters: u32, made: &[(usize, usize)]) -> (Merges, Vec<Canonical>) {
        let mut bytes: Vec<Vec<u8>> = (0..letters).map(|letter| vec![letter as u8]).collect();
        let mut merges = Vec::new();
        for &(left, right) in made {
            let (left, right) = (left % bytes.len(), right % bytes.len());
            let joined = [&bytes[left][..], &bytes[right]].concat();
            // A token has one id; a second merge may make it too.
            let id = bytes.iter().position(|known| *known == joined).unwrap_or_else(|| {
                bytes.push(joined);
                bytes.len() - 1
            });
            merges.push((left as u32, right as u32, id as u32));
        }
        let merges = Merges::new(&merges);
        let canonical = bytes.iter().enumerate().filter_map(|(id, bytes)| {
            let ids: Vec<u32> = bytes.iter().map(|&byte| u32::from(byte)).collect();
            let parts = merges.last_merge(ids, id as u32);
            (bytes.len() == 1 || parts.is_some()).then(|| (bytes.clone(), id as u32, parts))
        });
        let canonical = canonical.collect();
        (merges, canonical)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn the_row_is_that_of_merges(
            made in prop::collection::vec((0..30_usize, 0..30_usize), 0..24),
            pieces in prop::collection::vec(prop::collection::vec(0..3_u8, 1..60), 1..20),
        ) {
            let (merges, canonical) = tables(3, &made);
            if let Some(longest) = Longest::new(&canonical, &merges) {
                for piece in pieces {
                    let mut expected: Vec<u32> = piece.iter().map(|&byte| u32::from(byte)).collect();
                    merges.apply(&mut expected, &mut Scratch::default());
                    let mut ids = Vec::new();
                    let end = longest.encode(&merges, &piece, &mut Places::default(), &mut ids);
                    prop_assert_eq!((ids, end), (expected, piece.len()));
                }
            }
        }
    }

    #[test]
    fn merges_whose_ranks_do_not_rise_are_refused() {
        // ab, then abc of a and bc before bc is made: `bc` has the later rank.
        let merges = Merges::new(&[(0, 1, 3), (0, 4, 5), (1, 2, 4)]);
        let canonical: Vec<Canonical> = vec![
            (vec![0], 0, None),
            (vec![1], 1, None),
            (vec![2], 2, None),
            (vec![0, 1], 3, Some((0, 1))),
            (vec![1, 2], 4, Some((1, 2))),
        ];
        assert!(Longest::new(&canonical, &merges).is_none());
    }
}
