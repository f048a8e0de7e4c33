//! Files that lie, policies, and ids against the crate `tokenizers`.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A byte-level BPE: all bytes, a few merges, two special tokens and one that is not.
fn file() -> Value {
    let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
    let mut tokens: Vec<String> = alphabet.into_iter().map(String::from).collect();
    tokens.sort_unstable();
    let merges = [
        ("h", "e"),
        ("l", "l"),
        ("he", "ll"),
        ("hell", "o"),
        ("Ġ", "w"),
        ("o", "r"),
        ("Ġw", "or"),
        ("l", "d"),
    ];
    tokens.extend(merges.iter().map(|(a, b)| format!("{a}{b}")));
    let vocab: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let added = |id: usize, content: &str, special: bool| {
        json!({"id": tokens.len() + id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": special})
    };
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(0, "<s>", true), added(1, "</s>", true), added(2, "<tool>", false)],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [tokens.len()], "tokens": ["<s>"]}}},
        "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges}
    })
}

fn load(file: &Value) -> Result<Tokenizer> {
    Tokenizer::from_json(file.to_string().as_bytes())
}

fn encode(tokenizer: &Tokenizer, options: &Options, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.worker(options).encode(text, &mut ids).unwrap();
    ids
}

/// What is wrong with the file after `change`.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut changed = file();
    change(&mut changed);
    match load(&changed) {
        Err(Error::Tokenizer(what)) => what,
        other => panic!("should be refused: {other:?}"),
    }
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    let whole = file().to_string();
    for json in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        &whole.as_bytes()[..whole.len() / 2],
        "[".repeat(100_000).as_bytes(),
    ] {
        assert!(matches!(Tokenizer::from_json(json), Err(Error::Tokenizer(_))));
    }
}

