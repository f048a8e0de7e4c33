//! Reads the documents of a cluster, each as a set of numbers, and skips what it has read before.
//!
//! Near-duplicates are the same bytes for long stretches. Of each document that stays, the reader remembers where in its
//! text each shingle ends. Where a shingle of the next document is one of those, the bytes behind both are compared,
//! many at a time; as far as they are equal their words are, and so are the shingles, which are taken over without
//! cutting, hashing or looking up a single one. Only where texts part are words cut, a window at a time.
//!
//! ```text
//! kept   ... is set on the first call and never again. It ...     ends of shingles known
//! next   ... is set on the first use and never again. It ...
//!        equal bytes ------------>|cut    |equal bytes ----->
//! ```
//!
//! What a word is depends on nothing but its characters and the one behind it, so equal bytes that begin between two words
//! are equal words, up to the last one whose following character (4 bytes at most) is among them. Time is
//! that of comparing bytes, plus that of cutting what is new.

use super::numbering::{NumberSet, Numbering, common_prefix};
use crate::error::Result;
use crate::hash::Keys;
use crate::params::{ShingleSpec, ShingleUnit};
use crate::shingle::{Shingler, Window};

/// The texts of a cluster.
pub trait Texts {
    /// The text of one document, every time the same.
    fn text(&self, doc: u32) -> &str;
}

/// Bytes of the first window after a difference.
const FIRST_WINDOW: usize = 128;
/// Shingles that must be equal ahead for a jump to pay.
const MIN_JUMP: usize = 8;
/// Longest character in UTF-8.
const MAX_CHAR: usize = 4;

/// Reads documents. Holds the buffers of one thread.
#[derive(Debug)]
pub(super) struct Reader {
    shingler: Shingler,
    window: Window,
    plain: Vec<u64>,
    known: Known,
}

/// What was read so far of a cluster.
#[derive(Debug, Default)]
struct Known {
    ngram: usize,
    numbering: Numbering,
    kept: Kept,
    /// The current document, as far as it was read.
    current: Trace,
    /// How many numbers there were before it.
    num_before: usize,
    /// The kept document that the last jump followed.
    followed: usize,
}

/// The document being read.
struct Reading<'a, T> {
    texts: &'a T,
    text: &'a str,
    mark: u32,
    set: &'a mut NumberSet,
}

/// A document as its shingles in text order.
#[derive(Debug, Default)]
struct Trace {
    /// Where each shingle ends in the text. A document that is too odd to follow has none, or the first ones.
    ends: Vec<u32>,
    /// Runs of consecutive numbers: the index of the first shingle, and its number.
    runs: Vec<(u32, u32)>,
    /// Whether it broke off.
    is_cut: bool,
}

impl Trace {
    fn clear(&mut self) {
        self.ends.clear();
        self.runs.clear();
        self.is_cut = false;
    }

    /// The shingle whose end comes next has this number.
    fn push_run(&mut self, number: usize) {
        let (index, number) = (self.ends.len() as u32, number as u32);
        match self.runs.last() {
            Some(&(first, from)) if from + (index - first) == number => {}
            _ => self.runs.push((index, number)),
        }
    }
}

/// The documents that stay, one after the other.
#[derive(Debug, Default)]
struct Kept {
    docs: Vec<KeptDoc>,
    trace: Trace,
    /// Runs of numbers that a kept document was the first to have: first number, the one after the last, the document's
    /// place, and the index of its shingle. Ascending.
    origins: Vec<(u32, u32, u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct KeptDoc {
    doc: u32,
    ends: (usize, usize),
    runs: (usize, usize),
    is_cut: bool,
}

/// How far a document was read.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// To the end of a window.
    Cut,
    /// To where it parts from a kept document.
    Jumped,
    /// To its end, with a kept document.
    Ended,
}

/// A shingle of a kept document that is also one of the current document.
#[derive(Clone, Copy)]
struct Anchor {
    kept: usize,
    /// Its index there.
    index: usize,
    /// Where it ends in the kept text and in the current one, or a place before that.
    at: (usize, usize),
}

impl Reader {
    pub(super) fn new(spec: ShingleSpec, keys: Keys) -> Self {
        Self {
            shingler: Shingler::with_keys(spec, keys),
            window: Window::default(),
            plain: Vec::new(),
            known: Known { ngram: spec.ngram(), ..Known::default() },
        }
    }

    /// Forgets the cluster before.
    pub(super) fn begin(&mut self) {
        self.known.numbering.begin();
        self.known.kept.clear();
        self.known.followed = 0;
    }

