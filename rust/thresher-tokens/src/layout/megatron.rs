//! The two files of Megatron-LM: `.bin`, which is tokens alone, and `.idx`, which says where each sequence and document is.
//!
//! ```text
//! 0       9         17      18          26           34
//! MMIDIDX\0\0 | version 1 | dtype | sequences | boundaries | i32 lengths | i64 pointers | i64 boundaries  | i8 modes?
//!  9 bytes    |    u64    |  u8   |    u64    |    u64     |  of each    | first bytes  | first sequences
//! ```
//! All little-endian. Boundaries are the sequences at which documents begin, and behind the last one the number of all
//! sequences: one more than there are documents. Modes are there for data of several kinds, one a sequence. Source:
//! `_IndexWriter` and `_IndexReader` in `megatron/core/datasets/indexed_dataset.py` of NVIDIA/Megatron-LM.
//!
//! Pointers are what lengths before them add up to, in 64 bits; so a file of any size is written, merged and checked block by block.

use super::Dtype;
use crate::error::{Error, Result};

/// The first bytes of every index.
pub const MAGIC: &[u8; 9] = b"MMIDIDX\0\0";
/// The version that there is.
const VERSION: u64 = 1;
/// The bytes of a head.
pub const HEAD_BYTES: usize = 34;

/// What stands at the beginning of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What tokens are stored as.
    pub dtype: Dtype,
    /// Stretches of tokens that have a length.
    pub sequences: u64,
    /// One more than documents.
    pub boundaries: u64,
}

impl Head {
    /// The head as it is stored.
    ///
    /// # Errors
    /// `Error::Parameter` for a type that has no code.
    pub fn to_bytes(self) -> Result<[u8; HEAD_BYTES]> {
        let code = self.dtype.code().ok_or_else(|| {
            let name = self.dtype.name();
            Error::Parameter(format!(
                "dtype is `{name}`, which an index of Megatron-LM has no code for; use `uint16` or `int32`"
            ))
        })?;
        let mut bytes = [0; HEAD_BYTES];
        bytes[..9].copy_from_slice(MAGIC);
        bytes[9..17].copy_from_slice(&VERSION.to_le_bytes());
        bytes[17] = code;
        bytes[18..26].copy_from_slice(&self.sequences.to_le_bytes());
        bytes[26..34].copy_from_slice(&self.boundaries.to_le_bytes());
        Ok(bytes)
    }

    /// Reads a head, and checks that an index of so many bytes can have it; says whether it has modes too.
    ///
    /// # Errors
    /// `Error::Layout` for what is no index, one of another version, or one that is longer or shorter than it says.
    pub fn read(start: &[u8], index_bytes: u64) -> Result<(Self, bool)> {
        let wrong = |what: String| Err(Error::Layout(what));
        if !start.starts_with(MAGIC) {
            return wrong("it does not begin as an index of Megatron-LM (`MMIDIDX`)".into());
        }
        if start.len() < HEAD_BYTES {
            return wrong(format!("it ends after {} of the {HEAD_BYTES} bytes of its head", start.len()));
        }
        let version = number(&start[9..17]);
        if version != VERSION {
            return wrong(format!("its version is `{version}`, but `{VERSION}` is known"));
        }
        let Some(dtype) = Dtype::of_code(start[17]) else {
            return wrong(format!("its dtype has the code `{}`, which is none of 1 to 8", start[17]));
        };
        let head = Self { dtype, sequences: number(&start[18..26]), boundaries: number(&start[26..34]) };
        if head.boundaries == 0 {
            return wrong("it has no boundary of documents, not even the one at its end".into());
        }
        if head.index_bytes(false) == Some(index_bytes) {
            return Ok((head, false));
        }
        if head.index_bytes(true) == Some(index_bytes) {
            return Ok((head, true));
        }
        wrong(format!(
            "{} sequences and {} boundaries of documents do not make the {index_bytes} bytes that it has",
            head.sequences, head.boundaries
        ))
    }

    /// Where lengths begin.
    #[must_use]
    pub fn lengths_at(&self) -> u64 {
        HEAD_BYTES as u64
    }

    /// Where pointers begin.
    #[must_use]
    pub fn pointers_at(&self) -> u64 {
        self.lengths_at() + 4 * self.sequences
    }

    /// Where boundaries of documents begin.
    #[must_use]
    pub fn boundaries_at(&self) -> u64 {
        self.pointers_at() + 8 * self.sequences
    }

    /// Where modes begin, if there are any.
    #[must_use]
    pub fn modes_at(&self) -> u64 {
        self.boundaries_at() + 8 * self.boundaries
    }

    /// The bytes of the whole index; none if no number holds them.
    #[must_use]
    pub fn index_bytes(&self, has_modes: bool) -> Option<u64> {
        let a_sequence = if has_modes { 13 } else { 12 };
        let sequences = self.sequences.checked_mul(a_sequence)?;
        self.boundaries.checked_mul(8)?.checked_add(sequences)?.checked_add(HEAD_BYTES as u64)
    }
}

