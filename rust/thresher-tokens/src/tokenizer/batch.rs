//! Many texts at once, on the threads of the caller.
//!
//! Texts are cut into parts of about equal bytes. Whoever takes a part takes a worker, warm from the part before, and hands it
//! back; which worker it was changes no id. A part that is done goes behind those before it as soon as these are there, and its
//! memory is used again: memory that was never used before is what a fast encoder waits for.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use thresher_core::Observer;
use thresher_core::parallel::Threads;
use thresher_core::prefetch::with_room;

use super::{Options, Tokenizer};
use crate::{Error, Result};

/// Bytes of text in a part: enough to make up for handing it over, few enough to share out evenly.
const PART_BYTES: usize = 1 << 20;
/// Texts in a part.
const PART_TEXTS: usize = 1 << 14;
/// Texts after which a wish to stop is looked for.
const LOOK_EVERY: usize = 64;

/// Ids of many texts, one behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The ids.
    pub ids: Vec<u32>,
    /// Where the ids of each text end.
    pub ends: Vec<usize>,
    /// The bytes of its text that each id stands for, if they were asked for.
    pub offsets: Vec<(u32, u32)>,
}

/// Encodes texts; of one that is missing there is no id. The result does not depend on the threads.
///
/// # Errors
/// As [`super::Worker::encode`], with the row of the first text that has the error; `Error::Cancelled`.
pub fn encode_all(
    tokenizer: &Tokenizer,
    options: &Options,
    texts: &[Option<&str>],
    with_offsets: bool,
    threads: &dyn Threads,
    observer: &dyn Observer,
) -> Result<Encoded> {
    let parts = parts_of(texts);
    let sizes = parts.iter().map(|part| part.bytes).collect();
    let joined = Mutex::new(Joined { sizes, ..Joined::default() });
    let idle = Mutex::new(Vec::new());
    // Parts are taken in order, whatever the threads are told to do: what is done before its turn has to wait.
    let next = AtomicUsize::new(0);
    threads.each(parts.len(), &|_| {
        let at = next.fetch_add(1, Relaxed);
        let mut worker = held(&idle).pop().unwrap_or_else(|| tokenizer.worker(options));
        let mut encoded = held(&joined).spare.pop().unwrap_or_default();
        let Part { start, end, .. } = parts[at];
        let mut work = || {
            for (row, text) in (start..end).zip(&texts[start..end]) {
                if (row - start).is_multiple_of(LOOK_EVERY) && observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let text = text.unwrap_or_default();
                let worked = match texts[row] {
                    None => Ok(()),
                    Some(_) if with_offsets => {
                        worker.encode_with_offsets(text, &mut encoded.ids, &mut encoded.offsets)
                    }
                    Some(_) => worker.encode(text, &mut encoded.ids),
                };
                worked.map_err(|error| match error {
                    Error::Tokenizer(what) => Error::Tokenizer(format!("text `{row}`: {what}")),
                    other => other,
                })?;
                encoded.ends.push(encoded.ids.len());
            }
            Ok(())
        };
        let worked = work();
        held(&idle).push(worker);
        held(&joined).put(at, worked.map(|()| encoded));
    });
    let Joined { all, error, .. } = joined.into_inner().unwrap_or_else(PoisonError::into_inner);
    error.map_or(Ok(all), Err)
}

/// A lock; what panicked while it was held left it as it was.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Parts in order, as far as there is no gap.
#[derive(Default)]
struct Joined {
    all: Encoded,
    /// The part that comes next, and those behind it that are there.
    next: usize,
    ready: BTreeMap<usize, Result<Encoded>>,
    /// Bytes of text of each part.
    sizes: Vec<usize>,
    /// Memory of parts that were joined.
    spare: Vec<Encoded>,
    /// Of the first part that has one.
    error: Option<Error>,
}

impl Joined {
    fn put(&mut self, at: usize, part: Result<Encoded>) {
        self.ready.insert(at, part);
        while let Some(part) = self.ready.remove(&self.next) {
            self.next += 1;
            match part {
                Ok(part) if self.error.is_none() => self.append(part),
                Ok(_) => {}
                Err(error) => drop(self.error.get_or_insert(error)),
            }
        }
    }

