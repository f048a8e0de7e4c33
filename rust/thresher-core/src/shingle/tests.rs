//! The fused pass against a naive one built from the definition.
//!
//! The naive twin takes one character at a time, keeps every word as a string and evaluates each polynomial from
//! scratch; it shares with the fused pass only the table of classes and the output step of `splitmix64`.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::text::tables;

/// The words of `text` by the definition in `text`, each with whether something lies between it and the last one.
fn naive_words(text: &str) -> Vec<(bool, String)> {
    let mut words: Vec<(bool, String)> = Vec::new();
    let (mut open, mut gap) = (false, false);
    for c in text.chars() {
        match tables::class(c as u32) {
            tables::SEPARATOR => (open, gap) = (false, true),
            tables::SOLO => {
                words.push((gap, c.to_lowercase().collect()));
                (open, gap) = (false, false);
            }
            _ => {
                if !open {
                    words.push((gap, String::new()));
                    (open, gap) = (true, false);
                }
                words.last_mut().unwrap().1.extend(c.to_lowercase());
            }
        }
    }
    words
}

/// What shingles are made of: words, or their characters with one blank for each gap between two words.
fn naive_items(unit: ShingleUnit, text: &str) -> Vec<String> {
    let words = naive_words(text);
    if unit == ShingleUnit::Word {
        return words.into_iter().map(|(_, word)| word).collect();
    }
    let mut items = Vec::new();
    for (gap, word) in words {
        if gap && !items.is_empty() {
            items.push(" ".to_owned());
        }
        items.extend(word.chars().map(String::from));
    }
    items
}

fn naive_mix(keys: &Keys, a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let fold = match keys.way {
        Way::Polynomial { .. } => 1,
        Way::Joins { fold, .. } => fold,
    };
    (product % (1 << 64)) as u64 ^ ((product >> 64) as u64).wrapping_mul(fold)
}

/// The hash of one item: a folded product for each 16 bytes, the last ones padded with zeros, chained.
fn naive_hash(keys: &Keys, item: &str) -> u64 {
    let mut padded = item.as_bytes().to_vec();
    padded.resize(padded.len().next_multiple_of(16), 0);
    let lane = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    padded.chunks_exact(16).fold(0u64, |state, block| {
        let mixed = naive_mix(keys, lane(&block[..8]) ^ keys.word[0], lane(&block[8..]) ^ keys.word[1]);
        state.rotate_left(29).wrapping_mul(keys.chain).wrapping_add(mixed)
    })
}

/// The hash of some items, by the recursion of the definition.
fn naive_join(keys: &Keys, offsets: &[[u64; 2]], items: &[u64]) -> u64 {
    // The largest power of two below the number of items.
    let level = (0..8).rev().find(|&level| 1 << level < items.len()).unwrap_or(0);
    let half = 1 << level;
    let of = |part: &[u64]| if half == 1 { part[0] } else { naive_join(keys, offsets, part) };
    let [a, b] = offsets[level];
    naive_mix(keys, of(&items[..half]) ^ a, of(&items[items.len() - half..]) ^ b)
}

/// The hash of some items by the keys' way.
fn naive_shingle(keys: &Keys, items: &[u64]) -> u64 {
    match &keys.way {
        &Way::Polynomial { base } => {
            finalise(items.iter().fold(0u64, |p, &item| p.wrapping_mul(base).wrapping_add(item)))
        }
        Way::Joins { offsets, .. } => naive_join(keys, offsets, items),
    }
}

fn naive_keyed(keys: &Keys, spec: ShingleSpec, text: &str) -> Vec<u64> {
    let hashes: Vec<u64> = naive_items(spec.unit(), text).iter().map(|item| naive_hash(keys, item)).collect();
    if hashes.is_empty() {
        return Vec::new();
    }
    let width = spec.ngram().min(hashes.len());
    hashes.windows(width).map(|items| naive_shingle(keys, items)).collect()
}

fn naive(spec: ShingleSpec, text: &str) -> Vec<u64> {
    naive_keyed(&Keys::PUBLIC, spec, text)
}

fn word(ngram: usize) -> ShingleSpec {
    ShingleSpec::try_new(ShingleUnit::Word, ngram).unwrap()
}

fn char(ngram: usize) -> ShingleSpec {
    ShingleSpec::try_new(ShingleUnit::Char, ngram).unwrap()
}

fn fused(spec: ShingleSpec, set: InstructionSet, text: &str) -> Vec<u64> {
    fused_keyed(Keys::PUBLIC, spec, set, text)
}

