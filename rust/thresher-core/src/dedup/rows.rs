//! What a signature leaves of itself while all are searched: its packed lanes, and some bits of each band's key.
//!
//! Two documents share a band if its keys agree in their upper [`KEY_BITS`]. Bits of the lanes of a band
//! are in the packed signature anyway, so beside it only [`OWN_BITS`] bits of each key are held: together they tell keys
//! apart as well, but for two documents that differ in one lane of a band, of which one pair in 2^28 may be taken for equal there.
//! That makes 127 bytes a document at the defaults, and a document has one row from the first to the last, so parts of threads
//! need not be joined.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::hash::{K0, K1, mum};
use crate::lsh::KEY_BITS;
use crate::params::Banding;
use crate::screen::Screen;

/// Bits of a band's key that a row has for itself.
pub(super) const OWN_BITS: u32 = 24;
const OWN_BYTES: usize = OWN_BITS as usize / 8;
/// Lanes of a packed signature that one word holds wherever they begin.
const LANES_A_WORD: usize = 15;

/// How rows are made and read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) screen: Screen,
    pub(super) banding: Banding,
}

impl Layout {
    /// Bytes of a row.
    pub(super) fn bytes(self) -> usize {
        self.screen.bytes() + OWN_BYTES * self.banding.bands()
    }

    /// Writes the row of a signature; `packed` and `keys` are room to work in.
    pub(super) fn write(self, signature: &[u32], packed: &mut Vec<u8>, keys: &mut [u64], row: &mut [u8]) {
        packed.clear();
        self.screen.pack(signature, packed);
        self.banding.keys_into(signature, keys);
        let (lanes, own) = row.split_at_mut(packed.len());
        lanes.copy_from_slice(packed);
        for (own, key) in own.as_chunks_mut::<OWN_BYTES>().0.iter_mut().zip(keys) {
            own.copy_from_slice(&key.to_be_bytes()[..OWN_BYTES]);
        }
    }

    /// The bits of a band's key that a row has for itself.
    #[inline]
    fn own(self, row: &[u8], band: usize) -> u32 {
        let [high, middle, low] = row[self.screen.bytes() + OWN_BYTES * band..].as_chunks().0[0];
        u32::from_be_bytes([0, high, middle, low])
    }

    /// [`KEY_BITS`] that stand for the key of a band, its own ones above the others.
    #[inline]
    fn key(self, row: &[u8], band: usize) -> u64 {
        let own = u64::from(self.own(row, band));
        let (mut at, end) = (band * self.banding.rows(), (band + 1) * self.banding.rows());
        let mut lanes = 0;
        while at < end {
            let count = LANES_A_WORD.min(end - at);
            let mut word = [0; 8];
            let bytes = &row[at / 2..row.len().min(at / 2 + 8)];
            word[..bytes.len()].copy_from_slice(bytes);
            let some = u64::from_le_bytes(word) >> (4 * (at % 2)) & ((1 << (4 * count)) - 1);
            lanes = mum(lanes ^ some ^ K0, K1);
            at += count;
        }
        own << (KEY_BITS - OWN_BITS) | lanes & ((1 << (KEY_BITS - OWN_BITS)) - 1)
    }
}

/// The rows of all documents, by their numbers; those without a signature have an empty one.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) layout: Layout,
    bytes: Vec<u8>,
    /// A bit for each document that has a row.
    signed: Vec<AtomicU64>,
}