    fn append(&mut self, mut part: Encoded) {
        let all = &mut self.all;
        let before = all.ids.len();
        all.ends.extend(part.ends.iter().map(|end| before + end));
        let needed = before + part.ids.len();
        if all.ids.capacity() < needed {
            // As many as there will be if the rest is like what is there, and a little more.
            let [joined, bytes] = [&self.sizes[..self.next.min(self.sizes.len())], &self.sizes]
                .map(|sizes| sizes.iter().sum::<usize>().max(1) as f64);
            let mut room = with_room(needed.max((needed as f64 * 1.06 * bytes / joined) as usize));
            room.extend_from_slice(&all.ids);
            all.ids = room;
        }
        all.ids.extend_from_slice(&part.ids);
        all.offsets.extend_from_slice(&part.offsets);
        part.ids.clear();
        part.ends.clear();
        part.offsets.clear();
        self.spare.push(part);
    }
}

/// A range of rows.
struct Part {
    start: usize,
    end: usize,
    /// Of their texts.
    bytes: usize,
}

/// All rows in parts.
fn parts_of(texts: &[Option<&str>]) -> Vec<Part> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (row, text) in texts.iter().enumerate() {
        bytes += text.map_or(0, str::len);
        if bytes >= PART_BYTES || row + 1 - start >= PART_TEXTS || row + 1 == texts.len() {
            parts.push(Part { start, end: row + 1, bytes });
            (start, bytes) = (row + 1, 0);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use thresher_core::observe::Unobserved;
    use thresher_core::parallel::Pool;

    use super::*;

    const JSON: &[u8] = br#"{"version": "1.0", "added_tokens": [], "model":
        {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}"#;

    #[test]
    fn many_texts_have_the_ids_of_each_by_itself() {
        let tokenizer = Tokenizer::from_json(JSON).unwrap();
        let long = "ab".repeat(PART_BYTES / 3);
        let texts: Vec<Option<&str>> = (0..40_000)
            .map(|row| match row % 10_001 {
                7 => Some(&*long),
                row if row % 5 == 0 => None,
                row if row % 5 == 1 => Some(""),
                _ => Some("abba"),
            })
            .collect();
        let options = Options { eos: Some(9), ..Options::default() };
        assert!(parts_of(&texts).len() > 2);
        let all = encode_all(&tokenizer, &options, &texts, true, &Pool, &Unobserved).unwrap();
        let mut worker = tokenizer.worker(&options);
        let mut wanted = Encoded::default();
        for text in &texts {
            if let Some(text) = text {
                worker.encode_with_offsets(text, &mut wanted.ids, &mut wanted.offsets).unwrap();
            }
            wanted.ends.push(wanted.ids.len());
        }
        assert!(all == wanted);
        assert_eq!(
            encode_all(&tokenizer, &options, &[], true, &Pool, &Unobserved).unwrap(),
            Encoded::default()
        );
    }

    #[test]
    fn parts_are_joined_in_their_order_and_the_first_error_counts() {
        let part = |id: u32| Ok(Encoded { ids: vec![id; 2], ends: vec![1, 2], offsets: vec![(id, id); 2] });
        let mut joined = Joined { sizes: vec![2; 5], ..Joined::default() };
        joined.put(2, part(7));
        joined.put(0, part(5));
        assert_eq!((joined.all.ids.as_slice(), joined.spare.len()), (&[5, 5][..], 1));
        joined.put(1, part(6));
        assert_eq!(joined.all.ids, [5, 5, 6, 6, 7, 7]);
        assert_eq!(joined.all.ends, [1, 2, 3, 4, 5, 6]);
        joined.put(4, Err(Error::Cancelled));
        assert_eq!(joined.error, None);
        joined.put(3, Err(Error::Tokenizer("first".to_owned())));
        assert_eq!(joined.error, Some(Error::Tokenizer("first".to_owned())));
    }

    #[test]
    fn a_wish_to_stop_ends_it() {
        struct Stop;
        impl Observer for Stop {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let tokenizer = Tokenizer::from_json(JSON).unwrap();
        let options = Options::default();
        let encoded = encode_all(&tokenizer, &options, &[Some("a")], false, &Pool, &Stop);
        assert_eq!(encoded, Err(Error::Cancelled));
    }
}
