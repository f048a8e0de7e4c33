//! A growing pool of texts, and what is like what in it.

use std::cmp::Ordering;
use std::mem;

use thresher_core::observe::check;
use thresher_core::{Error, Observer, Result};

use super::index::{Index, Run, Vocabulary, runs_of};
use super::lcs::{BITS, Lcs};
use super::score::{Floor, f_measure};
use super::tokens::Tokens;

/// Entries that are looked at together.
const GROUP: usize = 64;

/// A text of the pool that another text is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similar {
    /// Its place in the pool, in the order in which texts were added, from 0.
    pub index: usize,
    /// The F of ROUGE-L of the two.
    pub f: f64,
}

impl Similar {
    /// The more similar one first, the earlier one of equally similar ones.
    fn order(&self, other: &Self) -> Ordering {
        other.f.total_cmp(&self.f).then(self.index.cmp(&other.index))
    }
}

/// What became of a text that was offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// There is no text.
    Missing,
    /// It is new, and the last of the pool now.
    Novel,
    /// It is like a text of the pool; the most similar one, the earliest of several.
    Similar(Similar),
}

/// A growing pool of texts.
///
/// ```
/// use thresher_core::Unobserved;
/// use thresher_filter::{Pool, Tokens, Verdict};
/// let mut pool = Pool::try_new(Pool::DEFAULT_THRESHOLD, Tokens::Rouge)?;
/// pool.add("Write a short poem about the sea.")?;
/// let texts = [Some("Write a short poem about the old sea."), Some("Name three rivers."), Some("name THREE rivers")];
/// let verdicts = pool.offer(&texts, &Unobserved)?;
/// assert!(matches!(verdicts[..], [Verdict::Similar(_), Verdict::Novel, Verdict::Similar(_)]));
/// assert_eq!(pool.len(), 2);
/// # Ok::<(), thresher_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    threshold: f64,
    tokens: Tokens,
    vocabulary: Vocabulary,
    index: Index,
    query: Query,
    lcs: Lcs,
    /// Of each entry, how many tokens it shares with the query; [`u16::MAX`] for so many or more.
    shared: Vec<u16>,
    /// Entries to be compared.
    found: Vec<u32>,
}

/// The text that is compared with the pool.
#[derive(Debug, Default)]
struct Query {
    tokens: Vec<u32>,
    sorted: Vec<u32>,
    runs: Vec<Run>,
}

impl Pool {
    /// The F above which Self-Instruct refuses an instruction.
    pub const DEFAULT_THRESHOLD: f64 = 0.7;

