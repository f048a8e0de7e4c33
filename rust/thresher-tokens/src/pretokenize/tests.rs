//! Every published pattern against the crate `tokenizers`, on generated texts.

use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _, PreTokenizerWrapper};

use super::*;

/// Pre-tokenizers that models were published with, and near relatives of theirs.
pub(crate) fn published() -> Vec<Value> {
    let bytes = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let regex = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let sequence = |parts: Vec<Value>| json!({"type": "Sequence", "pretokenizers": parts});
    let digits = |alone: bool| json!({"type": "Digits", "individual_digits": alone});
    let mut all = vec![
        bytes(true),
        sequence(vec![digits(true), bytes(true)]),
        sequence(vec![digits(false), bytes(true)]),
        sequence(vec![digits(true), bytes(false)]),
        sequence(vec![regex(r"\p{N}"), bytes(true)]),
        sequence(vec![regex(r"\p{N}{1,3}"), regex("[一-龥぀-ゟ゠-ヿ]+"), regex(NAMES[4].0), bytes(false)]),
        bytes(false),
    ];
    all.extend(NAMES.iter().map(|(pattern, _)| sequence(vec![regex(pattern), bytes(false)])));
    let relatives = [
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    ];
    all.extend(relatives.iter().map(|pattern| sequence(vec![regex(pattern), bytes(false)])));
    let mut removed = regex(NAMES[0].0);
    removed["behavior"] = "Removed".into();
    removed["invert"] = true.into();
    all.push(sequence(vec![removed, bytes(false)]));
    all
}

/// Texts of many scripts, with everything that patterns look at.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => "[a-zA-Z]{1,9}",
        4 => "[A-Z]{0,3}[a-z]{0,4}[A-Z]{0,2}",
        6 => "['’](s|t|re|ve|m|ll|d|S|T|RE|Ve|lL|ſ|rE|l|v|x)?",
        5 => "[0-9]{1,8}",
        6 => "[ ]{1,5}",
        6 => "[\r\n]{1,3}",
        4 => "[ \t\r\n\u{b}\u{c}\u{85}\u{a0}\u{2003}\u{2028}\u{3000}\u{200b}\u{1c}]{1,5}",
        6 => "[!-/:-@\\[-`{-~]{1,4}",
        2 => "/{1,2}\n?",
        3 => "[а-яА-Я]{1,8}",
        3 => "[一-龥]{1,5}",
        2 => "[ぁ-ゟァ-ヿー々〆]{1,5}",
        3 => "[\u{900}-\u{97f}]{1,6}",
        2 => "[ა-ჰ가-힣ก-๛א-ת\u{600}-\u{6ff}]{1,5}",
        2 => "[\u{300}-\u{36f}]{1,3}",
        2 => "[ǅǈǋǲᾈᾼʰ-ʸªºß]{1,3}",
        2 => "[٠-٩²½Ⅷ①㊿𝟘]{1,4}",
        2 => "[😀-🙏👍🏽\u{200d}\u{fe0f}♀🇩🇪]{1,4}",
        1 => "[\u{0}-\u{1f}\u{7f}-\u{9f}]{1,3}",
        1 => "[\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10ffff}\u{378}]{1,2}",
        2 => "\\PC{1,4}",
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Long texts that are mostly ASCII.
fn plain_texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => "[a-zA-Z]{1,9}",
        6 => "'(s|t|re|ve|m|ll|d|S|T|RE|Ve|lL|rE|l|v|x|r|'|'s)?",
        5 => "[0-9]{1,8}",
        6 => "[ ]{1,5}",
        6 => "[\r\n]{1,3}",
        4 => "[ \t\r\n\u{b}\u{c}\u{1c}]{1,5}",
        6 => "[!-/:-@\\[-`{-~]{1,4}",
        1 => "[ \n]{30,70}|[a-z]{60,70}|[0-9]{60,70}|[!?]{60,70}",
        1 => "[éſ一\u{3000}\u{0}\u{7f}]",
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

