//! Ids against the crate `tokenizers`: models, files around them, and texts are all generated.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::tokenizer::{Options, Tokenizer};

/// A file of a model.
pub(crate) fn file(normalizer: &Value, pre_tokenizer: &Value, model: &Value) -> Value {
    json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": null, "model": model})
}

fn replace(pattern: &Value, by: &str) -> Value {
    json!({"type": "Replace", "pattern": pattern, "content": by})
}

fn sequence(normalizers: &[Value]) -> Value {
    json!({"type": "Sequence", "normalizers": normalizers})
}

fn metaspace(scheme: &str, split: bool) -> Value {
    json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split})
}

/// What stands around published models of this kind: normaliser and pre-tokenizer.
pub(crate) fn surroundings() -> Vec<(Value, Value)> {
    let blank = replace(&json!({"String": " "}), "▁");
    let prepend = json!({"type": "Prepend", "prepend": "▁"});
    let strip = json!({"type": "Strip", "strip_left": false, "strip_right": true});
    let collapse = replace(&json!({"Regex": " {2,}"}), "▁");
    let words = json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace("always", true)]});
    let quotes = replace(&json!({"String": "''"}), "\"");
    let [nfkd, accents, lower] = ["NFKD", "StripAccents", "Lowercase"].map(|kind| json!({"type": kind}));
    vec![
        // Llama 2, Phi 3; Gemma; Mistral.
        (sequence(&[prepend.clone(), blank.clone()]), Value::Null),
        (
            blank.clone(),
            json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false}),
        ),
        (Value::Null, metaspace("first", false)),
        (Value::Null, metaspace("always", false)),
        (Value::Null, metaspace("never", false)),
        (sequence(&[blank.clone(), prepend]), Value::Null),
        // T5, XLM-R, ALBERT and their kin, with the table of replacements in tests of its own.
        (Value::Null, metaspace("always", true)),
        (Value::Null, metaspace("first", true)),
        (blank, metaspace("never", true)),
        (sequence(&[strip, collapse.clone()]), metaspace("always", true)),
        (json!({"type": "NFKC"}), words.clone()),
        (sequence(&[quotes, nfkd, accents, lower, collapse]), words),
    ]
}

/// What a vocabulary has beside what is merged.
const LETTERS: [&str; 8] = ["▁", "a", "b", "e", "字", "か", "д", " "];

/// A BPE with random merges.
fn bpe() -> impl Strategy<Value = Value> {
    let merges = prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..24);
    let flags = prop::array::uniform4(any::<bool>());
    (merges, flags, prop::collection::vec(any::<bool>(), LETTERS.len())).prop_map(|(pairs, flags, kept)| {
        let [byte_fallback, fuse_unk, ignore_merges, byte_tokens] = flags;
        let mut tokens = vec!["<unk>".to_owned()];
        if byte_tokens {
            tokens.extend((0..=255_u8).map(|byte| format!("<0x{byte:02X}>")));
        }
        let first = tokens.len();
        tokens.extend(
            LETTERS.iter().zip(kept).filter(|(_, kept)| *kept).map(|(letter, _)| (*letter).to_owned()),
        );
        let mut merges = Vec::new();
        for (left, right) in pairs {
            if tokens.len() == first {
                break;
            }
            let [left, right] =
                [left, right].map(|at| tokens[first + at.index(tokens.len() - first)].clone());
            let made = format!("{left}{right}");
            if made.len() < 40 && !merges.contains(&json!([left, right])) {
                merges.push(json!([left, right]));
                if !tokens.contains(&made) {
                    tokens.push(made);
                }
            }
        }
        let vocab: serde_json::Map<String, Value> =
            tokens.into_iter().enumerate().map(|(id, token)| (token, id.into())).collect();
        json!({"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": fuse_unk, "byte_fallback": byte_fallback,
            "ignore_merges": ignore_merges, "vocab": vocab, "merges": merges})
    })
}

/// A Unigram with random pieces. Few different scores, so that many sums are equal.
fn unigram() -> impl Strategy<Value = Value> {
    let score = prop::sample::select(vec![-1.0, -2.0, -2.5, -0.1, -0.3, -7.123_456_789, 0.0, 30.0]);
    let pieces = prop::collection::vec(("[▁abe字かд ]{1,4}", score), 1..30);
    (pieces, any::<Option<prop::sample::Index>>(), any::<bool>(), 0_u16..=256).prop_map(
        |(mut pieces, unk, byte_fallback, byte_tokens)| {
            pieces.push(("<unk>".to_owned(), 0.0));
            pieces.extend((0..byte_tokens).map(|byte| (format!("<0x{byte:02X}>"), 0.0)));
            let unk = unk.map(|at| {
                if at.index(3) == 0 {
                    at.index(pieces.len())
                } else {
                    pieces.iter().position(|(piece, _)| piece == "<unk>").unwrap()
                }
            });
            json!({"type": "Unigram", "unk_id": unk, "vocab": pieces, "byte_fallback": byte_fallback})
        },
    )
}