/// Appends lengths as they are stored.
///
/// # Errors
/// `Error::Layout` for one that 31 bits do not hold.
pub fn put_lengths(lengths: &[u32], out: &mut Vec<u8>) -> Result<()> {
    if let Some(long) = lengths.iter().find(|&&length| length > i32::MAX as u32) {
        return Err(Error::Layout(format!(
            "a sequence has `{long}` tokens, but an index of Megatron-LM holds up to {}",
            i32::MAX
        )));
    }
    out.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
    Ok(())
}

/// Appends the lengths that are stored.
///
/// # Errors
/// `Error::Layout` for a negative one.
pub fn take_lengths(stored: &[u8], lengths: &mut Vec<u32>) -> Result<()> {
    let negative = |_| Error::Layout("a sequence has a negative number of tokens".into());
    Dtype::Int32.take(stored, lengths).map_err(negative)
}

/// Where sequences begin in the `.bin`, from their lengths in order.
#[derive(Clone, Copy, Debug)]
pub struct Pointers {
    dtype: Dtype,
    next: u64,
}

impl Pointers {
    /// Of tokens of a type.
    #[must_use]
    pub fn new(dtype: Dtype) -> Self {
        Self { dtype, next: 0 }
    }

    /// The byte behind all sequences so far.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.next
    }

    /// Where a sequence of that length begins, behind those before.
    ///
    /// # Errors
    /// `Error::Layout` if the file would be longer than 63 bits count.
    pub fn next(&mut self, length: u32) -> Result<u64> {
        let at = self.next;
        let end = u64::from(length).checked_mul(self.dtype.bytes()).and_then(|bytes| at.checked_add(bytes));
        self.next = end
            .filter(|&end| i64::try_from(end).is_ok())
            .ok_or_else(|| Error::Layout("the tokens are more bytes than 63 bits count".into()))?;
        Ok(at)
    }

    /// Appends pointers of sequences of those lengths.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn put(&mut self, lengths: &[u32], out: &mut Vec<u8>) -> Result<()> {
        for &length in lengths {
            out.extend_from_slice(&self.next(length)?.to_le_bytes());
        }
        Ok(())
    }

    /// Makes sure that stored pointers are those of sequences of those lengths, the first of which is the `first` one of all.
    ///
    /// # Errors
    /// `Error::Layout` with the first one that is not.
    pub fn check(&mut self, first: u64, lengths: &[u32], stored: &[u8]) -> Result<()> {
        for (at, (&length, found)) in (first..).zip(lengths.iter().zip(stored_numbers(stored))) {
            let wanted = self.next(length)?;
            if wanted != found {
                return Err(Error::Layout(format!(
                    "sequence {at} begins at byte {wanted} by the lengths before it, but its pointer is `{}`",
                    found as i64
                )));
            }
        }
        Ok(())
    }
}

/// Boundaries of documents, checked as they come: they begin with 0, ascend, and end with the number of sequences.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boundaries {
    seen: u64,
    last: u64,
}

impl Boundaries {
    /// The next stored boundaries.
    ///
    /// # Errors
    /// `Error::Layout` with the first one that cannot be.
    pub fn check(&mut self, stored: &[u8]) -> Result<()> {
        for found in stored_numbers(stored) {
            let is_first = self.seen == 0;
            if (is_first && found != 0) || found < self.last || i64::try_from(found).is_err() {
                let wanted = if is_first { "0".to_owned() } else { format!("at least {}", self.last) };
                return Err(Error::Layout(format!(
                    "document {} begins at sequence `{}`, but that has to be {wanted}",
                    self.seen, found as i64
                )));
            }
            (self.seen, self.last) = (self.seen + 1, found);
        }
        Ok(())
    }

    /// There are no more.
    ///
    /// # Errors
    /// `Error::Layout` if the last one is not the number of sequences.
    pub fn end(&self, sequences: u64) -> Result<()> {
        if self.last == sequences {
            return Ok(());
        }
        Err(Error::Layout(format!(
            "the last document ends at sequence {}, but there are {sequences}",
            self.last
        )))
    }
}

/// Appends boundaries, each moved by so many sequences.
pub fn put_boundaries(boundaries: impl IntoIterator<Item = u64>, moved: u64, out: &mut Vec<u8>) {
    for boundary in boundaries {
        out.extend_from_slice(&(boundary + moved).to_le_bytes());
    }
}

/// Stored numbers of 64 bits.
pub fn stored_numbers(stored: &[u8]) -> impl Iterator<Item = u64> {
    stored.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight))
}