fn fused_keyed(keys: Keys, spec: ShingleSpec, set: InstructionSet, text: &str) -> Vec<u64> {
    let mut shingles = Vec::new();
    Shingler::with_set(spec, keys, set).shingles_into(text, &mut shingles);
    shingles
}

/// Compares both passes over `text`; reports the first shingle that differs, not two lists of thousands.
fn compare(spec: ShingleSpec, text: &str) -> Result<(), String> {
    let expected = naive(spec, text);
    for set in InstructionSet::available() {
        let found = fused(spec, set, text);
        let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
        if differs.is_some() || found.len() != expected.len() {
            let (found, expected) = (found.len(), expected.len());
            let start: String = text.chars().take(80).collect();
            return Err(format!(
                "{set:?} {spec:?}: {found} shingles for {expected}, first difference at {differs:?} in {} bytes: {start:?}",
                text.len()
            ));
        }
    }
    Ok(())
}

#[track_caller]
fn assert_alike(text: &str, specs: &[ShingleSpec]) {
    for &spec in specs {
        if let Err(message) = compare(spec, text) {
            panic!("{message}");
        }
    }
}

/// Few, for the tests that try thousands of texts.
static FEW: LazyLock<[ShingleSpec; 2]> = LazyLock::new(|| [word(2), char(3)]);
static MANY: LazyLock<[ShingleSpec; 6]> =
    LazyLock::new(|| [word(1), word(5), word(256), char(1), char(5), char(256)]);

/// Text that puts `unit` at every offset of a block and of a chunk: `lead` ASCII bytes come before it.
fn after(lead: usize, unit: &str) -> String {
    let mut text = "ab Cd1 ".repeat(lead / 7 + 1);
    text.truncate(lead);
    text.push_str(unit);
    text
}

/// Every capital letter whose lower-case form has more bytes than it, and every one that becomes two characters.
static GROWING: LazyLock<Vec<char>> = LazyLock::new(|| {
    let lower = |c: char| c.to_lowercase().collect::<String>();
    ('\u{80}'..=char::MAX).filter(|&c| lower(c).len() > c.len_utf8()).collect()
});