pub(crate) fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[ ▁abe字かд]{0,8}",
        2 => "[ ▁abe字か\n\t☃🙂é\u{301}\u{3000}\u{a0}\u{200b}\u{0}<\'A]{0,6}",
        1 => "(aaaa|  |   |字字字|<unk>|<0x0A>|☃☃|abab|ﬁ|Ａ){1,3}",
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// Compares both; which encoder ran is said by the result.
pub(crate) fn compare(file: &Value, texts: &[String]) -> Result<bool, TestCaseError> {
    let json = file.to_string();
    let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
    let mut oracle: tokenizers::Tokenizer = json.parse().unwrap();
    oracle.set_encode_special_tokens(true);
    let mut worker = tokenizer.worker(&Options { cache_bytes: 4096, ..Options::default() });
    for text in texts.iter().chain(texts) {
        let mut ids = Vec::new();
        let ours = worker.encode(text, &mut ids);
        match oracle.encode_fast(text.as_str(), false) {
            Ok(expected) => {
                prop_assert!(ours.is_ok());
                prop_assert_eq!(&ids[..], expected.get_ids(), "{:?}", text);
            }
            Err(_) => prop_assert!(ours.is_err()),
        }
    }
    Ok(tokenizer.path().is_own())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn ids_of_a_bpe_are_those_of_the_crate(
        (normalizer, pre_tokenizer) in prop::sample::select(surroundings()),
        model in bpe(),
        texts in prop::collection::vec(texts(), 8),
    ) {
        compare(&file(&normalizer, &pre_tokenizer, &model), &texts)?;
    }

    #[test]
    fn ids_of_a_unigram_are_those_of_the_crate(
        (normalizer, pre_tokenizer) in prop::sample::select(surroundings()),
        model in unigram(),
        texts in prop::collection::vec(texts(), 8),
    ) {
        prop_assert!(compare(&file(&normalizer, &pre_tokenizer, &model), &texts)?);
    }
}

#[test]
fn a_file_that_lies_is_refused() {
    let unigram = |vocab: &str, unk: &str| {
        file(&Value::Null, &metaspace("always", true), &json!("MODEL")).to_string().replace(
            "\"MODEL\"",
            &format!(r#"{{"type": "Unigram", "unk_id": {unk}, "vocab": {vocab}, "byte_fallback": true}}"#),
        )
    };
    let charsmap = |charsmap: Value| {
        let normalizer = json!({"type": "Precompiled", "precompiled_charsmap": charsmap});
        let model = json!({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]]});
        file(&normalizer, &metaspace("always", true), &model).to_string()
    };
    for json in [
        unigram("[]", "0"),
        unigram(r#"[["<unk>", 0.0]]"#, "1"),
        unigram(r#"[["<unk>", 0.0]]"#, "-1"),
        unigram(r#"[["<unk>", 1e999]]"#, "0"),
        unigram(r#"[["<unk>", NaN]]"#, "0"),
        unigram(r#"[["<unk>"]]"#, "0"),
        unigram("null", "0"),
        charsmap(json!("not base64")),
        charsmap(json!("/////w==")),
        charsmap(json!("")),
        charsmap(Value::Null),
    ] {
        assert!(matches!(Tokenizer::from_json(json.as_bytes()), Err(crate::Error::Tokenizer(_))), "{json}");
    }
}

#[test]
fn a_text_of_which_nothing_is_known_has_ids_or_an_error() {
    let bpe = json!({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "vocab": {}, "merges": []});
    let unigram = |unk: Value| json!({"type": "Unigram", "unk_id": unk, "vocab": [["", 0.0], ["a", 5.0]]});
    for model in [bpe, unigram(Value::Null), unigram(json!(0))] {
        compare(&file(&Value::Null, &metaspace("first", true), &model), &["b a\u{0}字".to_owned()]).unwrap();
    }
}

#[test]
fn a_long_text_without_blanks_costs_little_memory() {
    let pieces = json!([["<unk>", 0.0], ["▁", -1.0], ["a", -2.0], ["aa", -3.0], ["字", -2.0]]);
    let unigram = json!({"type": "Unigram", "unk_id": 0, "vocab": pieces});
    let bpe = json!({"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": false,
        "vocab": {"<unk>": 0, "▁": 1, "a": 2, "aa": 3, "字": 4}, "merges": [["a", "a"]]});
    for (model, pre_tokenizer) in [(&unigram, metaspace("always", true)), (&bpe, metaspace("always", false))]
    {
        let json = file(&Value::Null, &pre_tokenizer, model).to_string();
        let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
        let mut worker = tokenizer.worker(&Options { cache_bytes: 4096, ..Options::default() });
        let mut ids = Vec::new();
        worker.encode(&"aaa字☃".repeat(300_000), &mut ids).unwrap();
        assert_eq!(ids.len(), 1 + 4 * 300_000, "{}", tokenizer.path());
        assert!(worker.bytes() < 1 << 20, "what a long text took is given back");
    }
}