/// Long texts of several scripts.
fn long_texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "( ?[а-яё]{1,9}){1,4}",
        3 => "[А-Яа-яA-Za-zéÉǅ]{1,9}",
        4 => "[一-龥]{1,9}[，。]?",
        2 => "[ぁ-ゟァ-ヿー々〆]{1,9}",
        3 => "[\u{900}-\u{97f}]{1,9}",
        2 => "[a-zé]{1,4}[\u{300}-\u{36f}一ʰA]{1,3}[a-zA-Zé]{0,3}",
        3 => "[a-zA-Zé一]{1,3}'(s|t|re|ve|m|ll|d|S|T|RE|ſ|r|'|'s|s's){1,2}[a-z一]?",
        2 => "[!—«»…]{1,3}[\r\n/]{0,3}",
        1 => "[\u{300}-\u{36f}٠\u{3000}\u{a0}😀😀]{1,3}",
        3 => "[ \n]{1,3}",
        2 => "[0-9]{1,5}",
        1 => "[а-я]{30,40}|[一-龥]{20,30}|[«»]{30,40}",
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

/// Where the crate cuts.
fn crate_cuts(oracle: &PreTokenizerWrapper, text: &str) -> Vec<(usize, usize)> {
    let mut cut = PreTokenizedString::from(text);
    oracle.pre_tokenize(&mut cut).unwrap();
    cut.get_splits(OffsetReferential::Original, OffsetType::Byte).iter().map(|split| split.1).collect()
}

fn cuts(ours: &PreTokenizer, text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    ours.cut(text, |start, end| found.push((start, end)));
    found
}

fn loaded() -> Vec<(PreTokenizer, PreTokenizerWrapper)> {
    let both = |value: Value| {
        let ours = PreTokenizer::read(Some(&value)).unwrap_or_else(|why| panic!("{value}: {why}"));
        (ours, serde_json::from_value(value).unwrap())
    };
    published().into_iter().map(both).collect()
}

fn compare(all: &[(PreTokenizer, PreTokenizerWrapper)], text: &str) {
    for (ours, oracle) in all {
        assert_eq!(cuts(ours, text), crate_cuts(oracle, text), "{} on {text:?}", ours.name);
    }
}

#[test]
fn generated_texts_are_cut_as_the_crate_cuts_them() {
    let all = loaded();
    proptest!(ProptestConfig::with_cases(600), |(text in texts())| compare(&all, &text));
}

#[test]
fn long_texts_are_cut_as_the_crate_cuts_them() {
    let all = loaded();
    proptest!(ProptestConfig::with_cases(600), |(text in plain_texts())| compare(&all, &text));
    proptest!(ProptestConfig::with_cases(600), |(text in long_texts())| compare(&all, &text));
}

#[test]
fn whatever_follows_an_apostrophe_is_a_contraction_where_the_crate_says_so() {
    let all = loaded();
    // Beyond U+2FFF letters have no case; a few are enough.
    let all_chars = (0..0x3000).chain(0xA640..0xA800).chain(0xFB00..0x1_0100).chain(0x1_D400..0x1_D500);
    for c in all_chars.filter_map(char::from_u32) {
        compare(&all[6..9], &format!("a'{c}'r{c}'l{c}"));
    }
}

#[test]
fn what_is_not_known_is_named() {
    let read = |value: Value| PreTokenizer::read(Some(&value)).unwrap_err();
    assert!(read(json!({"type": "Whitespace"})).contains("`Whitespace`"));
    assert!(read(json!({"type": "Split", "pattern": {"Regex": r"\w+|\s+"}, "behavior": "Isolated", "invert": false})).contains(r"`\w+|\s+`"));
    assert!(
        read(
            json!({"type": "Split", "pattern": {"Regex": NAMES[4].0}, "behavior": "Removed", "invert": true})
        )
        .contains("Removed")
    );
    assert!(read(json!({"type": "Digits", "individual_digits": true})).contains("ByteLevel"));
    assert!(PreTokenizer::read(None).is_err());
}

#[test]
#[ignore = "minutes; `make test-tokens`"]
fn a_million_generated_texts_are_cut_as_the_crate_cuts_them() {
    let all = loaded();
    let cases = ProptestConfig::with_cases(800_000);
    proptest!(cases, |(text in texts())| compare(&all, &text));
    proptest!(ProptestConfig::with_cases(200_000), |(text in long_texts())| compare(&all, &text));
}
