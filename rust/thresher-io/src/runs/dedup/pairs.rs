//! Pairs whose signatures are looked at later, for a corpus whose signatures do not fit in memory.
//!
//! Documents with consecutive numbers form a *block*. A pair is noted with the block of its earlier document, in the order of the
//! later one. In the end the signatures of a block are loaded and its pairs go by, while those of the later documents are read
//! along: so signatures are read in order, once for each block, and never one by one. A pair that shares many bands is looked
//! at once.

use std::sync::Mutex;

use thresher_core::parallel::map;
use thresher_core::screen::Screen;

use super::Run;
use super::corpus::Corpus;
use super::links::{HANDED_ON, ask};
use crate::crew::lock;
use crate::error::Result;
use crate::runs::spill::sort::{Row, SharedSorter};

/// Documents of a bucket at most: the signatures of a larger one are read at once, since it has more pairs than documents.
pub(crate) const FEW: usize = 16;
/// Later documents whose signatures are read together.
const ALONG: u32 = 4096;

/// Pairs by the blocks of their earlier documents.
pub(crate) struct Pairs {
    /// The later document first.
    blocks: SharedSorter<2>,
    docs_a_block: u32,
}

impl Pairs {
    /// None yet, of documents whose signatures have `size` bytes. A thread works on one block, and those of all threads fit
    /// in `room`; so many `bytes` of pairs stay in memory.
    pub(crate) fn new(run: &Run<'_>, corpus: &Corpus, size: usize, room: u64, bytes: u64) -> Self {
        let docs = room / (size * run.crew.threads()) as u64;
        let docs_a_block = docs.clamp(1, u64::from(corpus.n_docs)) as u32;
        let blocks = SharedSorter::by_last(&run.work, bytes, corpus.n_docs, docs_a_block);
        Self { blocks, docs_a_block }
    }

    /// Takes pairs.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn extend(&self, pairs: &mut Vec<Row<2>>) -> Result<()> {
        self.blocks.extend(pairs)?;
        pairs.clear();
        Ok(())
    }

    /// Hands those that pass the screen to `passed`, some at a time and in no order.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(crate) fn screen(
        self,
        run: &Run<'_>,
        corpus: &Corpus,
        screen: Screen,
        passed: &(dyn Fn(&mut Vec<Row<2>>) -> Result<()> + Sync),
    ) -> Result<()> {
        let docs = self.docs_a_block;
        let blocks: Vec<_> =
            self.blocks.into_ranges().into_iter().map(|block| Mutex::new(Some(block))).collect();
        let look = |block: usize| -> Result<()> {
            let Some(pairs) = lock(&blocks[block]).take() else { return Ok(()) };
            let pairs = pairs.finish_while(&|| run.progress.check())?;
            if pairs.is_empty() {
                return Ok(());
            }
            let first = block as u32 * docs;
            let mut of_block = Stretch::default();
            of_block.load(corpus, screen, first..corpus.n_docs.min(first.saturating_add(docs)))?;
            let (mut along, mut found) = (Stretch::default(), Vec::new());
            for (at, pair) in pairs.iter().enumerate() {
                ask(run, at)?;
                let [later, earlier] = pair?;
                if !along.docs.contains(&later) {
                    along.load(corpus, screen, later..corpus.n_docs.min(later.saturating_add(ALONG)))?;
                }
                if screen.passes(of_block.of(corpus, screen, earlier), along.of(corpus, screen, later)) {
                    found.push([later, earlier]);
                }
                if found.len() >= HANDED_ON {
                    passed(&mut found)?;
                }
            }
            passed(&mut found)
        };
        map(&*run.crew, blocks.len(), 1, look).into_iter().collect()
    }
}

/// The signatures of documents with consecutive numbers.
#[derive(Default)]
struct Stretch {
    docs: std::ops::Range<u32>,
    /// Signed documents before the first one.
    before: u32,
    packed: Vec<u8>,
}

impl Stretch {
    fn load(&mut self, corpus: &Corpus, screen: Screen, docs: std::ops::Range<u32>) -> Result<()> {
        self.before = corpus.signed.rank(docs.start);
        corpus.packed(docs.clone(), screen.bytes(), &mut self.packed)?;
        self.docs = docs;
        Ok(())
    }

    /// That of a signed document.
    fn of(&self, corpus: &Corpus, screen: Screen, doc: u32) -> &[u8] {
        let place = (corpus.signed.rank(doc) - self.before) as usize * screen.bytes();
        &self.packed[place..place + screen.bytes()]
    }
}