fn piece() -> impl Strategy<Value = String> {
    let of = |chars: &[char]| prop::sample::select(chars.to_vec());
    let run = |c: BoxedStrategy<char>, most: usize| {
        prop::collection::vec(c, 0..most).prop_map(String::from_iter).boxed()
    };
    prop_oneof![
        6 => "[a-zA-Z0-9]{1,20}",
        4 => "[ -~]{0,30}",
        2 => "[ \t\n.,_]{1,70}",
        2 => "[a-z]{60,140}",
        2 => run(of(&['é', 'É', 'ß', 'ñ', 'Å', 'Ж', 'ж', 'Σ', 'ς', 'ǅ']).boxed(), 20),
        2 => run(of(&['漢', '字', 'ひ', 'カ', 'ー', 'ก', 'ิ', 'ລ', 'ខ', 'မ', '၁', '\u{20000}']).boxed(), 20),
        2 => run(of(&['\u{301}', '\u{307}', '\u{5B0}', '\u{20DD}', '\u{1F600}', '\u{200D}', '\u{FE0F}']).boxed(), 9),
        2 => run(of(&['\u{A0}', '“', '”', '—', '、', '\u{FEFF}', '\u{2028}', '\u{E000}']).boxed(), 12),
        1 => run(of(&['\0', '\u{1}', '\u{7F}', '\u{80}', '\u{9F}', '\r', '\u{1B}', '@', '[', '`', '{', '/', ':']).boxed(), 12),
        1 => run(of(&GROWING).boxed(), 40),
        1 => run(any::<char>().boxed(), 20),
        1 => (any::<char>(), 1..150usize).prop_map(|(c, n)| c.to_string().repeat(n)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    // Most texts are short, some are longer than a chunk and its neighbours.
    let short = prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat());
    let long = (prop::collection::vec(piece(), 1..12), 3_000..9_000usize)
        .prop_map(|(pieces, bytes)| pieces.concat().repeat(bytes / (pieces.concat().len() + 1) + 1));
    prop_oneof![4 => short, 1 => long]
}

fn spec() -> impl Strategy<Value = ShingleSpec> {
    let unit = prop_oneof![Just(ShingleUnit::Word), Just(ShingleUnit::Char)];
    let ngram = prop_oneof![8 => 1..8usize, 1 => Just(256usize)];
    (unit, ngram).prop_map(|(unit, ngram)| ShingleSpec::try_new(unit, ngram).unwrap())
}

fn keys() -> impl Strategy<Value = Keys> {
    prop_oneof![
        any::<u64>().prop_map(Keys::from_seed),
        prop::array::uniform21(any::<u64>()).prop_map(|numbers| Keys::from_numbers(&numbers)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_fused_pass_is_the_naive_one_with_any_keys(keys in keys(), text in text(), spec in spec()) {
        let expected = naive_keyed(&keys, spec, &text);
        for set in InstructionSet::available() {
            prop_assert!(fused_keyed(keys, spec, set, &text) == expected, "{:?} {:?}", set, spec);
        }
    }

    #[test]
    fn the_fused_pass_is_the_naive_one(text in text(), spec in spec()) {
        prop_assert_eq!(compare(spec, &text), Ok(()));
    }

    #[test]
    fn a_run_outside_ascii_may_start_anywhere_in_a_block_and_a_chunk(
        lead in prop_oneof![0..200usize, 4_000..4_300usize, 8_100..8_400usize],
        run in piece(), tail in piece(), spec in spec(),
    ) {
        prop_assert_eq!(compare(spec, &after(lead, &format!("é{run}漢{tail}"))), Ok(()));
    }

    #[test]
    fn a_shingler_remembers_nothing_of_the_document_before(texts in prop::collection::vec(text(), 2..5), spec in spec()) {
        let mut shingler = Shingler::new(spec);
        for text in &texts {
            let mut shingles = Vec::new();
            shingler.shingles_into(text, &mut shingles);
            prop_assert!(shingles == naive(spec, text));
        }
    }
}

/// Where each word of `text` ends, by the definition.
fn naive_ends(text: &str) -> Vec<u32> {
    let (mut ends, mut open) = (Vec::new(), None);
    for (at, c) in text.char_indices() {
        let class = tables::class(c as u32);
        if class == tables::SEPARATOR || class == tables::SOLO {
            ends.extend(open.take());
        }
        match class {
            tables::SEPARATOR => {}
            tables::SOLO => ends.push((at + c.len_utf8()) as u32),
            _ => open = Some((at + c.len_utf8()) as u32),
        }
    }
    ends.extend(open);
    ends
}

proptest! {
    #[test]
    fn a_window_is_a_text_of_its_own_that_knows_where_its_words_end(
        lead in 0..200usize, run in piece(), tail in piece(), ngram in 1..7usize,
    ) {
        let mut text = after(lead, &format!("é{run}漢{tail}"));
        text.truncate(text.floor_char_boundary(Window::MAX));
        for set in InstructionSet::available() {
            let mut window = Window::default();
            Shingler::with_set(word(ngram), Keys::PUBLIC, set).window(&text, &mut window);
            let ends = naive_ends(&text);
            let expected = if ends.len() < ngram { Vec::new() } else { naive(word(ngram), &text) };
            prop_assert_eq!(&window.word_ends, &ends);
            prop_assert_eq!(&window.shingles, &expected);
        }
    }
}

#[test]
fn every_length_up_to_200_of_every_pattern() {
    for pattern in [
        "a",
        "A ",
        "ab, ",
        "é",
        "é ",
        "漢",
        "a漢",
        "é漢",
        "aé",
        " \u{A0}",
        "İ",
        "a\u{301} ",
        "\0x",
        "👍",
        "The cat (1) ",
    ] {
        for length in 0..=200 {
            assert_alike(&pattern.chars().cycle().take(length).collect::<String>(), &*MANY);
        }
    }
}

#[test]
fn every_character_between_letters_blanks_and_its_like_at_the_ends_of_blocks() {
    // Runs of neighbours of one page, and each character beside ASCII, at three distances to the end of a block.
    let all: Vec<char> = ('\u{80}'..'\u{3_0000}').chain('\u{E_0000}'..'\u{E_0200}').collect();
    for (turn, some) in all.chunks(97).enumerate() {
        let mut text = "x".repeat(turn % 67);
        for (place, &c) in some.iter().enumerate() {
            text.push(c);
            match place % 5 {
                0 => text.push('a'),
                1 => text.push(' '),
                2 => text.extend(['Q', c, c]),
                _ => {}
            }
        }
        assert_alike(&text, &FEW[..1]);
    }
}

#[test]
fn every_growing_capital_at_every_offset_around_the_end_of_a_chunk() {
    assert!(GROWING.contains(&'İ') && GROWING.contains(&'Ⱥ'));
    let growing: String = GROWING.iter().collect();
    for lead in 4_080..4_110 {
        for &capital in GROWING.iter() {
            assert_alike(&after(lead, &capital.to_string().repeat(9)), &FEW[..1]);
        }
        assert_alike(&after(lead, &growing), &*FEW);
    }
}

#[test]
fn words_about_as_long_as_a_chunk_and_its_half_keep_their_hash() {
    for length in [15, 16, 17, 2047, 2048, 2049, 2064, 4095, 4096, 4097, 4112, 8192, 10_000] {
        let long: String = (0..length).map(|i| char::from(b'a' + (i % 23) as u8)).collect();
        assert_alike(&long, &*MANY);
        for lead in [0, 1, 63, 64, 65, 2047, 2048, 4079, 4080, 4095, 4096] {
            let front = after(lead, " ");
            assert_alike(&format!("{front}{long} tail {long}"), &*FEW);
            assert_alike(&format!("{front}{}", long.replace('w', "é")), &*FEW);
        }
    }
}

#[test]
fn a_word_of_every_length_straddles_the_end_of_a_chunk_at_every_place() {
    for length in 1..40 {
        for before in 0..length {
            let text = format!(
                "{} {} end",
                after(4095 - before, ""),
                "Xy1".repeat(length)[..length].to_owned() + "é"
            );
            assert_alike(&text, &*FEW);
        }
    }
}

#[test]
fn one_word_of_200_kilobytes_has_the_hash_of_its_bytes() {
    for unit in ["abcdefghij", "Äö", "aé", "İ", "\u{301}", "𐐀"] {
        let text = unit.repeat(200_000 / unit.len());
        assert_eq!(fused(word(5), InstructionSet::best(), &text).len(), 1);
        assert_alike(&text, &*FEW);
    }
}

#[test]
fn the_densest_bounds_and_items_fit_the_buffers() {
    // A bound a byte is the most there is: letters between separators, or before a character that is a word itself.
    let units =
        ["a ", "aก", "éก", "ก", "漢", "ก ", "a\u{A0}", "\u{A0}", "İ ", "Ⱥก", "a", "漢\u{A0}", "\u{10400}ก"];
    for unit in units {
        for lead in [0, 1, 2, 3, 62, 63, 64, 65, 4_093, 4_094, 4_095, 4_096] {
            assert_alike(&after(lead, &unit.repeat(4_500 / unit.len())), &*FEW);
        }
        // As dense a start, so that a chunk is full of bounds wherever its last block or character begins.
        for lead in 0..70 {
            let dense: String = "a\u{A0}".chars().cycle().take(lead).collect();
            assert_alike(&(dense.clone() + &unit.repeat(4_500 / unit.len())), &*FEW);
            assert_alike(&(dense + &"a ".repeat(2_000) + &unit.repeat(100)), &FEW[..1]);
        }
        assert_alike(&unit.repeat(9_000), &*MANY);
    }
}

#[test]
fn text_without_a_word_has_no_shingle() {
    for text in ["", " ", "...", "\0\0\0", "\u{A0}\u{2028}", "👍🏽", "—", "、。", "\u{FEFF}", "_'-"] {
        for repeat in [1, 64, 5_000] {
            assert_alike(&text.repeat(repeat), &*MANY);
            assert_eq!(fused(word(5), InstructionSet::best(), &text.repeat(repeat)), [0u64; 0]);
        }
    }
}

#[test]
fn nul_bytes_split_words_like_any_other_separator() {
    for (with, without) in [("a\0b", "a b"), ("\0a\0\0b\0", "a b"), ("abc\0", "abc"), ("é\0漢\0", "é 漢")]
    {
        for spec in [word(1), word(5), char(3)] {
            assert_eq!(
                fused(spec, InstructionSet::best(), with),
                fused(spec, InstructionSet::best(), without)
            );
        }
        assert_alike(with, &*MANY);
    }
    assert_ne!(naive_hash(&Keys::PUBLIC, "a"), naive_hash(&Keys::PUBLIC, "a\0b"));
}

#[test]
fn words_known_by_heart() {
    let words = |text| naive_words(text).into_iter().map(|(_, word)| word).collect::<Vec<_>>();
    assert_eq!(words("The CAT's, 2nd!"), ["the", "cat", "s", "2nd"]);
    assert_eq!(words("ΣΑΣ İx e\u{301}t"), ["σασ", "i\u{307}x", "e\u{301}t"]);
    assert_eq!(words("go東京 ก\u{E34}"), ["go", "東", "京", "ก", "\u{E34}"]);
    assert_eq!(naive_items(ShingleUnit::Char, " a, b漢 字 "), ["a", " ", "b", "漢", " ", "字"]);
}
