//! Token files against a naive builder of the same layout.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use thresher_tokens::layout::megatron::MAGIC;

use super::*;
use crate::runs::Progress;

/// Documents, each of sequences of ids, with a mode each if there are any.
type Documents = Vec<Vec<Vec<u32>>>;

/// The two files, put together from the text of the layout and nothing else.
fn write(path: &Path, code: u8, documents: &Documents, has_modes: bool) {
    let width = if code == 8 { 2 } else { 4 };
    let sequences: Vec<&Vec<u32>> = documents.iter().flatten().collect();
    let bin: Vec<u8> =
        sequences.iter().copied().flatten().flat_map(|id| id.to_le_bytes()[..width].to_vec()).collect();
    let mut index = MAGIC.to_vec();
    index.extend(1_u64.to_le_bytes());
    index.push(code);
    index.extend((sequences.len() as u64).to_le_bytes());
    index.extend((documents.len() as u64 + 1).to_le_bytes());
    index.extend(sequences.iter().flat_map(|one| (one.len() as i32).to_le_bytes()));
    let mut at = 0_i64;
    for one in &sequences {
        index.extend(at.to_le_bytes());
        at += (one.len() * width) as i64;
    }
    let mut count = 0_i64;
    index.extend(count.to_le_bytes());
    for document in documents {
        count += document.len() as i64;
        index.extend(count.to_le_bytes());
    }
    if has_modes {
        index.extend(sequences.iter().enumerate().map(|(at, _)| at as u8 % 3 + 1));
    }
    fs::write(path.with_extension("bin"), bin).unwrap();
    fs::write(path.with_extension("idx"), index).unwrap();
}

fn merged(dir: &Path, inputs: &[&str], overwrite: bool) -> Result<MergeReport> {
    let name = |name: &str| dir.join(name).display().to_string();
    let inputs = inputs.iter().map(|input| name(input)).collect();
    merge(&MergeRun { inputs, output: name("all"), overwrite }, &Progress::default())
}

fn documents() -> impl Strategy<Value = Documents> {
    let ids = proptest::collection::vec(0_u32..65_536, 0..4);
    proptest::collection::vec(proptest::collection::vec(ids, 0..4), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_merge_has_the_bytes_of_one_file_of_all_documents(a in documents(), b in documents(), c in documents()) {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for (name, some) in [("a", &a), ("b", &b), ("c", &c)] {
            write(&dir.join(name), 8, some, false);
        }
        let all: Documents = [a, b, c].concat();
        write(&dir.join("wanted"), 8, &all, false);
        let report = merged(dir, &["a.bin", "b.idx", "c"], false).unwrap();
        for end in ["bin", "idx"] {
            let read = |name: &str| fs::read(dir.join(name).with_extension(end)).unwrap();
            prop_assert_eq!(read("all"), read("wanted"));
        }
        let tokens: usize = all.iter().flatten().map(Vec::len).sum();
        prop_assert_eq!((report.documents, report.tokens), (all.len() as u64, tokens as u64));
        TokenFile::open(&dir.join("all")).unwrap().check(&|| Ok(())).unwrap();
    }
}

#[test]
fn files_of_two_widths_become_the_wider_one_and_modes_stay() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(&dir.join("a"), 8, &vec![vec![vec![65_535, 1]]], false);
    write(&dir.join("b"), 4, &vec![vec![vec![100_000], vec![2]]], true);
    assert_eq!(merged(dir, &["a", "b"], false).unwrap().dtype, "int32");
    let all = TokenFile::open(&dir.join("all.bin")).unwrap();
    assert_eq!(all.ids(0..4).unwrap(), [65_535, 1, 100_000, 2]);
    assert_eq!(all.lengths(0..3).unwrap(), [2, 1, 1]);
    assert!(fs::read(dir.join("all.idx")).unwrap().ends_with(&[0, 1, 2]));
}

#[test]
fn a_merge_replaces_nothing_unasked_and_never_an_input() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(&dir.join("a"), 8, &vec![vec![vec![1]]], false);
    merged(dir, &["a"], false).unwrap();
    assert!(merged(dir, &["a"], false).unwrap_err().to_string().contains("is there already"));
    assert!(merged(dir, &["a", "all"], true).unwrap_err().to_string().contains("is an input too"));
    assert_eq!(merged(dir, &["a", "a"], true).unwrap().tokens, 2);
    assert!(merged(dir, &[], true).unwrap_err().to_string().contains("no input"));
}

#[test]
fn an_index_and_tokens_that_do_not_agree_are_refused_before_anything_is_written() {
    type Damage<'d> = &'d dyn Fn(&mut Vec<u8>, &mut Vec<u8>);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let said_of = |what: Damage<'_>| {
        write(&dir.join("a"), 8, &vec![vec![vec![1, 2], vec![3]], vec![vec![4]]], false);
        let [bin, index] = ["a.bin", "a.idx"].map(|name| dir.join(name));
        let (mut tokens, mut stored) = (fs::read(&bin).unwrap(), fs::read(&index).unwrap());
        what(&mut tokens, &mut stored);
        fs::write(bin, tokens).unwrap();
        fs::write(index, stored).unwrap();
        merged(dir, &["a"], true).unwrap_err().to_string()
    };
    for (says, what) in [
        ("whole number", &(|bin: &mut Vec<u8>, _: &mut Vec<u8>| bin.truncate(7)) as Damage<'_>),
        ("it has 6 bytes", &|bin: &mut Vec<u8>, _: &mut _| bin.truncate(6)),
        ("negative", &|_: &mut _, index: &mut Vec<u8>| index[37] = 0x80),
        ("its pointer is `5`", &|_: &mut _, index: &mut Vec<u8>| index[34 + 12 + 8] = 5),
        ("has to be 0", &|_: &mut _, index: &mut Vec<u8>| index[34 + 12 + 24] = 1),
        ("ends at sequence 2", &|_: &mut _, index: &mut Vec<u8>| index[34 + 12 + 24 + 16] = 2),
        ("do not make", &|_: &mut _, index: &mut Vec<u8>| index.truncate(index.len() - 1)),
        ("does not begin", &|_: &mut _, index: &mut Vec<u8>| index.clear()),
    ] {
        let said = said_of(what);
        assert!(said.contains(says), "{said}");
        assert!(!dir.join("all.bin").exists());
    }
}
