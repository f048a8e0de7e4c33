//! Pieces in a trie by bytes, as a double array: one step is one look at one unit of 8 bytes.
//!
//! ```text
//! unit | base: where the children of the node are | value: id of the piece that ends here, 24 bits | label, 8 bits |
//! ```
//!
//! The child of a node by a byte is the unit at `base ^ byte`, if its label is that byte. No two nodes have the same base, so a
//! label of another node's child is never taken for one.
//!
//! Aoe: An Efficient Digital Search Algorithm by Using a Double-Array Structure, 1989.

/// Of a node where no piece ends; no id is as large.
const NO_VALUE: u32 = (1 << 24) - 1;

/// Of a unit that is in use by no node: the label of no child, since no text has this byte.
const FREE: u32 = 0xFF << 24;

/// Places that are tried before a node's children get a block of their own.
const TRIES: usize = 256;

/// A node, with the id of the piece that ends there, if any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    base: u32,
    value: u32,
}

impl Node {
    #[inline(always)]
    pub(crate) fn value(self) -> Option<u32> {
        let value = self.value & NO_VALUE;
        (value != NO_VALUE).then_some(value)
    }
}

/// The trie.
#[derive(Debug)]
pub(crate) struct DoubleArray {
    units: Vec<Node>,
}

impl DoubleArray {
    /// Of pieces that are not empty, sorted by their bytes, each once; `None` if an id is too large.
    pub(crate) fn new(pieces: &[(&[u8], u32)]) -> Option<Self> {
        if pieces.iter().any(|&(_, id)| id >= NO_VALUE) {
            return None;
        }
        let mut builder = Builder { units: Vec::new(), taken: Vec::new(), free: Vec::new(), first_free: 0 };
        builder.grow();
        // The root is the child of no node.
        builder.units[0] = Node { base: 0, value: NO_VALUE | FREE };
        builder.free[0] = false;
        // Nodes whose children have no place yet: the unit, the pieces below, and how deep it is.
        let mut open = vec![(0_usize, 0..pieces.len(), 0_usize)];
        let mut children: Vec<(u8, std::ops::Range<usize>)> = Vec::new();
        while let Some((unit, range, depth)) = open.pop() {
            children.clear();
            for at in range {
                let Some(&byte) = pieces[at].0.get(depth) else { continue };
                match children.last_mut() {
                    Some((last, below)) if *last == byte => below.end = at + 1,
                    _ => children.push((byte, at..at + 1)),
                }
            }
            if children.is_empty() {
                continue;
            }
            let base = builder.place(&children);
            builder.units[unit].base = base as u32;
            for (byte, below) in children.drain(..) {
                let child = base ^ usize::from(byte);
                let (first, id) = pieces[below.start];
                let value = if first.len() == depth + 1 { id } else { NO_VALUE };
                builder.units[child] = Node { base: 0, value: value | u32::from(byte) << 24 };
                open.push((child, below, depth + 1));
            }
        }
        Some(Self { units: builder.units })
    }

    /// Bytes of the table.
    pub(crate) fn bytes(&self) -> usize {
        self.units.len() * size_of::<Node>()
    }

    pub(crate) fn root(&self) -> Node {
        self.units[0]
    }

    /// The child by a byte.
    #[inline(always)]
    pub(crate) fn child(&self, node: Node, byte: u8) -> Option<Node> {
        let child = *self.units.get(node.base as usize ^ usize::from(byte))?;
        (child.value >> 24 == u32::from(byte)).then_some(child)
    }
}

/// A trie that grows.
struct Builder {
    units: Vec<Node>,
    /// Whether a base is that of a node.
    taken: Vec<bool>,
    free: Vec<bool>,
    /// No unit below is free.
    first_free: usize,
}

impl Builder {
    /// Adds a block of 256 units; children of a node always lie in one.
    fn grow(&mut self) {
        let len = self.units.len() + 256;
        self.units.resize(len, Node { base: 0, value: NO_VALUE | FREE });
        self.taken.resize(len, false);
        self.free.resize(len, true);
        // The base of what has no children.
        self.taken[0] = true;
    }

    /// A base at which all children have a free unit; they are no longer free.
    fn place(&mut self, children: &[(u8, std::ops::Range<usize>)]) -> usize {
        let first = usize::from(children[0].0);
        while self.first_free < self.free.len() && !self.free[self.first_free] {
            self.first_free += 1;
        }
        let fits = |builder: &Self, base: usize| {
            !builder.taken[base] && children.iter().all(|(byte, _)| builder.free[base ^ usize::from(*byte)])
        };
        let tried = (self.first_free..self.free.len()).filter(|&at| self.free[at]).take(TRIES);
        let found = tried.map(|at| at ^ first).find(|&base| fits(self, base));
        let base = found.unwrap_or_else(|| {
            let base = self.units.len();
            self.grow();
            // Behind the tries are but crumbs; what is left there stays unused.
            self.first_free = self.first_free.max(base.saturating_sub(4096));
            base
        });
        self.taken[base] = true;
        for (byte, _) in children {
            self.free[base ^ usize::from(*byte)] = false;
        }
        base
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prefixes_are_those_of_a_search_piece_by_piece(
            pieces in prop::collection::btree_map("[abcé字か]{1,5}", 0_u32..NO_VALUE, 0..80),
            texts in prop::collection::vec("[abcé字か\u{0}\u{7f}]{0,8}", 20),
        ) {
            let pieces: BTreeMap<String, u32> = pieces;
            let sorted: Vec<(&[u8], u32)> = pieces.iter().map(|(piece, id)| (piece.as_bytes(), *id)).collect();
            let trie = DoubleArray::new(&sorted).unwrap();
            for text in &texts {
                let mut found = Vec::new();
                let mut node = trie.root();
                for &byte in text.as_bytes() {
                    let Some(child) = trie.child(node, byte) else { break };
                    node = child;
                    found.extend(node.value());
                }
                let expected: Vec<u32> = (1..=text.len())
                    .filter(|&end| text.is_char_boundary(end))
                    .filter_map(|end| pieces.get(&text[..end]).copied())
                    .collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