    /// Reads a document: marks its shingles with `mark` and puts the distinct ones into `set`.
    pub(super) fn read(
        &mut self,
        texts: &impl Texts,
        doc: u32,
        mark: u32,
        set: &mut NumberSet,
    ) -> Result<()> {
        set.clear();
        self.known.current.clear();
        self.known.num_before = self.known.numbering.len();
        let text = texts.text(doc);
        let mut reading = Reading { texts, text, mark, set };
        if self.shingler.spec().unit() == ShingleUnit::Char || u32::try_from(text.len()).is_err() {
            self.read_plainly(&mut reading, 0, None)
        } else {
            self.read_along(&mut reading)
        }
    }

    /// The document read last stays.
    pub(super) fn keep(&mut self, doc: u32) {
        self.known.kept.push(doc, &self.known.current, self.known.num_before);
    }

    /// How many of the numbers in `runs` are marked by the document that was read last, with `mark`.
    pub(super) fn count_marked(&self, runs: &[(u32, u32)], mark: u32) -> usize {
        self.known.numbering.count_marked(runs, mark)
    }

    fn read_along<T: Texts>(&mut self, reading: &mut Reading<'_, T>) -> Result<()> {
        let Self { shingler, window, known, .. } = self;
        let (text, ngram) = (reading.text, known.ngram);
        let mut last = None;
        let mut size = if known.num_before == 0 { Window::MAX } else { FIRST_WINDOW };
        if !known.kept.docs.is_empty()
            && let Some((number, step)) =
                known.jump(reading, Anchor { kept: known.followed, index: 0, at: (0, 0) })
        {
            if step == Step::Ended {
                return Ok(());
            }
            last = Some(number);
        }
        loop {
            // Cut on behind the word before the last `ngram - 1`, which are the beginning of the next shingle.
            let ends = &known.current.ends;
            let start = ends.len().checked_sub(ngram).map_or(0, |shingle| ends[shingle] as usize);
            let end = text.floor_char_boundary(start + size);
            shingler.window(&text[start..end], window);
            if end < text.len() && window.word_ends.last() == Some(&((end - start) as u32)) {
                // The last word may go on.
                window.word_ends.pop();
                window.shingles.truncate((window.word_ends.len() + 1).saturating_sub(ngram));
            }
            // Until there are `ngram` shingles there is no word to go on behind.
            let enough = window.shingles.len() >= if ends.is_empty() { ngram } else { 1 };
            if end < text.len() && !enough {
                if size == Window::MAX {
                    return self.read_plainly(reading, start, last);
                }
                size = Window::MAX.min(2 * size);
                continue;
            }
            if window.shingles.is_empty() && ends.is_empty() {
                return self.read_plainly(reading, 0, None);
            }
            let step;
            (last, step) = known.take_window(reading, window, start, last)?;
            size = match step {
                Step::Ended => return Ok(()),
                Step::Cut if end == text.len() => return Ok(()),
                Step::Cut => Window::MAX.min(2 * size),
                Step::Jumped => FIRST_WINDOW,
            };
        }
    }

    /// Reads on from `start`, behind the shingle numbered `last`, without looking at other documents and without a
    /// trace.
    fn read_plainly<T>(
        &mut self,
        reading: &mut Reading<'_, T>,
        start: usize,
        mut last: Option<usize>,
    ) -> Result<()> {
        self.known.current.is_cut = true;
        self.plain.clear();
        let words = self.shingler.shingles_into(&reading.text[start..], &mut self.plain);
        if start > 0 && words < self.known.ngram {
            // Nothing but the end of the last shingle.
            return Ok(());
        }
        let mut at = 0;
        while at < self.plain.len() {
            let (number, count) = self.known.numbering.run(last, &self.plain[at..])?;
            self.known.numbering.mark(number, number + count, reading.mark, reading.set);
            last = Some(number + count - 1);
            at += count;
        }
        Ok(())
    }
}

impl Known {
    /// Takes the shingles of the window, which begins at byte `start`, up to the first place from which a kept
    /// document can be followed; gives the last number, and how far that went.
    fn take_window<T: Texts>(
        &mut self,
        reading: &mut Reading<'_, T>,
        window: &Window,
        start: usize,
        mut last: Option<usize>,
    ) -> Result<(Option<usize>, Step)> {
        let ngram = self.ngram;
        let end_of = |shingle: usize| start + window.word_ends[shingle + ngram - 1] as usize;
        let mut at = 0;
        while at < window.shingles.len() {
            let (number, count) = self.numbering.run(last, &window.shingles[at..])?;
            // No use in looking ahead if the texts part within the window.
            let ahead = count >= MIN_JUMP || at + count == window.shingles.len();
            if ahead && let Some((kept, index)) = self.origin(number) {
                let there = self.kept.ends(kept)[index] as usize;
                if let Some((last, step)) =
                    self.jump(reading, Anchor { kept, index, at: (there, end_of(at)) })
                {
                    return Ok((Some(last), step));
                }
            }
            self.current.push_run(number);
            self.current.ends.extend((at..at + count).map(|shingle| end_of(shingle) as u32));
            self.numbering.mark(number, number + count, reading.mark, reading.set);
            last = Some(number + count - 1);
            at += count;
        }
        Ok((last, Step::Cut))
    }