impl Rows {
    /// No rows yet, of `n_docs` documents. Memory is taken as it is written to.
    pub(super) fn new(layout: Layout, n_docs: usize) -> Self {
        Self {
            layout,
            bytes: vec![0; n_docs * layout.bytes()],
            signed: (0..n_docs.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The room for all rows, to be shared out among threads, and what notes them.
    pub(super) fn parts(&mut self) -> (&mut [u8], Signed<'_>) {
        (&mut self.bytes, Signed(&self.signed))
    }

    pub(super) fn is_signed(&self, doc: usize) -> bool {
        self.signed[doc / 64].load(Ordering::Relaxed) & 1 << (doc % 64) != 0
    }

    /// Gives the row of one document to another, that has none.
    pub(super) fn hand_over(&mut self, from: u32, to: u32) {
        let (from, to, bytes) = (from as usize, to as usize, self.layout.bytes());
        if from != to && self.is_signed(from) {
            self.bytes.copy_within(from * bytes..(from + 1) * bytes, to * bytes);
            Signed(&self.signed).note(to);
            *self.signed[from / 64].get_mut() &= !(1 << (from % 64));
        }
    }

    fn row(&self, doc: usize) -> &[u8] {
        &self.bytes[doc * self.layout.bytes()..][..self.layout.bytes()]
    }

    /// How many documents have one.
    pub(super) fn len(&self) -> usize {
        self.signed.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// The packed signature of a document.
    pub(super) fn packed(&self, doc: u32) -> &[u8] {
        &self.row(doc as usize)[..self.layout.screen.bytes()]
    }

    /// The upper [`OWN_BITS`] of every key of a band.
    pub(super) fn upper_bits(&self, band: usize) -> impl Iterator<Item = u32> {
        let rows = self.bytes.chunks_exact(self.layout.bytes()).enumerate();
        rows.filter(|&(doc, _)| self.is_signed(doc)).map(move |(_, row)| self.layout.own(row, band))
    }

    /// Every document that has a row, with its key of a band.
    pub(super) fn keys(&self, band: usize) -> impl Iterator<Item = (u64, u32)> {
        let rows = self.bytes.chunks_exact(self.layout.bytes()).enumerate();
        rows.filter(|&(doc, _)| self.is_signed(doc))
            .map(move |(doc, row)| (self.layout.key(row, band), doc as u32))
    }
}

/// Notes who has a row.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a>(&'a [AtomicU64]);

impl Signed<'_> {
    pub(super) fn note(self, doc: usize) {
        self.0[doc / 64].fetch_or(1 << (doc % 64), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::splitmix64;
    use crate::params::{NumHashes, Threshold};

    proptest! {
        #[test]
        fn keys_of_rows_agree_where_keys_of_bands_do(lanes in 1..140usize, rows in 1..140usize, change in 0..140usize, seed: u64) {
            let num_hashes = NumHashes::try_new(lanes).unwrap();
            let rows = rows.min(lanes);
            let banding = Banding::try_new(lanes / rows, rows, num_hashes).unwrap();
            let layout = Layout { screen: Screen::new(Threshold::default(), num_hashes), banding };
            let signature: Vec<u32> = (0..lanes as u64).map(|lane| splitmix64(seed.wrapping_add(lane)) as u32).collect();
            let mut other = signature.clone();
            if let Some(lane) = other.get_mut(change) {
                *lane ^= 1 << (seed % 32);
            }
            let mut table = Rows::new(layout, 2);
            let (bytes, signed) = table.parts();
            let mut keys = [vec![0; banding.bands()], vec![0; banding.bands()]];
            for (doc, signature) in [&signature, &other].into_iter().enumerate() {
                let row = &mut bytes[doc * layout.bytes()..][..layout.bytes()];
                layout.write(signature, &mut Vec::new(), &mut keys[doc], row);
                signed.note(doc);
            }
            for (band, (key, other)) in keys[0].iter().zip(&keys[1]).enumerate() {
                let found: Vec<(u64, u32)> = table.keys(band).collect();
                prop_assert!(found[0].0 >> KEY_BITS == 0);
                prop_assert_eq!(found[0].0 == found[1].0, key == other);
                let upper: Vec<u64> = table.upper_bits(band).map(u64::from).collect();
                prop_assert_eq!(upper[0], found[0].0 >> (KEY_BITS - OWN_BITS));
            }
            table.hand_over(0, 1);
            prop_assert_eq!(table.keys(0).count(), 1);
            let mut packed = Vec::new();
            layout.screen.pack(&signature, &mut packed);
            prop_assert_eq!(table.packed(1), packed);
        }
    }
}
