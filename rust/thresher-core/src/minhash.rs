//! MinHash signatures: one pass over the text, whatever the number of lanes.
//!
//! Each shingle falls into one lane (its high bits choose) and the least value (its low 32 bits) stays: one-permutation
//! hashing (Li, Owen, Zhang 2012). Lanes that no shingle fell into are then filled by a permutation of their own,
//! `min(a*x + b)` over all shingles, as classic MinHash fills every lane (Broder 1997).
//!
//! Every lane of two documents agrees with probability exactly their Jaccard similarity: if the union of both falls into a
//! lane, the least of it decides; if nothing of it does, the lane's own permutation does; and a lane that only
//! one of them fills differs, as it must. Short documents are thus sketched by k permutations, long ones by one, and the
//! estimate is never less concentrated than k-mins; plain one-permutation sketches, which copy
//! neighbours into empty lanes, lose pairs of short documents. (The same idea as the rounds of fast similarity sketching,
//! Dahlgaard, Knudsen, Thorup 2017, with the vector unit doing all rounds after the first at once.)
//!
//! Time O(t + k) for t shingles when t is well above k ln k, at most k/8 vector steps a shingle below. The shingle
//! behind a lane has 64 bits: 32 chose among lanes, 32 stay, so the million shingles of a book do not collide.

use std::marker::PhantomData;

use rayon::prelude::*;

use crate::error::Result;
use crate::hash::Keys;
use crate::kernels::{InstructionSet, PermutedLane, Vector, multiversion};
use crate::observe::{Observer, check};
use crate::params::{NumHashes, ShingleSpec};
use crate::shingle::{Buffers, ShingleSink};
use crate::signatures::SignatureMatrix;

/// The lane value of a document without shingles.
pub(crate) const EMPTY: u32 = u32::MAX;

/// Documents that one task signs.
const TASK_DOCS: usize = 256;
/// Bytes of text after which a task ends early.
const TASK_BYTES: usize = 1 << 20;

/// Signs documents. Holds the buffers of one thread: make one a thread.
#[derive(Debug)]
pub struct Signer {
    set: InstructionSet,
    sketch: Sketch,
    buffers: Buffers,
}

/// Lanes of the current document, and what fills those that no shingle falls into.
#[derive(Debug)]
struct Sketch {
    lanes: Box<[u32]>,
    /// Factor (odd) and offset of each lane's own permutation.
    permutations: Box<[(u32, u32)]>,
    kept: KeptShingles,
    /// Room for all lanes and one more; the first `num_empty` are those that stayed empty.
    empty: Box<[PermutedLane]>,
    num_empty: usize,
}

/// The shingles of the current document, as long as they are few.
#[derive(Debug)]
struct KeptShingles {
    shingles: Vec<u64>,
    limit: usize,
    /// Whether there were more than `limit`; none is here then.
    dropped: bool,
}

impl KeptShingles {
    #[inline(always)]
    fn take(&mut self, shingles: &[u64]) {
        self.dropped |= self.shingles.len() + shingles.len() > self.limit;
        if self.dropped {
            self.shingles.clear();
        } else {
            self.shingles.extend_from_slice(shingles);
        }
    }

    /// Whether the document has no shingle at all.
    #[inline(always)]
    fn is_none(&self) -> bool {
        self.shingles.is_empty() && !self.dropped
    }
}

/// The first permutation, with everything that it touches at hand.
struct OnePermutation<'a> {
    lanes: &'a mut [u32],
    kept: &'a mut KeptShingles,
}

impl ShingleSink for OnePermutation<'_> {
    #[inline(always)]
    fn take(&mut self, shingles: &[u64]) {
        let k = self.lanes.len() as u64;
        for &shingle in shingles {
            let slot = ((shingle >> 32) * k) >> 32;
            // SAFETY: `shingle >> 32` is below 2^32, so the slot is below the number of lanes.
            let lane = unsafe { self.lanes.get_unchecked_mut(slot as usize) };
            *lane = (shingle as u32).min(*lane);
        }
        self.kept.take(shingles);
    }
}

/// Fills the empty lanes of a document that has too many shingles to keep.
struct Refill<'a, V> {
    lanes: &'a mut [PermutedLane],
    set: PhantomData<V>,
}

impl<V: Vector> ShingleSink for Refill<'_, V> {
    #[inline(always)]
    fn take(&mut self, shingles: &[u64]) {
        // SAFETY: this is inlined into a function that was compiled for the instruction set of `V`.
        unsafe { V::lower(self.lanes, shingles) };
    }
}

#[inline(always)]
fn sign_with<V: Vector>(buffers: &mut Buffers, sketch: &mut Sketch, text: &str) {
    sketch.lanes.fill(EMPTY);
    sketch.kept.shingles.clear();
    sketch.kept.dropped = false;
    buffers.shingles::<V, _>(text, &mut OnePermutation { lanes: &mut sketch.lanes, kept: &mut sketch.kept });
    sketch.list_empty();
    let empty = &mut sketch.empty[..sketch.num_empty];
    if empty.is_empty() || sketch.kept.is_none() {
        return;
    }
    if sketch.kept.dropped {
        // A long document that left lanes empty repeats itself a great deal; it is read once more.
        buffers.shingles::<V, _>(text, &mut Refill::<V> { lanes: empty, set: PhantomData });
    } else {
        // SAFETY: the caller was compiled for the instruction set of `V`.
        unsafe { V::lower(empty, &sketch.kept.shingles) };
    }
    for lane in empty {
        sketch.lanes[lane.index as usize] = lane.least;
    }
}

