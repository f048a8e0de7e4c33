//! Writes `src/text/tables.rs`, the class of every code point in hash scheme 2.
//!
//! Run `cargo run -p thresher-core --example unicode_tables` and read the diff before keeping it: another
//! class for one assigned character is another hash scheme. `tests/unicode_tables.rs` calls [`render`] too
//! and compares its answer with the committed file, so the two cannot drift apart.
//!
//! The facts come from three sources of one Unicode version: Alphabetic and lower-case mapping from `std`,
//! `General_Category` from `unicode-properties`, Script from `unicode-script`. A newer `std` changes nothing
//! by itself, because characters that the two crates do not know yet stay separators.

use std::{collections::HashMap, error::Error, fmt::Write, fs, path::Path};

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

const SEPARATOR: u8 = 0;
const WORD: u8 = 1;
const WORD_WITH_LOWER: u8 = 2;
const SOLO: u8 = 3;

const CODE_POINTS: u32 = 0x11_0000;

/// Characters a block: 128 gives the smallest sum of both stages (37.9 KB; 64: 38.5 KB, 256: 39.9 KB).
const BLOCK: usize = 128;

/// The docs and imports of the generated file, up to its version.
const HEAD: &str = "\
//! The class of every code point in hash scheme 2: separator, word, word with a lower-case form, solo.
//!
//! Written by `examples/unicode_tables.rs`; a test compares the two, so change that file and run it again.
//!
//! A lookup is two loads: `code_point >> 7` names a block, the low seven bits a class inside it. Equal blocks
//! are stored once, which leaves BLOCK_COUNT of 8704. The source packs a class in two bits (the first one
//! of a block in the highest pair, so a row reads from left to right) and a run of equal block numbers in one
//! pair; the compiler unpacks both into the byte tables that are searched, 41 KB in all.
";

/// The code of the generated file, between its version and its two tables.
const BODY: &str = "\
/// Splits words and belongs to none.
pub(crate) const SEPARATOR: u8 = 0;
/// Part of a word, and its own lower-case form.
#[allow(dead_code, reason = \"the scanner takes it as what is left; the tests name it\")]
pub(crate) const WORD: u8 = 1;
/// Part of a word; `char::to_lowercase` gives something else.
pub(crate) const WORD_WITH_LOWER: u8 = 2;
/// A word of its own: a word character of a script that is written without blanks, never with case.
pub(crate) const SOLO: u8 = 3;

/// The class of `code_point`; surrogates, unassigned and impossible code points are separators.
#[inline(always)]
pub(crate) fn class(code_point: u32) -> u8 {
    match INDEX.get((code_point >> 7) as usize) {
        // A `u8` cannot pass 256 blocks, nor seven bits 128 classes: no further bounds check is left.
        Some(&block) => BLOCKS[block as usize][(code_point & 0x7F) as usize],
        None => SEPARATOR,
    }
}

/// The block of each 128 code points.
static INDEX: [u8; 0x11_0000 >> 7] = unpack_index();

/// The classes of each distinct block, padded to all values of a `u8`.
static BLOCKS: [[u8; 128]; 256] = unpack_blocks();