    /// An empty pool, for which a text is new unless its F with some member is greater than `threshold`.
    ///
    /// # Errors
    /// `Error::Parameter` unless `threshold` lies in [0, 1].
    pub fn try_new(threshold: f64, tokens: Tokens) -> Result<Self> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::Parameter(format!(
                "threshold is `{threshold}`, but the F of ROUGE-L lies in [0, 1]"
            )));
        }
        Ok(Self {
            threshold,
            tokens,
            vocabulary: Vocabulary::default(),
            index: Index::default(),
            query: Query::default(),
            lcs: Lcs::default(),
            shared: Vec::new(),
            found: Vec::new(),
        })
    }

    /// Number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a text, whatever it is like.
    ///
    /// # Errors
    /// `Error::Parameter` if the pool holds 2^32 - 1 texts, or more tokens than that with those of this text.
    pub fn add(&mut self, text: &str) -> Result<()> {
        let Self { tokens, vocabulary, query, .. } = self;
        tokens.numbers(text, |token| vocabulary.number(token), &mut query.tokens)?;
        if !self.index.has_room(self.query.tokens.len()) {
            return Err(Error::Parameter(format!(
                "the pool has `{}` texts, and no room for one of {} tokens: it takes {} of both; begin another one",
                self.len(),
                self.query.tokens.len(),
                Index::MAX
            )));
        }
        self.index.add(&self.query.tokens);
        self.shared.resize(self.index.num_entries(), 0);
        Ok(())
    }

    /// The text of the pool that `text` is most like, the earliest of several, if their F is greater than the threshold.
    /// A text without a token is like none.
    ///
    /// # Errors
    /// `Error::Parameter` for a text of 2^32 tokens or more, `Error::Cancelled` if the observer wants to stop.
    pub fn check(&mut self, text: &str, observer: &dyn Observer) -> Result<Option<Similar>> {
        self.cut(text)?;
        if self.query.tokens.is_empty() {
            return Ok(None);
        }
        // Only the same tokens in the same order have an F of 1, and none is greater.
        if let Some(entry) = self.index.find(&self.query.tokens) {
            return Ok((self.threshold < 1.0).then(|| Similar { index: self.index.first(entry), f: 1.0 }));
        }
        let threshold = self.threshold;
        let best = self.search(1, threshold, observer)?;
        Ok(best.first().copied().filter(|best| best.f > threshold))
    }

    /// Checks texts one after the other, and adds each that is new before the next one is checked.
    ///
    /// # Errors
    /// As [`Pool::add`] and [`Pool::check`]; those added up to then stay.
    pub fn offer(&mut self, texts: &[Option<&str>], observer: &dyn Observer) -> Result<Vec<Verdict>> {
        let one = |text: Option<&str>| {
            check(observer)?;
            let Some(text) = text else { return Ok(Verdict::Missing) };
            if let Some(similar) = self.check(text, observer)? {
                return Ok(Verdict::Similar(similar));
            }
            self.add(text)?;
            Ok(Verdict::Novel)
        };
        texts.iter().copied().map(one).collect()
    }

    /// The `count` texts of the pool that `text` is most like, most similar first, earlier ones first where they are
    /// equally similar; all of a smaller pool.
    ///
    /// # Errors
    /// `Error::Parameter` for a text of 2^32 tokens or more, `Error::Cancelled` if the observer wants to stop.
    pub fn nearest(&mut self, text: &str, count: usize, observer: &dyn Observer) -> Result<Vec<Similar>> {
        let count = count.min(self.len());
        if count == 0 {
            return Ok(Vec::new());
        }
        self.cut(text)?;
        let mut best = self.search(count, 0.0, observer)?;
        // The others share no token with the text.
        let mut with_tokens: Vec<usize> = best.iter().map(|similar| similar.index).collect();
        with_tokens.sort_unstable();
        let others = (0..self.len()).filter(|index| with_tokens.binary_search(index).is_err());
        best.extend(others.take(count - with_tokens.len()).map(|index| Similar { index, f: 0.0 }));
        Ok(best)
    }

    /// Makes a text the query. Tokens that the pool does not have become one number, which none of its texts has.
    fn cut(&mut self, text: &str) -> Result<()> {
        let Self { tokens, vocabulary, query, .. } = self;
        tokens.numbers(text, |token| vocabulary.known(token), &mut query.tokens)?;
        runs_of(&query.tokens, &mut query.sorted, &mut query.runs);
        self.lcs.make_room(vocabulary.len() + 1);
        if query.tokens.len() <= BITS {
            self.lcs.load(&query.tokens);
        }
        Ok(())
    }

    /// The `count` texts that the query is most like, of those whose F is at least `least`.
    fn search(&mut self, count: usize, least: f64, observer: &dyn Observer) -> Result<Vec<Similar>> {
        let (m, mut floor) = (self.query.tokens.len(), Floor::new(least));
        let mut best = Vec::new();
        if m == 0 {
            return Ok(best);
        }
        let (unseen, fewest) = self.count_shared(floor);
        // Those that share the most first: what they reach spares the others.
        let (mut from, mut last) = (u16::try_from(m / 2).unwrap_or(u16::MAX).max(fewest), u16::MAX);
        loop {
            self.select(from, last);
            let found = mem::take(&mut self.found);
            for &entry in &found {
                let shared = match self.shared[entry as usize] {
                    u16::MAX => m,
                    shared => shared as usize + unseen,
                };
                let sum = m + self.index.tokens_of(entry).len();
                if !floor.admits(shared, sum) {
                    continue;
                }
                let Some(f) = self.compare(entry, floor, observer)? else { continue };
                if f < least {
                    continue;
                }
                best.extend(self.index.texts_of(entry).take(count).map(|index| Similar { index, f }));
                if best.len() >= 2 * count - 1 {
                    keep_first(&mut best, count);
                    floor = Floor::new(best[count - 1].f);
                }
            }
            self.found = found;
            let most = from as usize + unseen;
            if from == fewest || !floor.admits(most, m + most) {
                break;
            }
            (from, last) = ((from / 2).max(fewest), from - 1);
        }
        keep_first(&mut best, count);
        Ok(best)
    }

    /// Counts the tokens that entries share with the query, rare ones first, to well beyond where an entry that shares none
    /// of them cannot reach the floor any more. Gives how many tokens of the query were left out, and how many of the
    /// others an entry has to share at least.
    ///
    /// Each token more that is looked at is one more that has to be shared. Half of what has to be shared in all is left
    /// out: of 52,000 sentences of documentation nothing more takes 0.8 s, nothing less 1.5 s, and this 0.5 s.
    fn count_shared(&mut self, floor: Floor) -> (usize, u16) {
        let Self { query, index, shared, .. } = self;
        shared.fill(0);
        let least = floor.least_shared(query.tokens.len());
        let mut unseen = query.tokens.len();
        for run in &query.runs {
            if 2 * unseen < least {
                break;
            }
            unseen -= run.count as usize;
            let Some(postings) = index.postings(run.token) else { continue };
            for &entry in &postings.entries {
                let shared = &mut shared[entry as usize];
                *shared = shared.saturating_add(1);
            }
            if run.count > 1 {
                for &(entry, count) in &postings.repeated {
                    let shared = &mut shared[entry as usize];
                    let more = count.min(run.count) - 1;
                    *shared = shared.saturating_add(u16::try_from(more).unwrap_or(u16::MAX));
                }
            }
        }
        (unseen, u16::try_from(least.saturating_sub(unseen)).unwrap_or(u16::MAX).max(1))
    }

    /// Finds the entries that share `from` to `last` tokens.
    fn select(&mut self, from: u16, last: u16) {
        let selected = |shared: u16| from <= shared && shared <= last;
        self.found.clear();
        for (group, shared) in self.shared.chunks(GROUP).enumerate() {
            // Most groups have none, which a few vector instructions tell.
            if shared.iter().fold(false, |any, &shared| any | selected(shared)) {
                let entries = (group * GROUP) as u32..;
                let of_group = entries.zip(shared).filter(|&(_, &shared)| selected(shared));
                self.found.extend(of_group.map(|(entry, _)| entry));
            }
        }
    }

    /// The F of the query and an entry, unless it is below the floor.
    #[inline]
    fn compare(&mut self, entry: u32, floor: Floor, observer: &dyn Observer) -> Result<Option<f64>> {
        let (query, tokens) = (&self.query.tokens[..], self.index.tokens_of(entry));
        let (m, n) = (query.len(), tokens.len());
        if !floor.admits(m.min(n), m + n) {
            return Ok(None);
        }
        let lcs = if m <= BITS {
            Some(self.lcs.of_loaded(tokens))
        } else {
            self.lcs.of_long(query, tokens, floor.least(m + n), observer)?
        };
        Ok(lcs.map(|lcs| f_measure(lcs, m, n)))
    }
}

/// Keeps the first `count` in their order.
fn keep_first(best: &mut Vec<Similar>, count: usize) {
    best.sort_unstable_by(Similar::order);
    best.truncate(count);
}
