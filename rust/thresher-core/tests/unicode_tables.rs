//! The committed class table: equal to what its generator writes, and to the definition for every code point.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_script::UnicodeScript;

#[path = "../examples/unicode_tables.rs"]
#[expect(dead_code, reason = "the generator is a program, and its `main` is not called here")]
mod generator;

#[path = "../src/text/tables.rs"]
mod tables;

use tables::{SEPARATOR, SOLO, WORD, WORD_WITH_LOWER, class};

const SOLO_SCRIPTS: [&str; 7] = ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"];

fn characters() -> impl Iterator<Item = char> {
    ('\0'..=char::MAX).filter(|c| c.general_category_group() != GeneralCategoryGroup::Other || c.is_control())
}

#[test]
fn committed_table_is_what_the_generator_writes() {
    let fresh = generator::render().expect("the sources agree on their Unicode version");
    let committed = include_str!("../src/text/tables.rs").replace("\r\n", "\n");
    assert!(
        fresh == committed,
        "src/text/tables.rs differs from its generator: run the example unicode_tables and read the diff"
    );
}

#[test]
fn all_sources_follow_the_version_of_the_table() {
    let (major, minor, update) = tables::UNICODE_VERSION;
    let version = (u64::from(major), u64::from(minor), u64::from(update));
    assert_eq!(unicode_properties::UNICODE_VERSION, version);
    assert_eq!(unicode_script::UNICODE_VERSION, version);
    assert!(char::UNICODE_VERSION >= tables::UNICODE_VERSION);
}

#[test]
fn every_character_has_the_class_of_the_definition() {
    for c in characters() {
        let is_mark = c.general_category_group() == GeneralCategoryGroup::Mark;
        let is_word = c.is_alphabetic() || c.is_numeric() || is_mark;
        let is_solo = SOLO_SCRIPTS.contains(&c.script().full_name());
        let has_lower = c.to_lowercase().to_string() != c.to_string();
        let expected = match (is_word, is_solo, has_lower) {
            (false, ..) => SEPARATOR,
            (true, true, _) => SOLO,
            (true, false, true) => WORD_WITH_LOWER,
            (true, false, false) => WORD,
        };
        assert_eq!(class(c as u32), expected, "U+{:04X}", c as u32);
    }
}

#[test]
fn no_solo_character_has_a_lower_case_form() {
    for c in characters().filter(|&c| class(c as u32) == SOLO) {
        assert!(c.to_lowercase().eq([c]), "U+{:04X}", c as u32);
    }
}

#[test]
fn classes_known_by_heart() {
    for (character, expected) in [
        ('a', WORD),
        ('A', WORD_WITH_LOWER),
        ('7', WORD),
        ('½', WORD),
        ('_', SEPARATOR),
        ('\'', SEPARATOR),
        ('\u{0}', SEPARATOR),
        ('\u{A0}', SEPARATOR),
        ('\u{FEFF}', SEPARATOR),
        ('\u{200D}', SEPARATOR),
        ('\u{301}', WORD),
        ('\u{24B6}', WORD_WITH_LOWER),
        ('İ', WORD_WITH_LOWER),
        ('Σ', WORD_WITH_LOWER),
        ('ß', WORD),
        ('한', WORD),
        ('漢', SOLO),
        ('々', SOLO),
        ('〇', SOLO),
        ('ひ', SOLO),
        ('カ', SOLO),
        // Shared by both kana scripts, so its Script property is Common.
        ('ー', WORD),
        ('、', SEPARATOR),
        ('ก', SOLO),
        ('\u{E34}', SOLO),
        ('ລ', SOLO),
        ('ខ', SOLO),
        ('မ', SOLO),
        ('၁', SOLO),
        ('\u{E000}', SEPARATOR),
        ('\u{1F600}', SEPARATOR),
        ('\u{20000}', SOLO),
        ('\u{10FFFF}', SEPARATOR),
    ] {
        assert_eq!(class(character as u32), expected, "U+{:04X}", character as u32);
    }
}

#[test]
fn unused_surrogate_and_impossible_code_points_are_separators() {
    let unassigned = (0..=0x11_FFFF_u32).filter(|&p| {
        char::from_u32(p).is_none_or(|c| c.general_category_group() == GeneralCategoryGroup::Other)
    });
    for code_point in unassigned.chain([0x1F_FFFF, 0x20_0041, 0x8000_0041, u32::MAX]) {
        assert_eq!(class(code_point), SEPARATOR, "{code_point:#X}");
    }
}
