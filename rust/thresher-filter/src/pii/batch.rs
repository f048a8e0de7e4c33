//! Many texts at once, on the threads of the caller.

use thresher_core::parallel::{Threads, map};
use thresher_core::{Error, Observer, Result};

use super::{Detector, Kind, Redactor, Span};

/// Texts that one thread takes at a time.
const GRAIN: usize = 32;

/// How many spans of each kind there are, in the order of [`Kind::ALL`].
pub type Counts = [u64; Kind::ALL.len()];

/// What becomes of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    /// The text with its replacements; nothing if it stays as it is.
    pub text: Option<String>,
    /// What was found in it.
    pub counts: Counts,
}

/// How many spans of each kind there are.
#[must_use]
pub fn counts(spans: &[Span]) -> Counts {
    let mut counts = Counts::default();
    for span in spans {
        counts[span.kind as usize] += 1;
    }
    counts
}

/// The spans of each text; of one that is missing there is none. The result does not depend on the threads.
///
/// # Errors
/// `Error::Cancelled` if the observer wants to stop.
pub fn find_all(
    detector: &Detector,
    texts: &[Option<&str>],
    threads: &dyn Threads,
    observer: &dyn Observer,
) -> Result<Vec<Vec<Span>>> {
    of_all(texts, threads, observer, |text| detector.find(text))
}

/// What becomes of each text; without a redactor it is only looked at. The result does not depend on the threads.
///
/// # Errors
/// As [`find_all`].
pub fn redact_all(
    detector: &Detector,
    redactor: Option<&Redactor>,
    texts: &[Option<&str>],
    threads: &dyn Threads,
    observer: &dyn Observer,
) -> Result<Vec<Redacted>> {
    of_all(texts, threads, observer, |text| {
        let spans = detector.find(text);
        let redactor = redactor.filter(|_| !spans.is_empty());
        Redacted { text: redactor.map(|redactor| redactor.redact(text, &spans)), counts: counts(&spans) }
    })
}

fn of_all<T: Default + Send>(
    texts: &[Option<&str>],
    threads: &dyn Threads,
    observer: &dyn Observer,
    make: impl Fn(&str) -> T + Sync,
) -> Result<Vec<T>> {
    let made = map(threads, texts.len(), GRAIN, |row| match texts[row] {
        Some(text) if !observer.cancelled() => make(text),
        _ => T::default(),
    });
    if observer.cancelled() { Err(Error::Cancelled) } else { Ok(made) }
}

#[cfg(test)]
mod tests {
    use thresher_core::observe::Unobserved;
    use thresher_core::parallel::Pool;

    use super::super::{Kinds, Tag};
    use super::*;

    #[test]
    fn many_texts_become_what_each_becomes_by_itself() {
        let detector = Detector::new(Kinds::ALL);
        let redactor = Redactor::Tag(Box::new(Tag::of_template(Tag::DEFAULT).unwrap()));
        let texts: Vec<Option<&str>> = (0..1_000)
            .map(|row| match row % 3 {
                0 => None,
                1 => Some("Mail jo@mail.net or 81.2.69.142."),
                _ => Some("nothing"),
            })
            .collect();
        let redacted = redact_all(&detector, Some(&redactor), &texts, &Pool, &Unobserved).unwrap();
        let found = find_all(&detector, &texts, &Pool, &Unobserved).unwrap();
        for ((text, redacted), spans) in texts.iter().zip(&redacted).zip(&found) {
            let wanted = detector.find(text.unwrap_or_default());
            assert_eq!((spans, redacted.counts), (&wanted, counts(&wanted)));
            let changed = text.filter(|_| !wanted.is_empty()).map(|text| redactor.redact(text, &wanted));
            assert_eq!(redacted.text, changed);
        }
        assert_eq!(redacted[1].text.as_deref(), Some("Mail <EMAIL> or <IP>."));
        assert_eq!(redact_all(&detector, None, &texts, &Pool, &Unobserved).unwrap()[1].text, None);
    }

    #[test]
    fn a_wish_to_stop_ends_it() {
        struct Stop;
        impl Observer for Stop {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let detector = Detector::new(Kinds::ALL);
        assert_eq!(find_all(&detector, &[Some("a")], &Pool, &Stop), Err(Error::Cancelled));
    }
}
