//! Every step, and sequences of steps, against the crate `tokenizers`.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::{NormalizedString, Normalizer as _, normalizers::NormalizerWrapper};

use super::*;

/// A charsmap as `SentencePiece` compiles it, but with a block of 256 units for each node.
pub(crate) fn charsmap(rules: &[(String, String)]) -> Vec<u8> {
    let (mut units, mut replacements) = (vec![0_u32; 256], Vec::new());
    let grow = |units: &mut Vec<u32>, at: usize| {
        let base = units.len();
        units.resize(base + 256, 0);
        units[at] |= ((at ^ base) as u32) << 10;
        base
    };
    let root = grow(&mut units, 0);
    for (key, by) in rules {
        let (mut node, mut unit) = (root, 0);
        for &byte in key.as_bytes() {
            unit = node ^ usize::from(byte);
            if units[unit] == 0 {
                units[unit] = u32::from(byte);
                grow(&mut units, unit);
            }
            node = unit ^ (units[unit] >> 10) as usize;
        }
        units[unit] |= 1 << 8;
        units[node] = 1 << 31 | replacements.len() as u32;
        replacements.extend_from_slice(by.as_bytes());
        replacements.push(0);
    }
    let size = (units.len() * 4) as u32;
    let trie = units.iter().flat_map(|unit| unit.to_le_bytes());
    size.to_le_bytes().into_iter().chain(trie).chain(replacements).collect()
}

/// Rules like those of NFKC, and some that are like nothing.
fn rules() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = "[a\u{301}é字Ａ\u{3000}\n\u{1F469}\u{200d}\u{94d}क]{1,2}";
    prop::collection::btree_map(key, "[a\u{301}b字 ]{0,3}", 1..8)
        .prop_map(|rules| rules.into_iter().collect())
}

fn step() -> impl Strategy<Value = Value> {
    let named = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"].map(|kind| json!({"type": kind}));
    prop_oneof![
        prop::sample::select(named.to_vec()),
        any::<[bool; 2]>()
            .prop_map(|[left, right]| json!({"type": "Strip", "strip_left": left, "strip_right": right})),
        "[▁ a]{0,2}".prop_map(|prefix| json!({"type": "Prepend", "prepend": prefix})),
        ("[a ''▁]{1,2}", "[ ▁b]{0,2}").prop_map(
            |(needle, by)| json!({"type": "Replace", "pattern": {"String": needle}, "content": by})
        ),
        "[ ▁]{0,2}".prop_map(|by| json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": by})),
        Just(json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})),
        rules().prop_map(
            |rules| json!({"type": "Precompiled", "precompiled_charsmap": STANDARD.encode(charsmap(&rules))})
        ),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ ▁a'A]{0,6}",
        "[aé\u{301}\u{323}ﬁＡİΣ字か\u{3000}\n\r\u{0}\u{1F469}\u{200d}\u{1F1E9}\u{94d}कष\u{1100}\u{1161}각]{0,8}",
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn normalised_texts_are_those_of_the_crate(
        steps in prop::collection::vec(step(), 0..4),
        texts in prop::collection::vec(texts(), 8),
    ) {
        let file = json!({"type": "Sequence", "normalizers": steps});
        let oracle: NormalizerWrapper = serde_json::from_str(&file.to_string()).unwrap();
        let Ok(ours) = Normalizer::read(Some(&file)) else { return Ok(()) };
        for text in texts {
            let mut expected = NormalizedString::from(text.as_str());
            oracle.normalize(&mut expected).unwrap();
            let expected = if ours.blanks {
                prop_assert!(!expected.get().contains(' '));
                expected.get().replace('▁', " ")
            } else {
                expected.get().to_owned()
            };
            prop_assert_eq!(ours.normalize(&text), expected);
        }
    }

    #[test]
    fn a_table_that_lies_is_refused_or_harmless(
        rules in rules(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
        cut in any::<prop::sample::Index>(),
        text in texts(),
    ) {
        let whole = charsmap(&rules);
        let mut changed = whole.clone();
        for (at, byte) in changes {
            // Where something is: most of the table is empty.
            let used: Vec<usize> = (0..whole.len()).filter(|&at| at < 4 || whole[at] != 0).collect();
            changed[used[at.index(used.len())]] = byte;
        }
        for bytes in [&changed[..], &whole[..cut.index(whole.len())]] {
            if let Ok(charsmap) = Charsmap::read(&STANDARD.encode(bytes)) {
                let _ = charsmap.apply(&text);
            }
        }
    }
}

#[test]
fn a_normal_text_is_not_copied() {
    let file = json!({"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]});
    let normalizer = Normalizer::read(Some(&file)).unwrap();
    assert!(matches!(normalizer.normalize("an ordinary text, 字"), Cow::Borrowed(_)));
}

#[test]
fn what_is_not_done_here_is_named() {
    let why = |file: Value| Normalizer::read(Some(&file)).unwrap_err();
    assert!(why(json!({"type": "Nmt"})).contains("`Nmt`"));
    assert!(why(json!({"type": "Replace", "pattern": {"Regex": "\\s"}, "content": ""})).contains("\\s"));
    assert!(why(json!({"type": "Precompiled", "precompiled_charsmap": "?"})).contains("base64"));
    assert!(why(json!({"type": "Precompiled", "precompiled_charsmap": ""})).contains("empty"));
    assert!(why(json!({"type": "Precompiled", "precompiled_charsmap": "/////w=="})).contains("cut off"));
}
