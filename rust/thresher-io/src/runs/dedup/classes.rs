//! Equal texts: documents of one content hash, of which the one that the keep policy prefers stands for the others.
//!
//! Hashes are looked at range by range, so no more of them are in memory than a range on each thread.

use thresher_core::parallel::map;
use thresher_core::{Keep, Precedence};

use super::Run;
use super::corpus::{Corpus, chunks};
use super::records::HASH_RECORD;
use crate::error::Result;
use crate::runs::spill::bits::{Bits, Marks};
use crate::runs::spill::sort::{SharedSorter, Sorted};

/// Bytes that a record of a chunk takes while it is grouped.
const WORKING_BYTES: u64 = 64;
/// Records of a chunk at most: so all threads have work, and a wish to stop is heard soon.
const MOST_RECORDS: u64 = 1 << 18;

/// The documents whose text another one stands for.
pub(crate) struct Copies {
    /// Each with the one that stands for it.
    pub(crate) standing: Sorted<2>,
    pub(crate) bits: Bits,
}

/// Finds the copies.
///
/// # Errors
/// I/O failures, and the wish to stop.
pub(crate) fn find(run: &Run<'_>, corpus: &Corpus) -> Result<Copies> {
    let section = corpus.layout.hashes();
    let per_range = corpus.per_range(section, HASH_RECORD);
    let share = run.memory.part(4 * run.crew.threads() as u64);
    let precedence = match run.checked.search.keep {
        // Equal texts are of one length.
        Keep::First | Keep::Longest | Keep::Shortest => Precedence::First,
        keep @ (Keep::Max | Keep::Min) => Precedence::new(keep, &[], &corpus.ranks),
    };
    let sorter = SharedSorter::new(&run.work, run.memory.part(6), corpus.n_docs);
    let marks = Marks::new(corpus.n_docs as usize);
    let chunks = chunks(&per_range, (share / WORKING_BYTES).min(MOST_RECORDS));
    let find = |chunk: usize| {
        run.progress.check()?;
        let chunk = chunks[chunk].clone();
        let (mut records, mut bytes) = (Vec::new(), Vec::new());
        for task in &corpus.tasks {
            task.file.read(section, chunk.clone(), &mut bytes)?;
            records.extend(bytes.as_chunks::<HASH_RECORD>().0.iter().map(|record| {
                let (hash, local) = record.split_at(16);
                let hash = u128::from_ne_bytes(hash.try_into().unwrap_or_default());
                (hash, task.number(u32::from_ne_bytes(local.try_into().unwrap_or_default())))
            }));
        }
        records.sort_unstable();
        let mut copies: Vec<[u32; 2]> = Vec::new();
        for equal in records.chunk_by(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
            let docs = || equal.iter().map(|&(_, doc)| doc);
            let stands = |a: u32, b: u32| {
                corpus
                    .is_reference(b)
                    .cmp(&corpus.is_reference(a))
                    .then_with(|| precedence.compare(a, b))
                    .is_lt()
            };
            let standing = docs().reduce(|best, doc| if stands(doc, best) { doc } else { best });
            let Some(standing) = standing else { continue };
            for doc in docs().filter(|&doc| doc != standing) {
                marks.set(doc);
                copies.push([doc, standing]);
            }
        }
        sorter.extend(&mut copies)
    };
    map(&*run.crew, chunks.len(), 1, find).into_iter().collect::<Result<()>>()?;
    Ok(Copies { standing: sorter.finish(&run.crew, run.progress)?, bits: marks.finish() })
}
