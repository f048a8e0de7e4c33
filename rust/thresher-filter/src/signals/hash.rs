//! Keyed hashes of words, lines and runs of words, and the tables they are counted in.
//!
//! A hash folds products of 16 bytes with a key ("mum", Wang Yi's wyhash, 2019; what is known of it stands in
//! `thresher_core::hash`). Two different things of a document of `n` are taken for one with a chance of about `n^2 / 2^64`
//! in all: below 10^-12 for a thousand words, 10^-5 for ten million. The key is drawn by whoever makes the
//! extractor, so that no text can be written whose hashes crowd one place of a table.

/// What keys the hashes of an extractor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    offsets: [u64; 4],
}

/// Bytes hashed at a time.
pub(crate) const STEP: usize = 16;

impl Key {
    /// A key from a number: four numbers of the stream of `splitmix64`.
    pub(crate) fn new(number: u64) -> Self {
        let mut state = number;
        let offsets = std::array::from_fn(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ mixed >> 31 | 1
        });
        Self { offsets }
    }

    /// The hash of two numbers.
    #[inline(always)]
    pub(crate) fn pair(&self, first: u64, second: u64) -> u64 {
        fold(first ^ self.offsets[0], second ^ self.offsets[1])
    }

    /// The hash of up to 16 bytes, as numbers, with their length.
    #[inline(always)]
    pub(crate) fn short(&self, [low, high]: [u64; 2], len: usize) -> u64 {
        self.end(0, [low, high], len)
    }

    /// The hash of bytes; the same as [`Key::short`] for up to 16 of them.
    #[inline]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> u64 {
        let Some(last) = bytes.last_chunk::<STEP>() else {
            let mut block = [0; STEP];
            block[..bytes.len()].copy_from_slice(bytes);
            return self.short(halves(block), bytes.len());
        };
        // The last block overlaps the one before, which their number and the length tell apart.
        let mut state = 0;
        for block in bytes[..bytes.len() - 1].as_chunks::<STEP>().0 {
            state = self.chain(state, halves(*block));
        }
        self.end(state, halves(*last), bytes.len())
    }

    /// Chains 16 bytes more to what came before, from 0 on.
    #[inline(always)]
    pub(crate) fn chain(&self, state: u64, [low, high]: [u64; 2]) -> u64 {
        fold(low ^ self.offsets[0] ^ state, high ^ self.offsets[1])
    }

    /// Ends a chain with up to 16 bytes and the length of all.
    #[inline(always)]
    pub(crate) fn end(&self, state: u64, [low, high]: [u64; 2], len: usize) -> u64 {
        let len = (len as u64).wrapping_mul(self.offsets[1]);
        fold(low ^ self.offsets[2] ^ state, high ^ self.offsets[3] ^ len)
    }
}

#[inline(always)]
fn halves(block: [u8; STEP]) -> [u64; 2] {
    let block = u128::from_le_bytes(block);
    [block as u64, (block >> 64) as u64]
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Which hashes were seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    slots: Vec<u64>,
    shift: u32,
}

impl Seen {
    /// Forgets all, and makes room for up to `count` hashes.
    pub(crate) fn reset(&mut self, count: usize) {
        let bits = table_bits(count);
        self.slots.clear();
        self.slots.resize(1 << bits, 0);
        self.shift = u64::BITS - bits;
    }

    /// Whether `hash` is new.
    #[inline(always)]
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        // What is empty holds 0.
        let hash = hash.max(1);
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if *slot == hash {
                return false;
            }
            if *slot == 0 {
                *slot = hash;
                return true;
            }
            at = (at + 1) & mask;
        }
    }
}

/// A slot of [`Counts`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    hash: u64,
    /// How often it came; 0 in an empty slot.
    pub(crate) times: u32,
    /// The number it came with first.
    pub(crate) first: u32,
}

/// How often hashes came.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    slots: Vec<Count>,
    shift: u32,
}

impl Counts {
    /// Forgets all, and makes room for up to `count` hashes.
    pub(crate) fn reset(&mut self, count: usize) {
        let bits = table_bits(count);
        self.slots.clear();
        self.slots.resize(1 << bits, Count::default());
        self.shift = u64::BITS - bits;
    }

    /// Counts one more; gives its slot and what is in it now.
    #[inline(always)]
    pub(crate) fn add(&mut self, hash: u64, number: u32) -> (u32, Count) {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.times == 0 {
                *slot = Count { hash, times: 1, first: number };
                return (at as u32, *slot);
            }
            if slot.hash == hash {
                slot.times += 1;
                return (at as u32, *slot);
            }
            at = (at + 1) & mask;
        }
    }

    /// The count of a slot that [`Counts::add`] gave.
    #[inline(always)]
    pub(crate) fn count(&self, slot: u32) -> u32 {
        self.slots[slot as usize].times
    }

    /// All that came, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = Count> {
        self.slots.iter().copied().filter(|slot| slot.times > 0)
    }
}

/// Which hashes came once and which again, by two bits each: never takes a repeated one for single, and one in eight or
/// fewer of the others for repeated.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    /// Came once, came again.
    bits: Vec<[u64; 2]>,
    shift: u32,
}

impl Sketch {
    /// Forgets all, and makes room for up to `count` hashes.
    pub(crate) fn reset(&mut self, count: usize) {
        let bits = table_bits(count.div_ceil(16)).max(1);
        self.bits.clear();
        self.bits.resize(1 << bits, [0; 2]);
        self.shift = u64::BITS - bits;
    }

    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u64) {
        ((hash >> self.shift) as usize & (self.bits.len() - 1), 1 << (hash & 63))
    }

    /// Takes a hash.
    #[inline(always)]
    pub(crate) fn add(&mut self, hash: u64) {
        let (at, bit) = self.place(hash);
        let [once, again] = &mut self.bits[at];
        *again |= *once & bit;
        *once |= bit;
    }

    /// Whether a hash may have come more than once.
    #[inline(always)]
    pub(crate) fn repeated(&self, hash: u64) -> bool {
        let (at, bit) = self.place(hash);
        self.bits[at][1] & bit != 0
    }
}

/// How many bits number the slots of a table that is at most half full.
fn table_bits(count: usize) -> u32 {
    (2 * count.max(8)).next_power_of_two().trailing_zeros()
}