fn number(eight: &[u8]) -> u64 {
    eight.try_into().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An index of documents of one sequence each.
    fn index(dtype: Dtype, lengths: &[u32]) -> Vec<u8> {
        let sequences = lengths.len() as u64;
        let mut out = Head { dtype, sequences, boundaries: sequences + 1 }.to_bytes().unwrap().to_vec();
        put_lengths(lengths, &mut out).unwrap();
        Pointers::new(dtype).put(lengths, &mut out).unwrap();
        put_boundaries(0..=sequences, 0, &mut out);
        out
    }

    #[test]
    fn an_index_has_the_bytes_that_the_layout_says() {
        let mut wanted = b"MMIDIDX\0\0".to_vec();
        wanted.extend([1, 0, 0, 0, 0, 0, 0, 0, 8]);
        wanted.extend([2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        wanted.extend([3, 0, 0, 0, 1, 0, 0, 0]);
        wanted.extend([0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
        wanted.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(index(Dtype::Uint16, &[3, 1]), wanted);
    }

    #[test]
    fn pointers_pass_two_to_the_31_and_stop_at_two_to_the_63() {
        let mut pointers = Pointers::new(Dtype::Int32);
        let most = i32::MAX as u32;
        assert_eq!(pointers.next(most).unwrap(), 0);
        assert_eq!(pointers.next(most).unwrap(), 4 * u64::from(most));
        assert_eq!(pointers.next(1).unwrap(), 8 * u64::from(most));
        let mut pointers = Pointers { dtype: Dtype::Uint16, next: i64::MAX as u64 - 3 };
        assert!(pointers.next(1).is_ok());
        assert!(pointers.next(1).is_err());
        assert!(put_lengths(&[1 << 31], &mut Vec::new()).is_err());
    }

    #[test]
    fn an_index_that_lies_about_itself_is_refused() {
        let good = index(Dtype::Uint16, &[3, 0, 5]);
        let read = |bytes: &[u8], len: u64| Head::read(&bytes[..bytes.len().min(HEAD_BYTES)], len);
        let whole = good.len() as u64;
        assert_eq!(read(&good, whole).unwrap().0.sequences, 3);
        assert!(!read(&good, whole).unwrap().1 && read(&good, whole + 3).unwrap().1);
        for (at, value, says) in [
            (0, b'X', "does not begin"),
            (9, 2, "version is `2`"),
            (17, 9, "the code `9`"),
            (18, 4, "do not make"),
            (25, 0xff, "do not make"),
            (26, 0, "no boundary"),
            (33, 0x80, "do not make"),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            let said = read(&bad, whole).unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
        }
        assert!(read(&good, whole - 1).is_err());
        assert!(read(&good[..20], 20).unwrap_err().to_string().contains("ends after 20"));
        assert!(read(&[], 0).is_err());
    }

    #[test]
    fn pointers_and_documents_that_lie_are_named() {
        let lengths = [3, 0, 5];
        let mut stored = Vec::new();
        Pointers::new(Dtype::Int32).put(&lengths, &mut stored).unwrap();
        assert!(Pointers::new(Dtype::Int32).check(0, &lengths, &stored).is_ok());
        stored[16] = 13;
        let said = Pointers::new(Dtype::Int32).check(0, &lengths, &stored).unwrap_err().to_string();
        assert!(said.contains("sequence 2 begins at byte 12") && said.contains("`13`"), "{said}");
        let check = |boundaries: &[u64], sequences| {
            let (mut out, mut seen) = (Vec::new(), Boundaries::default());
            put_boundaries(boundaries.iter().copied(), 0, &mut out);
            seen.check(&out).and_then(|()| seen.end(sequences))
        };
        assert!(check(&[0, 1, 1, 3], 3).is_ok());
        for (bad, says) in [
            (&[1, 3][..], "has to be 0"),
            (&[0, 2, 1, 3], "at least 2"),
            (&[0, 2], "ends at sequence 2"),
            (&[0, u64::MAX], "`-1`"),
        ] {
            let said = check(bad, 3).unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
        }
    }

    proptest! {
        #[test]
        fn lengths_come_back_and_pointers_are_their_sums(
            lengths in proptest::collection::vec(0..=i32::MAX as u32, 0..40)
        ) {
            let index = index(Dtype::Int32, &lengths);
            let (head, has_modes) = Head::read(&index[..HEAD_BYTES], index.len() as u64).unwrap();
            prop_assert!(!has_modes);
            let part = |from: u64, to: u64| &index[from as usize..to as usize];
            let mut back = Vec::new();
            take_lengths(part(head.lengths_at(), head.pointers_at()), &mut back).unwrap();
            prop_assert_eq!(&back, &lengths);
            let pointers: Vec<u64> = stored_numbers(part(head.pointers_at(), head.boundaries_at())).collect();
            let mut sum = 0;
            for (&length, pointer) in lengths.iter().zip(pointers) {
                prop_assert_eq!(pointer, sum);
                sum += 4 * u64::from(length);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut bytes = bytes;
            if bytes.len() > 9 { bytes[..9].copy_from_slice(MAGIC); }
            let _ = Head::read(&bytes, bytes.len() as u64);
            let _ = Boundaries::default().check(&bytes);
            let _ = take_lengths(&bytes, &mut Vec::new());
        }
    }
}
