//! What is skipped must have been read: each document against cutting all of it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

struct Strings<'a>(&'a [String]);

impl Texts for Strings<'_> {
    fn text(&self, doc: u32) -> &str {
        &self.0[doc as usize]
    }
}

fn spec(unit: ShingleUnit, ngram: usize) -> ShingleSpec {
    ShingleSpec::try_new(unit, ngram).unwrap()
}

/// Reads all `texts` as one cluster, keeps those in `kept`, and compares each set with that of the whole text.
fn compare(spec: ShingleSpec, texts: &[String], kept: &[bool]) {
    let mut reader = Reader::new(spec, Keys::PUBLIC);
    let mut shingler = Shingler::new(spec);
    let mut set = NumberSet::default();
    for _ in 0..2 {
        reader.begin();
        let (mut kept_runs, mut kept_sets): (Vec<Vec<_>>, Vec<BTreeSet<_>>) = (Vec::new(), Vec::new());
        for (doc, text) in (0..).zip(texts) {
            let mut expected = Vec::new();
            shingler.shingles_into(text, &mut expected);
            let expected: BTreeSet<u64> = expected.into_iter().collect();
            reader.read(&Strings(texts), doc, doc, &mut set).unwrap();
            let numbers = set.runs().iter().flat_map(|&(start, end)| start..end);
            let found: Vec<u64> = numbers.map(|number| reader.known.numbering.shingle(number)).collect();
            assert_eq!(found.len(), set.len(), "document {doc}");
            assert_eq!(
                found.iter().copied().collect::<BTreeSet<_>>(),
                expected,
                "document {doc} of {texts:?}"
            );
            assert_eq!(found.len(), expected.len(), "document {doc} has a shingle twice");
            for (runs, other) in kept_runs.iter().zip(&kept_sets) {
                assert_eq!(reader.count_marked(runs, doc), expected.intersection(other).count());
            }
            if kept[doc as usize] {
                reader.keep(doc);
                kept_runs.push(set.runs().to_vec());
                kept_sets.push(expected);
            }
        }
    }
}

/// Pieces of text: mostly words, some of which differ in the last byte of a character only, and what breaks them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (0..40u32).prop_map(|i| format!("word{i} ")),
        4 => prop::sample::select(vec![
            "é ", "è ", "×", "e\u{301} ", "中文字", "中国", "İstanbul ", "ẞ", "\u{1F600}", "\u{1F601}", "'", "—", "ΣΑΣ ", "a", "b",
            "don't ", "\u{0}", "\r\n", "x\u{200B}y ",
        ]).prop_map(str::to_owned),
        1 => (1..3000usize).prop_map(|n| " ".repeat(n)),
        1 => (1..5000usize).prop_map(|n| "long".repeat(n / 4) + " "),
        1 => (1..700usize).prop_map(|n| "ö".repeat(n)),
    ]
}

/// Documents made from one another: each a former one with stretches replaced, left out or repeated.
fn relatives() -> impl Strategy<Value = Vec<String>> {
    let edit =
        (any::<prop::sample::Index>(), 0..30usize, prop::collection::vec(piece(), 0..4), any::<bool>());
    let document = (any::<prop::sample::Index>(), prop::collection::vec(edit, 0..4));
    (prop::collection::vec(piece(), 0..250), prop::collection::vec(document, 1..8)).prop_map(
        |(first, more)| {
            let mut documents = vec![first];
            for (parent, edits) in more {
                let mut document = parent.get(&documents).clone();
                for (at, length, new, again) in edits {
                    let at = at.index(document.len() + 1);
                    let end = document.len().min(at + length);
                    let old: Vec<String> = document.splice(at..end, new).collect();
                    if again {
                        document.extend(old);
                    }
                }
                documents.push(document);
            }
            documents.iter().map(|document| document.concat()).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_skipped_is_what_would_be_read(
        texts in relatives(),
        kept in prop::collection::vec(prop::bool::weighted(0.7), 9),
        ngram in 1..7usize,
    ) {
        compare(spec(ShingleUnit::Word, ngram), &texts, &kept);
    }

    #[test]
    fn characters_are_read_plainly(texts in relatives(), kept in prop::collection::vec(any::<bool>(), 9)) {
        compare(spec(ShingleUnit::Char, 5), &texts, &kept);
    }
}

/// A text of `n` words.
fn words(from: usize, n: usize) -> String {
    let words: Vec<String> = (from..from + n).map(|i| format!("word{i} ")).collect();
    words.concat()
}

#[test]
fn texts_that_part_within_a_character_are_told_apart() {
    // Letters and signs that differ in the last byte only, behind a blank and behind a word.
    for (one, other) in [
        ("é", "è"),
        ("é", "×"),
        ("×", "é"),
        ("𐐀", "𐐽"),
        ("\u{1D6C2}", "\u{1D6C1}"),
        ("\u{1D6C1}", "\u{1D6C2}"),
    ] {
        for blank in ["", " "] {
            let base = words(0, 50);
            let base = base.trim_end();
            let text = |last: &str| format!("{base}{blank}{last} end");
            for ngram in 1..6 {
                compare(spec(ShingleUnit::Word, ngram), &[text(one), text(other), text(one)], &[true; 3]);
            }
        }
    }
}

#[test]
fn a_text_that_goes_on_in_the_middle_of_a_word_is_told_apart() {
    let base = words(0, 400);
    let base = base.trim_end();
    let texts = [base.to_owned(), format!("{base}0"), format!("{base} 0"), base[..base.len() - 1].to_owned()];
    for ngram in 1..6 {
        compare(spec(ShingleUnit::Word, ngram), &texts, &[true; 4]);
    }
}

#[test]
fn words_and_gaps_longer_than_a_window_are_read() {
    for odd in [" ".repeat(5 * Window::MAX), "x".repeat(5 * Window::MAX), "é".repeat(3 * Window::MAX)] {
        let texts = [
            format!("{} {odd} {}", words(0, 100), words(100, 100)),
            format!("{} {odd} {}", words(0, 100), words(101, 100)),
            format!("{} {odd}y {}", words(0, 100), words(100, 100)),
            format!("{odd}{}", words(0, 100)),
        ];
        for ngram in [1, 2, 5] {
            compare(spec(ShingleUnit::Word, ngram), &texts, &[true; 4]);
        }
    }
}

#[test]
fn a_copy_is_not_cut() {
    let texts = [words(0, 3000), words(0, 3000)];
    let mut reader = Reader::new(spec(ShingleUnit::Word, 5), Keys::PUBLIC);
    let mut set = NumberSet::default();
    reader.begin();
    reader.read(&Strings(&texts), 0, 0, &mut set).unwrap();
    reader.keep(0);
    reader.window.word_ends.clear();
    reader.read(&Strings(&texts), 1, 1, &mut set).unwrap();
    assert_eq!(set.len(), 2996);
    assert!(reader.window.word_ends.is_empty(), "{} words were cut", reader.window.word_ends.len());
}