const fn unpack_index() -> [u8; 0x11_0000 >> 7] {
    let mut index = [0; 0x11_0000 >> 7];
    let (mut run, mut at) = (0, 0);
    while run < INDEX_RUNS.len() {
        let end = at + INDEX_RUNS[run].0 as usize;
        while at < end {
            index[at] = INDEX_RUNS[run].1;
            at += 1;
        }
        run += 1;
    }
    assert!(at == index.len(), \"the runs cover every code point\");
    index
}

#[expect(clippy::large_stack_arrays, reason = \"runs in the compiler, where no stack is at stake\")]
const fn unpack_blocks() -> [[u8; 128]; 256] {
    let mut blocks = [[SEPARATOR; 128]; 256];
    let mut block = 0;
    while block < PACKED_BLOCKS.len() {
        let mut at = 0;
        while at < 128 {
            let half = PACKED_BLOCKS[block][at / 64];
            blocks[block][at] = (half >> (126 - 2 * (at % 64))) as u8 & 3;
            at += 1;
        }
        block += 1;
    }
    blocks
}
";

/// The class of one code point, from the properties.
fn class(code_point: u32) -> Result<u8, String> {
    let Some(character) = char::from_u32(code_point) else { return Ok(SEPARATOR) };
    if character.general_category() == GeneralCategory::Unassigned {
        return Ok(SEPARATOR);
    }
    let is_word = character.is_alphabetic()
        || matches!(
            character.general_category_group(),
            GeneralCategoryGroup::Number | GeneralCategoryGroup::Mark
        );
    if !is_word {
        return Ok(SEPARATOR);
    }
    let is_solo = matches!(
        character.script(),
        Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
    );
    let has_lower = !character.to_lowercase().eq([character]);
    match (is_solo, has_lower) {
        (false, false) => Ok(WORD),
        (false, true) => Ok(WORD_WITH_LOWER),
        (true, false) => Ok(SOLO),
        (true, true) => Err(format!("`U+{code_point:04X}` is solo and has a lower-case form: add a class")),
    }
}

/// The whole text of `src/text/tables.rs`.
pub(crate) fn render() -> Result<String, Box<dyn Error>> {
    let (major, minor, update) = unicode_properties::UNICODE_VERSION;
    if unicode_script::UNICODE_VERSION != (major, minor, update) {
        return Err("unicode-properties and unicode-script follow different versions of Unicode".into());
    }
    let (std_major, ..) = char::UNICODE_VERSION;
    if u64::from(std_major) < major {
        return Err(format!("std knows Unicode {std_major}, the tables need {major}").into());
    }

    let classes = (0..CODE_POINTS).map(class).collect::<Result<Vec<u8>, String>>()?;
    let mut blocks: Vec<&[u8]> = Vec::new();
    let mut number_of = HashMap::new();
    let mut runs: Vec<(u16, u8)> = Vec::new();
    for block in classes.chunks_exact(BLOCK) {
        let number = *number_of.entry(block).or_insert_with(|| {
            blocks.push(block);
            blocks.len() - 1
        });
        let number = u8::try_from(number).map_err(|_| "more than 256 distinct blocks: widen the index")?;
        match runs.last_mut() {
            Some((count, last)) if *last == number => *count += 1,
            _ => runs.push((1, number)),
        }
    }

    let mut text = HEAD.replace("BLOCK_COUNT", &blocks.len().to_string());
    writeln!(
        text,
        "\n/// The version of Unicode the classes are taken from; another one is another hash scheme."
    )?;
    writeln!(text, "pub(crate) const UNICODE_VERSION: (u8, u8, u8) = ({major}, {minor}, {update});\n")?;
    text.push_str(BODY);
    writeln!(text, "\n/// How many blocks in a row have which number.\n#[rustfmt::skip]")?;
    writeln!(text, "const INDEX_RUNS: [(u16, u8); {}] = [", runs.len())?;
    for row in runs.chunks(10) {
        let cells: Vec<String> = row.iter().map(|(count, number)| format!("({count}, {number}),")).collect();
        writeln!(text, "    {}", cells.join(" "))?;
    }
    writeln!(text, "];\n\n/// The classes of each distinct block, two bits a character.\n#[rustfmt::skip]")?;
    writeln!(text, "const PACKED_BLOCKS: [[u128; 2]; {}] = [", blocks.len())?;
    for block in blocks {
        let (left, right) = block.split_at(BLOCK / 2);
        writeln!(text, "    [{}, {}],", packed(left), packed(right))?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

/// 64 classes as one literal, first class highest.
fn packed(classes: &[u8]) -> String {
    let groups = classes.chunks(8).map(|group| group.iter().fold(0_u16, |bits, &c| bits << 2 | u16::from(c)));
    let digits: Vec<String> = groups.map(|bits| format!("{bits:04x}")).collect();
    format!("0x{}", digits.join("_"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/text/tables.rs");
    fs::write(path, render()?)?;
    Ok(())
}
