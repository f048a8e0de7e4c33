//! Pieces by their bytes: what of them begins at a place of a text.
//!
//! Nodes of one parent lie side by side, in order of their bytes; the first byte is looked up in an array.

/// No piece, or no node.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    /// Nodes that go on.
    first: u32,
    /// The piece that ends here.
    piece: u32,
    children: u16,
    byte: u8,
}

/// A set of pieces, each with its number.
pub(super) struct Trie {
    roots: Box<[u32; 256]>,
    nodes: Vec<Node>,
}

impl Trie {
    /// Of pieces that are sorted by their bytes, without repetition.
    pub(super) fn new(pieces: &[(&str, u32)]) -> Self {
        let mut trie = Self { roots: Box::new([NONE; 256]), nodes: Vec::new() };
        // The node whose children are made, none for the roots; its pieces; its depth.
        let mut open: std::collections::VecDeque<(u32, std::ops::Range<usize>, usize)> =
            [(NONE, 0..pieces.len(), 0)].into();
        while let Some((parent, range, depth)) = open.pop_front() {
            let mut at = range.start;
            while at < range.end && pieces[at].0.len() == depth {
                if let Some(node) = trie.nodes.get_mut(parent as usize) {
                    node.piece = pieces[at].1;
                }
                at += 1;
            }
            let first = trie.nodes.len() as u32;
            if let Some(node) = trie.nodes.get_mut(parent as usize) {
                node.first = first;
            }
            while at < range.end {
                let byte = pieces[at].0.as_bytes()[depth];
                let same =
                    pieces[at..range.end].partition_point(|(piece, _)| piece.as_bytes()[depth] == byte);
                let number = trie.nodes.len() as u32;
                trie.nodes.push(Node { first: NONE, piece: NONE, children: 0, byte });
                match trie.nodes.get_mut(parent as usize) {
                    Some(node) => node.children += 1,
                    None => trie.roots[byte as usize] = number,
                }
                open.push_back((number, at..at + same, depth + 1));
                at += same;
            }
        }
        trie
    }

    /// Hands every piece that begins at `start` to `take`: where it ends, and its number.
    #[inline]
    pub(super) fn each_from(&self, text: &[u8], start: usize, mut take: impl FnMut(usize, u32)) {
        let Some(&byte) = text.get(start) else { return };
        let mut at = self.roots[byte as usize];
        let mut end = start + 1;
        while let Some(node) = self.nodes.get(at as usize) {
            if node.piece != NONE {
                take(end, node.piece);
            }
            let Some(&byte) = text.get(end) else { return };
            let children = &self.nodes[node.first as usize..node.first as usize + node.children as usize];
            let Some(next) = children.iter().position(|child| child.byte >= byte) else { return };
            if children[next].byte != byte {
                return;
            }
            at = node.first + next as u32;
            end += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_at_a_place_is_found_and_nothing_else() {
        let mut pieces: Vec<&str> = vec!["a", "ab", "abc", "b", "é", "éa", "東", "東京", "abd"];
        pieces.sort_unstable();
        let numbered: Vec<(&str, u32)> = pieces.iter().zip(0..).map(|(&piece, at)| (piece, at)).collect();
        let trie = Trie::new(&numbered);
        let text = "abdé東京abcéab";
        for (start, _) in text.char_indices() {
            let mut found = Vec::new();
            trie.each_from(text.as_bytes(), start, |end, piece| found.push((&text[start..end], piece)));
            let expected: Vec<(&str, u32)> =
                numbered.iter().copied().filter(|(piece, _)| text[start..].starts_with(piece)).collect();
            assert_eq!(found, expected);
        }
        assert!(Trie::new(&[]).nodes.is_empty());
    }
}
