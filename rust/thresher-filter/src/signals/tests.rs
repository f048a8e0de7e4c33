//! Laws of all signals together, and texts that were made to break something. What each signal is, its file tests against a slow
//! twin, and `tests/golden_filters.rs` against the tools themselves.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use proptest::prelude::*;

use super::*;
use crate::rules::{Preset, Rules};

fn compute(text: &str, key: u64) -> Signals {
    Extractor::new(Group::ALL, key).compute(text).unwrap().clone()
}

fn bits(signals: &Signals) -> Vec<u64> {
    Signal::ALL.iter().map(|&signal| signals.get(signal).to_bits()).collect()
}

/// Texts of a few million bytes on which something slower than linear would not end.
fn hostile() -> Vec<(&'static str, String)> {
    let size = 2_000_000;
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    let numbers: Vec<String> = (0..size / 3).map(|_| (random() % 50).to_string()).collect();
    vec![
        ("one word", "a".repeat(size)),
        ("one line of one word repeated", "word ".repeat(size / 5)),
        ("two words in turn", "ab c ".repeat(size / 5)),
        ("letters that join alike", "a aa aaa ".repeat(size / 9)),
        ("NUL bytes", "\0".repeat(size)),
        ("all newlines", "\n".repeat(size)),
        ("newlines in pairs around a letter", "a\n\n".repeat(size / 3)),
        ("all blanks", " \u{3000}".repeat(size / 4)),
        ("all marks", ". ".repeat(size / 2)),
        ("all brackets", "[".repeat(size)),
        ("a bracket that digits follow", "[1".repeat(size / 2)),
        ("citations", "[1]".repeat(size / 3)),
        ("phrases", "javascript use cookies ".repeat(size / 23)),
        ("half a phrase", "items in car ".repeat(size / 13)),
        ("a line break of each kind", "a\r\u{b}\u{85}\u{2028}".repeat(size / 8)),
        ("Chinese", "数据。".repeat(size / 9)),
        ("a long word repeated", format!("{} ", "x".repeat(100_000)).repeat(size / 100_000)),
        ("words of numbers", numbers.join(" ")),
    ]
}

#[test]
fn hostile_texts_take_linear_time_and_shares_stay_shares() {
    for (name, text) in hostile() {
        let mut extractor = Extractor::new(Group::ALL, 3);
        let signals = extractor.compute(&text).unwrap().clone();
        for &signal in Signal::ALL {
            let value = signals.get(signal);
            assert!(
                value.is_nan() || value >= 0.0 || signal == Signal::DclmRemovedWords,
                "{name} {signal:?} {value}"
            );
        }
        for signal in [Signal::Duplicate5Grams, Signal::Duplicate10Grams, Signal::DuplicateLineChars] {
            let share = signals.get(signal);
            assert!(share <= 1.0, "{name} {signal:?} {share}");
        }
        assert!(Rules::new(&Preset::ALL).failing(&signals).next().is_some(), "{name}");
        extractor.c4_text(&text).unwrap();
        extractor.dclm_text(&text).unwrap();
    }
}

#[test]
fn a_text_that_repeats_itself_is_nothing_but_duplicates() {
    let signals = compute(&"The same line of six words.\n".repeat(5000), 1);
    for signal in [Signal::Duplicate5Grams, Signal::Duplicate10Grams, Signal::DuplicateLines] {
        assert!(signals.get(signal) > 0.7, "{signal:?} {}", signals.get(signal));
    }
    for signal in [Signal::DclmRepeated5Grams, Signal::RpsDupe10Grams, Signal::DclmRepeatedLines] {
        assert!((signals.get(signal) - 1.0).abs() < 1e-12, "{signal:?}");
    }
}

