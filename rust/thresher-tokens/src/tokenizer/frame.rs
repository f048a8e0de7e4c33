//! What the post-processor of a file puts around the ids of a text.
//!
//! All kinds of post-processors come to the same for a single text: ids before it and behind it. They are found by asking
//! the crate to process a marked text; one that does anything else is left to the crate.

use tokenizers::{Encoding, PostProcessor, PostProcessorWrapper, Token};

/// Ids before and behind those of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frame {
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

impl Frame {
    /// What `processor` adds; `None` if it does anything else.
    pub(crate) fn of(processor: Option<&PostProcessorWrapper>) -> Option<Self> {
        const MARK: u32 = u32::MAX;
        let Some(processor) = processor else { return Some(Self::default()) };
        let marked = |count: u32| {
            let tokens = (0..count).map(|at| Token::new(MARK - at, "x".to_owned(), (0, 1))).collect();
            let framed = processor.process(Encoding::from_tokens(tokens, 0), None, true).ok()?;
            Some(framed.get_ids().to_vec())
        };
        let ids = marked(2)?;
        let at = ids.windows(2).position(|pair| pair == [MARK, MARK - 1])?;
        let frame = Self { before: ids[..at].to_vec(), after: ids[at + 2..].to_vec() };
        let around = [&frame.before[..], &frame.after].concat();
        (marked(0)? == around && around.iter().all(|&id| id < MARK - 1)).then_some(frame)
    }
}