#[test]
fn a_file_that_lies_is_refused_with_the_value() {
    assert!(refusal(|file| file["model"]["vocab"]["hello"] = 3.into()).contains("same id, `3`"));
    assert!(
        refusal(|file| file["model"]["vocab"]["hello"] = json!(4_000_000_000_u32)).contains("`4000000000`")
    );
    assert!(refusal(|file| file["model"]["vocab"]["hello"] = json!(-1)).contains("-1"));
    assert!(refusal(|file| file["model"]["merges"][0] = json!(["h", "absent"])).contains("`absent`"));
    assert!(refusal(|file| file["model"]["merges"][0] = json!(["hello", "hello"])).contains("`hellohello`"));
    assert!(refusal(|file| file["model"]["merges"][0] = json!(["a", "b", "c"])).contains("merge"));
    assert!(refusal(|file| file["added_tokens"][1]["id"] = 3.into()).contains("has the id `3`"));
    assert!(refusal(|file| file["added_tokens"][1]["id"] = 264.into()).contains("same id, `264`"));
    assert!(refusal(|file| file["added_tokens"][1]["content"] = "<s>".into()).contains("twice"));
    assert!(refusal(|file| file["added_tokens"][2]["id"] = 300.into()).contains("`300`"));
    assert!(refusal(|file| file["added_tokens"][0]["content"] = "hello".into()).contains("knows it by"));
    assert!(refusal(|file| file["model"]["continuing_subword_prefix"] = "##".into()).contains("##"));
    assert!(refusal(|file| file["model"]["type"] = "Oracle".into()).contains("hint:"));
    assert!(
        refusal(|file| file["pre_tokenizer"] =
            json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": false}))
        .contains("hint:")
    );
}

#[test]
fn an_added_token_that_the_file_repeats_is_one() {
    let (once, mut twice) = (file(), file());
    let tokens = twice["added_tokens"].as_array_mut().unwrap();
    tokens.push(tokens[1].clone());
    let [once, twice] = [once, twice].map(|file| Tokenizer::from_json(file.to_string().as_bytes()).unwrap());
    let options = Options { special_in_text: true, ..Options::default() };
    let ids = |tokenizer: &Tokenizer| {
        let mut ids = Vec::new();
        tokenizer.worker(&options).encode("hello <s></s> hello", &mut ids).unwrap();
        ids
    };
    assert_eq!(ids(&once), ids(&twice));
    assert_eq!(once.vocab_size(), twice.vocab_size());
}

#[test]
fn a_token_that_is_there_twice_is_refused() {
    let json = file().to_string().replacen("\"hell\":", "\"hello\":", 1);
    assert!(Tokenizer::from_json(json.as_bytes()).unwrap_err().to_string().contains("twice"));
}

#[test]
fn a_special_token_in_a_text_is_text_unless_asked_otherwise() {
    let tokenizer = load(&file()).unwrap();
    let [start, tool] = [tokenizer.id_of("<s>").unwrap(), tokenizer.id_of("<tool>").unwrap()];
    let plain = encode(&tokenizer, &Options::default(), "a<s>b<tool>");
    assert!(!plain.contains(&start) && plain.contains(&tool));
    let special = Options { special_in_text: true, ..Options::default() };
    assert!(encode(&tokenizer, &special, "a<s>b<tool>").contains(&start));
    assert_eq!(encode(&tokenizer, &Options::default(), "a<s>b<tool>"), plain);
}

#[test]
fn what_stands_around_a_text_is_what_was_asked_for() {
    let tokenizer = load(&file()).unwrap();
    let bare = encode(&tokenizer, &Options::default(), "hello world");
    let options = Options { add_special_tokens: true, bos: Some(7), eos: Some(9), ..Options::default() };
    let framed = encode(&tokenizer, &options, "hello world");
    assert_eq!(framed, [&[7, 264][..], &bare, &[9]].concat());
    let (mut ids, mut offsets) = (Vec::new(), Vec::new());
    tokenizer.worker(&options).encode_with_offsets("hello world", &mut ids, &mut offsets).unwrap();
    assert_eq!(ids, framed);
    assert_eq!(offsets, [(0, 0), (0, 0), (0, 5), (5, 9), (9, 11), (0, 0)]);
    assert_eq!(encode(&tokenizer, &options, ""), [7, 264, 9]);
}

#[test]
fn truncation_and_padding_of_the_file_are_left_aside() {
    let mut changed = file();
    changed["truncation"] =
        json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    changed["padding"] = json!({"strategy": {"Fixed": 100}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "!"});
    let options = Options::default();
    let [whole, cut] =
        [file(), changed].map(|file| encode(&load(&file).unwrap(), &options, "hello big world"));
    assert_eq!(whole, cut);
}

#[test]
fn the_size_of_the_vocabulary_counts_added_tokens() {
    assert_eq!(load(&file()).unwrap().vocab_size(), 267);
}

#[test]
fn the_path_says_which_encoder_runs_and_why() {
    assert_eq!(load(&file()).unwrap().path().to_string(), "byte-level BPE, cut as GPT-2");
    let why = |change: &dyn Fn(&mut Value)| {
        let mut changed = file();
        change(&mut changed);
        let tokenizer = load(&changed).unwrap();
        assert!(!tokenizer.path().is_own());
        tokenizer.path().to_string()
    };
    assert!(why(&|file| file["pre_tokenizer"]["type"] = "Whitespace".into()).contains("Whitespace"));
    assert!(why(&|file| file["model"]["dropout"] = json!(0.5)).contains("by chance"));
    assert!(why(&|file| file["model"]["byte_fallback"] = true.into()).contains("falls back"));
    assert!(why(&|file| file["added_tokens"][0]["single_word"] = true.into()).contains("`<s>`"));
    assert!(why(&|file| file["normalizer"] = json!({"type": "Nmt"})).contains("`Nmt`"));
}

/// Hundreds of merges, of letters and of bytes of other scripts, drawn by a number; each side is made before.
fn merged(seed: u64) -> Value {
    let mut file = file();
    let mut known: Vec<String> = "etaonhrisĠÐÑ°²¸äĊ1ĢĥĩĬ".chars().map(String::from).collect();
    let letters = known.len();
    let mut merges = Vec::new();
    let mut state = seed;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    while merges.len() < 600 {
        let (left, right) = (known[draw(known.len())].clone(), known[draw(known.len())].clone());
        let made = format!("{left}{right}");
        if made.chars().count() <= 7 && !known.contains(&made) {
            merges.push(json!([left, right]));
            known.push(made);
        }
    }
    let mut tokens: Vec<String> =
        tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().map(String::from).collect();
    tokens.sort_unstable();
    tokens.extend(known.into_iter().skip(letters));
    for (at, token) in file["added_tokens"].as_array_mut().unwrap().iter_mut().enumerate() {
        token["id"] = (tokens.len() + at).into();
    }
    file["post_processor"] = Value::Null;
    file["model"]["vocab"] =
        tokens.into_iter().zip(0..).map(|(token, id)| (token, Value::from(id))).collect();
    file["model"]["merges"] = merges.into();
    file
}

/// Files whose every part is done by an encoder of ours.
fn own() -> Vec<Value> {
    let change = |change: &dyn Fn(&mut Value)| {
        let mut changed = file();
        change(&mut changed);
        changed
    };
    vec![
        file(),
        merged(1),
        merged(2),
        change(&|file| file["model"]["ignore_merges"] = true.into()),
        change(&|file| file["pre_tokenizer"]["add_prefix_space"] = true.into()),
        change(&|file| file["normalizer"] = json!({"type": "NFC"})),
        change(&|file| {
            file["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}]});
            file["added_tokens"][2]["normalized"] = true.into();
            file["added_tokens"][2]["content"] = "e\u{301}<".into();
        }),
        change(&|file| {
            file["added_tokens"][0]["lstrip"] = true.into();
            file["added_tokens"][1]["rstrip"] = true.into();
            file["added_tokens"][2]["lstrip"] = true.into();
            file["added_tokens"][2]["rstrip"] = true.into();
        }),
        change(&|file| {
            // Without a token for some bytes, and nothing for what is unknown: they are dropped.
            file["model"]["vocab"].as_object_mut().unwrap().remove("a");
            file["model"]["vocab"].as_object_mut().unwrap().remove("Ã");
            for (at, token) in file["added_tokens"].as_array_mut().unwrap().iter_mut().enumerate() {
                token["id"] = (262 + at).into();
            }
            let ids = file["model"]["vocab"].as_object_mut().unwrap();
            for (id, (_, value)) in ids.iter_mut().enumerate() {
                *value = id.into();
            }
        }),
    ]
}

#[test]
fn ids_of_every_file_are_those_of_the_crate() {
    for file in own() {
        let json = file.to_string();
        let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
        assert!(tokenizer.path().is_own(), "{}", tokenizer.path());
        let part = prop_oneof![
            3 => crate::pretokenize::tests::texts(),
            2 => "[ \\n]{0,2}(<s>|</s>|<tool>|e\u{301}<|\u{e9}<)[ \\n\u{3000}]{0,2}",
            3 => "( ?[etaonhrisа-я1]{1,20}){1,4}",
            3 => "( ?[一七丁万丂丄丈丌上不]{1,30}){1,2}",
            2 => "(hello| world|hell|ll|aé|ê|ㅏ|각|가\u{11a8}|\u{93c}|क\u{93c}|\u{301}|\u{323}\u{302}){1,3}",
        ];
        let texts = prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat());
        proptest!(|(text in texts, special in any::<bool>(), add in any::<bool>())| {
            let mut oracle: tokenizers::Tokenizer = json.parse().unwrap();
            oracle.set_encode_special_tokens(!special);
            let options = Options { special_in_text: special, add_special_tokens: add, cache_bytes: 4096, ..Options::default() };
            let mut worker = tokenizer.worker(&options);
            let expected = oracle.encode_fast(text.as_str(), add).unwrap();
            for _ in 0..2 {
                let mut ids = Vec::new();
                worker.encode(&text, &mut ids).unwrap();
                prop_assert_eq!(&ids[..], expected.get_ids());
            }
        });
    }
}

#[test]
#[ignore = "minutes; `make test-tokens`"]
fn ids_of_100_000_documents_are_those_of_the_crate() {
    for (file, documents) in [(merged(3), 100_000), (own().remove(4), 20_000)] {
        let json = file.to_string();
        let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
        let mut oracle: tokenizers::Tokenizer = json.parse().unwrap();
        oracle.set_encode_special_tokens(true);
        let part = prop_oneof![
            crate::pretokenize::tests::texts(),
            "( ?[etaonhrisа-я1]{1,20}){1,8}",
            "( ?[一七丁万丂丄丈丌上不]{1,30}){1,2}",
        ];
        let texts = prop::collection::vec(part, 0..30).prop_map(|parts| parts.concat());
        let worker = std::cell::RefCell::new(tokenizer.worker(&Options::default()));
        proptest!(ProptestConfig::with_cases(documents), |(text in texts)| {
            let mut ids = Vec::new();
            worker.borrow_mut().encode(&text, &mut ids).unwrap();
            let expected = oracle.encode_fast(text.as_str(), false).unwrap();
            prop_assert_eq!(&ids[..], expected.get_ids());
        });
    }
}

#[test]
fn a_worker_does_not_grow() {
    let tokenizer = load(&file()).unwrap();
    let mut worker = tokenizer.worker(&Options { cache_bytes: 1 << 16, ..Options::default() });
    let (mut ids, mut state, mut first) = (Vec::new(), 1_u64, 0);
    for round in 0..40 {
        let mut text = String::new();
        while text.len() < 1 << 16 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(text, " {:x}", state >> (state >> 59)).unwrap();
        }
        ids.clear();
        worker.encode(&text, &mut ids).unwrap();
        if round == 5 {
            first = worker.bytes();
        }
    }
    assert_eq!(worker.bytes(), first);
    assert!(first < 1 << 18);
}