#[test]
fn a_text_without_words_has_no_shares_of_words_and_fails_rules_that_ask_for_some() {
    for text in ["", "\n", " \u{a0}\n\n"] {
        let signals = compute(text, 1);
        for signal in [Signal::GopherMeanWord, Signal::FineWebNewlines, Signal::DclmSymbols, Signal::MeanWord]
        {
            assert!(signals.get(signal).is_nan(), "{signal:?}");
        }
        let rules = Rules::new(&Preset::ALL);
        let failing: Vec<&str> = rules.failing(&signals).map(|rule| rule.name).collect();
        for rule in ["gopher.min_words", "c4.sentences", "fineweb.min_lines", "dclm.min_words"] {
            assert!(failing.contains(&rule), "{rule} {failing:?}");
        }
        assert_eq!(failing.contains(&"gopher-repetition.min_chars"), text.is_empty());
    }
}

const TEXT: &str = "(the|of|cat|Use|cookies?|javascript|lorem|ipsum|[a-c]{1,3}|数据。|é|\\{|\\[[0-9]{0,2}\\]|[0-9]{1,3}|Read more|\\.\\.\\.|…|•|-|#|[ \n.?!\r\u{a0}\u{2028}]){0,90}";

proptest! {
    #[test]
    fn signals_do_not_depend_on_the_key_nor_on_the_text_before(text in TEXT, before in TEXT) {
        let mut extractor = Extractor::new(Group::ALL, 5);
        extractor.compute(&before).unwrap();
        extractor.c4_text(&before).unwrap();
        let signals = extractor.compute(&text).unwrap().clone();
        prop_assert_eq!(bits(&signals), bits(&compute(&text, 77)));
    }

    #[test]
    fn a_group_alone_is_what_it_is_among_all(text in TEXT) {
        let all = compute(&text, 5);
        for &group in Group::ALL {
            let mut extractor = Extractor::new(&[group], 5);
            let alone = extractor.compute(&text).unwrap();
            for &signal in Signal::ALL {
                if signal.group() == group {
                    prop_assert_eq!(alone.get(signal).to_bits(), all.get(signal).to_bits(), "{:?}", signal);
                } else if signal.group() != Group::Lengths {
                    prop_assert!(alone.get(signal).is_nan(), "{:?} was not asked for", signal);
                }
            }
        }
    }

    #[test]
    fn the_lines_that_c4_keeps_are_those_it_counts_and_are_kept_again(text in TEXT) {
        // What a citation leaves behind may be another citation, or end with a blank.
        prop_assume!(!text.contains('['));
        let mut extractor = Extractor::new(&[Group::C4], 5);
        let kept = extractor.compute(&text).unwrap().get(Signal::C4KeptLines);
        let edited = extractor.c4_text(&text).unwrap();
        prop_assert_eq!(edited.split('\n').filter(|line| !line.is_empty()).count() as f64, kept);
        prop_assert_eq!(extractor.compute(&edited).unwrap().get(Signal::C4KeptLines), kept);
        prop_assert_eq!(&extractor.c4_text(&edited).unwrap(), &edited);
    }
}

#[test]
fn lines_are_judged_as_asked() {
    let text = "Two words.\nNo mark here at all\nA line that is kept. [1]\nAnd this one, too!";
    let mut extractor = Extractor::new(&[Group::C4], 1);
    assert_eq!(extractor.c4_text(text).unwrap(), "And this one, too!");
    let lines = C4Lines { min_words: 2, ended: false, ..C4Lines::default() };
    let mut extractor = Extractor::with_c4_lines(&[Group::C4], 1, lines);
    let expected = "Two words.\nNo mark here at all\nA line that is kept. \nAnd this one, too!";
    assert_eq!(extractor.c4_text(text).unwrap(), expected);
    let lines = C4Lines { max_word_chars: 3, ..C4Lines::default() };
    let mut extractor = Extractor::with_c4_lines(&[Group::C4], 1, lines);
    assert_eq!(extractor.compute(text).unwrap().get(Signal::C4LongWordLines), 4.0);
}