    /// The kept document, by its place, that first had a number, and the index of the shingle there.
    fn origin(&self, number: usize) -> Option<(usize, usize)> {
        if number < self.num_before { self.kept.origin(number) } else { None }
    }

    /// Takes over the shingles of a kept document, from the anchor on, as far as the texts behind it are equal. Gives the last
    /// one's number and how far that went, or nothing if they are too few.
    fn jump<T: Texts>(&mut self, reading: &mut Reading<'_, T>, anchor: Anchor) -> Option<(usize, Step)> {
        let Self { kept, current, numbering, .. } = self;
        let (text, there) = (reading.text, reading.texts.text(kept.docs[anchor.kept].doc));
        let (from, here) = anchor.at;
        let equal = common_prefix(&there.as_bytes()[from..], &text.as_bytes()[here..]);
        let to_the_end = from + equal == there.len() && here + equal == text.len();
        let limit = if to_the_end { there.len() } else { (from + equal).saturating_sub(MAX_CHAR) };
        let ends = kept.ends(anchor.kept);
        let stop = anchor.index + ends[anchor.index..].partition_point(|&end| end as usize <= limit);
        let count = stop - anchor.index;
        if count < MIN_JUMP || current.ends.len() + count < self.ngram {
            return None;
        }
        let shift = (here as u32).wrapping_sub(from as u32);
        let mut last = 0;
        kept.for_each_run(anchor.kept, anchor.index, stop, |index, number, count| {
            current.push_run(number);
            current.ends.extend(ends[index..index + count].iter().map(|end| end.wrapping_add(shift)));
            numbering.mark(number, number + count, reading.mark, reading.set);
            last = number + count - 1;
        });
        let ended = to_the_end && stop == ends.len() && !kept.docs[anchor.kept].is_cut;
        self.followed = anchor.kept;
        Some((last, if ended { Step::Ended } else { Step::Jumped }))
    }
}

impl Kept {
    fn clear(&mut self) {
        self.docs.clear();
        self.trace.clear();
        self.origins.clear();
    }

    fn push(&mut self, doc: u32, trace: &Trace, known: usize) {
        let place = self.docs.len() as u32;
        let (ends, runs) = (self.trace.ends.len(), self.trace.runs.len());
        self.trace.ends.extend_from_slice(&trace.ends);
        self.trace.runs.extend_from_slice(&trace.runs);
        self.docs.push(KeptDoc {
            doc,
            ends: (ends, self.trace.ends.len()),
            runs: (runs, self.trace.runs.len()),
            is_cut: trace.is_cut,
        });
        let mut known = known as u32;
        for (run, &(index, number)) in trace.runs.iter().enumerate() {
            let next = trace.runs.get(run + 1).map_or(trace.ends.len() as u32, |next| next.0);
            // New numbers come in ascending order; one that comes back in the same document is where it was first.
            let (start, end) = (number.max(known), number + (next - index));
            if start < end {
                self.origins.push((start, end, place, index + (start - number)));
                known = end;
            }
        }
    }

    /// The kept document, by its place, that first had a number, and the index of the shingle there.
    fn origin(&self, number: usize) -> Option<(usize, usize)> {
        let number = number as u32;
        let after = self.origins.partition_point(|origin| origin.0 <= number);
        let &(first, end, place, index) = self.origins.get(after.checked_sub(1)?)?;
        (number < end).then(|| (place as usize, (index + number - first) as usize))
    }

    fn ends(&self, kept: usize) -> &[u32] {
        let (start, end) = self.docs[kept].ends;
        &self.trace.ends[start..end]
    }

    /// Calls `take` with index, first number and length of each run among the shingles `start..stop` of a document.
    fn for_each_run(
        &self,
        kept: usize,
        start: usize,
        stop: usize,
        mut take: impl FnMut(usize, usize, usize),
    ) {
        let (first, end) = self.docs[kept].runs;
        let runs = &self.trace.runs[first..end];
        let mut run = runs.partition_point(|run| run.0 as usize <= start).saturating_sub(1);
        let mut at = start;
        while at < stop {
            let (index, number) = (runs[run].0 as usize, runs[run].1 as usize);
            let next = runs.get(run + 1).map_or(stop, |next| stop.min(next.0 as usize));
            take(at, number + (at - index), next - at);
            at = next;
            run += 1;
        }
    }
}

#[cfg(test)]
mod tests;