#[test]
fn a_worker_takes_over_the_cache_of_one_that_is_gone() {
    let tokenizer = load(&file()).unwrap();
    let options = Options { cache_bytes: 1 << 16, ..Options::default() };
    let texts: Vec<String> = (0..3000).map(|at| format!("hello {at:x} <s> hell{}", at % 77)).collect();
    let all = |worker: &mut Worker<'_>| {
        let mut ids = Vec::new();
        for text in &texts {
            worker.encode(text, &mut ids).unwrap();
        }
        ids
    };
    let [mut one, mut other] = [tokenizer.worker(&options), tokenizer.worker(&options)];
    let wanted = all(&mut one);
    assert_eq!(all(&mut other), wanted);
    drop((one, other));
    // Of the same size it is the warm one, with whatever options; of another size it is a new one.
    for cache_bytes in [1 << 16, 1 << 12, 1 << 16] {
        let mut next = tokenizer.worker(&Options { cache_bytes, ..options.clone() });
        assert_eq!(all(&mut next), wanted);
        assert!(next.bytes() < cache_bytes + (1 << 16));
    }
}

#[test]
fn a_text_without_a_blank_costs_little_more_than_its_length() {
    let tokenizer = load(&file()).unwrap();
    let mut worker = tokenizer.worker(&Options::default());
    let mut ids = Vec::new();
    worker.encode(&"hello".repeat(400_000), &mut ids).unwrap();
    assert_eq!(ids, vec![tokenizer.id_of("hello").unwrap(); 400_000]);
    assert!(worker.bytes() < 10 << 20, "what a long text took is given back");
}

proptest! {
    #[test]
    fn ids_and_offsets_are_those_of_the_crate(text in "(hello| world|<s>|<tool>|[ \\n]{0,3}|\\PC{0,8}){0,12}", special in any::<bool>()) {
        let json = file().to_string();
        let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
        let mut oracle: tokenizers::Tokenizer = json.parse().unwrap();
        oracle.set_encode_special_tokens(!special);
        let options = Options { special_in_text: special, add_special_tokens: true, ..Options::default() };
        let mut worker = tokenizer.worker(&options);
        let (mut ids, mut again, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        worker.encode(&text, &mut ids).unwrap();
        worker.encode_with_offsets(&text, &mut again, &mut offsets).unwrap();
        let expected = oracle.encode(text.as_str(), true).unwrap();
        prop_assert_eq!(&ids, expected.get_ids());
        prop_assert_eq!(&again, &ids);
        let places: Vec<(usize, usize)> = offsets.iter().map(|&(start, end)| (start as usize, end as usize)).collect();
        prop_assert_eq!(&places, expected.get_offsets());
    }
}
