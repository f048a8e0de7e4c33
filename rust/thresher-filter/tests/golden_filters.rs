//! Signals, rules and edits against `tests/golden/filters.jsonl`, which datatrove, DCLM and RedPajama-v2 computed with their own code.

#![expect(clippy::unwrap_used, clippy::float_cmp, reason = "what is written down is exact, and there")]

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;
use thresher_filter::rules::{Preset, Rules};
use thresher_filter::signals::{Cuts, Extractor, Group, Signal, Signals};

fn rows() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/filters.jsonl");
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(row: &Value) -> &str {
    row["text"].as_str().unwrap()
}

fn failing(preset: Preset, signals: &Signals) -> Vec<&'static str> {
    Rules::new(&[preset]).failing(signals).map(|rule| rule.name).collect()
}

/// What cuts leave of a text.
fn without(text: &str, cuts: &Cuts) -> String {
    let (mut left, mut at) = (String::new(), 0);
    for (span, new) in cuts {
        left.push_str(&text[at..span.start]);
        left.push_str(new);
        at = span.end;
    }
    left + &text[at..]
}

/// The rule that stands for a reason of datatrove.
fn rule_of(reason: &str) -> String {
    let rule = match reason {
        "gopher_short_doc" => "min_words",
        "gopher_long_doc" => "max_words",
        "gopher_below_avg_threshold" => "min_mean_word",
        "gopher_above_avg_threshold" => "max_mean_word",
        "gopher_too_many_hashes" => "hashes",
        "gopher_too_many_ellipsis" => "ellipses",
        "gopher_too_many_bullets" => "bullet_lines",
        "gopher_too_many_end_ellipsis" => "ellipsis_lines",
        "gopher_below_alpha_threshold" => "letter_words",
        "gopher_enough_stop_words" => "stop_words",
        "dup_para_frac" => "duplicate_paragraphs",
        "dup_para_char_frac" => "duplicate_paragraph_chars",
        "dup_line_frac" => "duplicate_lines",
        "dup_line_char_frac" => "duplicate_line_chars",
        "line_punct_ratio" => "line_punct",
        "short_line_ratio" => "short_lines",
        "char_dup_ratio" => "duplicate_chars",
        "list_ratio" => "newlines",
        "too_few_sentences" => "sentences",
        other => {
            return other.strip_prefix("duplicated_").map_or_else(
                || other.to_owned(),
                |rest| format!("duplicate_{}", rest.replace("_n_grams", "_grams")),
            );
        }
    };
    rule.to_owned()
}

#[test]
fn signals_are_those_of_the_tools_to_the_last_bit() {
    let mut extractor = Extractor::new(Group::ALL, 1);
    let mut compared = HashSet::new();
    for row in rows() {
        let signals = extractor.compute(text(&row)).unwrap();
        for (name, expected) in
            row["signals"].as_object().unwrap().iter().chain(row["redpajama"].as_object().unwrap())
        {
            let found = signals.get(Signal::named(name).unwrap());
            let expected = expected
                .as_str()
                .map_or(f64::NAN, |bits| f64::from_bits(u64::from_str_radix(bits, 16).unwrap()));
            let equal = found == expected || found.is_nan() && expected.is_nan();
            assert!(equal, "{name}: {found}, not {expected}, of {:?}", text(&row));
            compared.insert(name.clone());
        }
    }
    for signal in Signal::ALL {
        let decided_only = matches!(signal.group(), Group::C4 | Group::Dclm);
        assert!(decided_only || compared.contains(signal.name()), "{}", signal.name());
    }
}

#[test]
fn the_first_failing_rule_is_the_reason_of_datatrove() {
    let mut extractor = Extractor::new(Group::ALL, 1);
    let (mut reasons, mut kept) = (HashSet::new(), HashSet::new());
    for row in rows() {
        let signals = extractor.compute(text(&row)).unwrap();
        for preset in [Preset::Gopher, Preset::GopherRepetition, Preset::C4, Preset::FineWeb] {
            let found = failing(preset, signals);
            let Some(reason) = row["reasons"][preset.name()].as_str() else {
                assert!(found.is_empty(), "{found:?} of {:?}", text(&row));
                kept.insert(preset);
                continue;
            };
            let rule = match (preset, reason) {
                (Preset::FineWeb, "empty") => "min_lines".to_owned(),
                (_, "empty") => "min_chars".to_owned(),
                (_, reason) => rule_of(reason),
            };
            let expected = format!("{}.{rule}", preset.name());
            // C4's reason is that of the first line that is one; a page can have lines of both.
            let first = if preset == Preset::C4 { &found[..] } else { &found[..found.len().min(1)] };
            assert!(first.contains(&expected.as_str()), "{found:?}, not {expected}, of {:?}", text(&row));
            reasons.insert(expected);
        }
    }
    assert!(kept.len() == 4 && reasons.len() > 15, "{reasons:?}");
}

#[test]
fn c4_leaves_the_text_that_datatrove_leaves() {
    let mut extractor = Extractor::new(&[], 1);
    let mut edited = 0;
    for row in rows() {
        if let Some(expected) = row["c4_text"].as_str() {
            assert_eq!(extractor.c4_text(text(&row)).unwrap(), expected, "of {:?}", text(&row));
            assert_eq!(without(text(&row), &extractor.c4_cuts(text(&row)).unwrap()), expected);
            edited += usize::from(expected != text(&row));
        }
    }
    assert!(edited > 5, "{edited}");
}

#[test]
fn dclm_fails_the_same_steps_and_leaves_the_same_text() {
    let mut extractor = Extractor::new(&[Group::Dclm], 1);
    let mut steps = HashSet::new();
    for row in rows() {
        let found: HashSet<&str> = failing(Preset::Dclm, extractor.compute(text(&row)).unwrap())
            .into_iter()
            .map(|rule| {
                rule.trim_start_matches("dclm.").trim_start_matches("min_").trim_start_matches("max_")
            })
            .collect();
        let mut expected: HashSet<&str> =
            row["dclm"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
        if !text(&row).split_whitespace().any(|word| word.starts_with(char::is_alphanumeric)) {
            // Without words most steps of DCLM drop the page; here the words do, and what is a share of nothing fails no rule.
            assert!(expected.contains("words") && found.contains("words"));
            expected.retain(|step| found.contains(step));
        }
        assert_eq!(found, expected, "of {:?}", text(&row));
        let left = row["dclm_text"].as_str().unwrap();
        assert_eq!(extractor.dclm_text(text(&row)).unwrap(), left);
        let cuts = extractor.dclm_cuts(text(&row)).unwrap();
        assert_eq!(without(text(&row), &cuts), left);
        assert!(cuts.iter().all(|(_, new)| new.is_empty()), "{cuts:?} is more than cuts of {:?}", text(&row));
        steps.extend(found.into_iter().map(str::to_owned));
    }
    assert!(steps.len() > 15, "{steps:?}");
}