impl Sketch {
    /// Lists the lanes that no shingle fell into, without a branch a lane.
    #[inline(always)]
    fn list_empty(&mut self) {
        self.num_empty = 0;
        for (index, (&lane, &(a, b))) in self.lanes.iter().zip(&self.permutations).enumerate() {
            self.empty[self.num_empty] = PermutedLane { index: index as u32, a, b, least: EMPTY };
            self.num_empty += usize::from(lane == EMPTY);
        }
    }
}

multiversion! {
    fn sign(buffers: &mut Buffers, sketch: &mut Sketch, text: &str) = self::sign_with;
}

impl Signer {
    /// A signer of the hash scheme, with the fastest kernels that this processor has.
    #[must_use]
    pub fn new(spec: ShingleSpec, num_hashes: NumHashes) -> Self {
        Self::with_keys(spec, num_hashes, Keys::PUBLIC)
    }

    /// A signer of another family of hashes.
    #[must_use]
    pub fn with_keys(spec: ShingleSpec, num_hashes: NumHashes, keys: Keys) -> Self {
        Self::with_set(spec, num_hashes, keys, InstructionSet::best())
    }

    /// A signer with the kernels of one of [`crate::instruction_sets`]; none if this processor lacks it. Signatures
    /// are the same with all of them, so this is for measurements.
    #[must_use]
    pub fn with_instruction_set(spec: ShingleSpec, num_hashes: NumHashes, name: &str) -> Option<Self> {
        let set = InstructionSet::available().into_iter().find(|set| set.name() == name)?;
        Some(Self::with_set(spec, num_hashes, Keys::PUBLIC, set))
    }

    pub(crate) fn with_set(
        spec: ShingleSpec,
        num_hashes: NumHashes,
        keys: Keys,
        set: InstructionSet,
    ) -> Self {
        let k = num_hashes.get();
        let sketch = Sketch {
            lanes: vec![EMPTY; k].into_boxed_slice(),
            permutations: (0..k).map(|lane| keys.permutation(lane)).collect(),
            // A document this long leaves a lane empty once in 100,000 unless it repeats itself.
            kept: KeptShingles { shingles: Vec::new(), limit: 16 * k.max(16), dropped: false },
            empty: vec![PermutedLane { index: 0, a: 0, b: 0, least: EMPTY }; k + 1].into_boxed_slice(),
            num_empty: 0,
        };
        Self { set, sketch, buffers: Buffers::new(spec, keys) }
    }

    /// The signature of `text`, or none if it has no word. Valid until the next call.
    ///
    /// ```
    /// use thresher_core::{NumHashes, ShingleSpec, Signer};
    /// let mut signer = Signer::new(ShingleSpec::default(), NumHashes::default());
    /// assert_eq!(signer.sign("a b c").map(<[u32]>::len), Some(128));
    /// assert_eq!(signer.sign("..."), None);
    /// ```
    pub fn sign(&mut self, text: &str) -> Option<&[u32]> {
        sign(self.set, &mut self.buffers, &mut self.sketch, text);
        (!self.sketch.kept.is_none()).then_some(&self.sketch.lanes)
    }
}

/// Consecutive ranges of `texts` of about equal work, whatever the number of threads.
pub(crate) fn tasks(texts: &[Option<&str>]) -> Vec<std::ops::Range<usize>> {
    let mut tasks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, text) in texts.iter().enumerate() {
        bytes += text.map_or(0, str::len);
        if index + 1 - start == TASK_DOCS || bytes >= TASK_BYTES || index + 1 == texts.len() {
            tasks.push(start..index + 1);
            (start, bytes) = (index + 1, 0);
        }
    }
    tasks
}

/// The signatures of many documents, on the threads of the current rayon pool.
///
/// `seed` names the family of hashes, 0 the scheme itself. A null text has a null signature; a text without a word has one of `u32::MAX` throughout. The result does
/// not depend on the number of threads.
///
/// # Errors
/// `Error::Cancelled` when the observer asks for it.
pub fn sign_all(
    texts: &[Option<&str>],
    spec: ShingleSpec,
    num_hashes: NumHashes,
    seed: u64,
    observer: &dyn Observer,
) -> Result<SignatureMatrix> {
    let k = num_hashes.get();
    let mut lanes = vec![EMPTY; texts.len() * k];
    let mut rows = lanes.as_mut_slice();
    let mut work = Vec::new();
    for task in tasks(texts) {
        let (head, tail) = std::mem::take(&mut rows).split_at_mut(task.len() * k);
        work.push((&texts[task], head));
        rows = tail;
    }
    work.into_par_iter().try_for_each_init(
        || Signer::with_keys(spec, num_hashes, Keys::from_seed(seed)),
        |signer, (texts, rows)| {
            check(observer)?;
            for (text, row) in texts.iter().zip(rows.chunks_exact_mut(k)) {
                if let Some(signature) = text.and_then(|text| signer.sign(text)) {
                    row.copy_from_slice(signature);
                }
            }
            observer.advance(texts.len() as u64, texts.iter().flatten().map(|t| t.len() as u64).sum());
            Ok(())
        },
    )?;
    let valid = texts.iter().map(Option::is_some).collect();
    Ok(SignatureMatrix::new(num_hashes, seed, lanes, valid))
}

#[cfg(test)]
mod tests;
