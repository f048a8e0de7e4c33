//! The packed signatures of all signed documents: in memory as long as they have room there, else in the files of their tasks.

use thresher_core::prefetch::prefetch;

use super::corpus::Corpus;
use crate::error::Result;

/// Gives the packed signature of a document.
pub(crate) enum Signatures<'a> {
    Memory { corpus: &'a Corpus, packed: Vec<u8>, size: usize },
    Files { corpus: &'a Corpus, size: usize },
}

impl<'a> Signatures<'a> {
    /// Those of the corpus, `size` bytes each, in up to `room` bytes of memory.
    ///
    /// # Errors
    /// I/O failures and damaged files.
    pub(crate) fn new(corpus: &'a Corpus, size: usize, room: u64) -> Result<Self> {
        if u64::from(corpus.signed.len()) * size as u64 > room {
            return Ok(Self::Files { corpus, size });
        }
        // A task holds its documents in the order of the corpus but for the order of its pieces.
        let mut packed = vec![0; corpus.signed.len() as usize * size];
        let (mut bytes, mut signed) = (Vec::new(), Vec::new());
        for task in &corpus.tasks {
            task.file.read(corpus.layout.packed(), 0..1, &mut bytes)?;
            task.file.read(corpus.layout.signed(), 0..1, &mut signed)?;
            for (local, signature) in super::corpus::numbers(&signed).iter().zip(bytes.chunks_exact(size)) {
                let place = corpus.signed.rank(task.number(*local)) as usize * size;
                packed[place..place + size].copy_from_slice(signature);
            }
        }
        Ok(Self::Memory { corpus, packed, size })
    }

    /// Asks for the memory that [`Signatures::append`] will look at.
    pub(crate) fn prefetch(&self, doc: u32) {
        if let Self::Memory { corpus, packed, size } = self {
            let place = corpus.signed.rank(doc) as usize * size;
            prefetch(&packed[place..place + size], *size);
        }
    }

    /// Appends the signature of a signed document to `to`.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn append(&self, doc: u32, to: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Memory { corpus, packed, size } => {
                let place = corpus.signed.rank(doc) as usize * size;
                to.extend_from_slice(&packed[place..place + size]);
                Ok(())
            }
            Self::Files { corpus, size } => {
                let (task, place) = corpus.signature_of(doc);
                let at = to.len();
                to.resize(at + size, 0);
                let file = &corpus.tasks[task].file;
                file.read_at(corpus.layout.packed(), place * *size as u64, &mut to[at..])
            }
        }
    }
}
