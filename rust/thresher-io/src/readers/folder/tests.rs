use std::fs::File;

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::readers::testing::{self, fields, units};

/// A folder with files of the given names and contents.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn open(dir: &TempDir, globs: &[&str]) -> FolderInput {
    let globs: Vec<_> = globs.iter().map(|&glob| glob.to_owned()).collect();
    FolderInput::open(dir.path(), "corpus", &globs, DEFAULT_MAX_FILE_BYTES, &|_| false).unwrap()
}

/// What a visitor saw of one document.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Good { slot: u32, id: String, text: String, bytes: u64 },
    Bad { slot: u32, reason: Reason, detail: String, raw: Vec<u8>, bytes: u64 },
}

impl Visitor for Vec<Seen> {
    fn record(&mut self, r: Record<'_>) -> Result<()> {
        let Some(Scalar::Text(id)) = r.id else { panic!("no id") };
        self.push(Seen::Good { slot: r.slot, id: id.to_owned(), text: r.text.to_owned(), bytes: r.bytes });
        Ok(())
    }

    fn bad(&mut self, b: BadRecord<'_>) -> Result<()> {
        assert_eq!(b.offset, 0);
        let raw = b.raw.to_vec();
        self.push(Seen::Bad { slot: b.slot, reason: b.reason, detail: b.detail, raw, bytes: b.bytes });
        Ok(())
    }
}

fn read(input: &FolderInput, unit: &Unit, wanted: Option<&SlotMask>) -> Vec<Seen> {
    let fields = fields("text", None, None);
    let mut seen = Vec::new();
    input.read(unit, &fields, wanted, &mut Scratch::default(), &mut seen).unwrap();
    seen
}

fn read_all(input: &FolderInput) -> Vec<Seen> {
    units(input).iter().flat_map(|unit| read(input, unit, None)).collect()
}

fn names(input: &FolderInput) -> Vec<String> {
    input.files.iter().map(|file| file.name.to_string()).collect()
}

#[test]
fn documents_come_sorted_by_path_with_text_id_and_size() {
    let dir =
        folder(&[("b", b"two"), ("a/z", b""), ("a.txt", "\u{feff}o\u{308}ne\0\r\n".as_bytes()), ("B", b"x")]);
    let input = open(&dir, &[]);
    let good =
        |slot, id: &str, text: &str, bytes| Seen::Good { slot, id: id.into(), text: text.into(), bytes };
    let want = [
        good(0, "B", "x", 1),
        good(1, "a.txt", "o\u{308}ne\0\r\n", 11),
        good(2, "a/z", "", 0),
        good(3, "b", "two", 3),
    ];
    assert_eq!(read_all(&input), want);
    assert_eq!((input.size_on_disk(), input.n_files(), input.name()), (15, 4, "corpus"));
    assert_eq!((input.name_of_file(2), input.name_of_file(4)), ("a/z", ""));
}

#[test]
fn an_empty_folder_has_no_unit() {
    let dir = tempdir().unwrap();
    let input = open(&dir, &[]);
    assert_eq!((units(&input).len(), input.size_on_disk(), input.name_of_file(0)), (0, 0, ""));
}

#[test]
fn hidden_files_need_a_pattern_that_names_a_hidden_part() {
    let all: &[(&str, &[u8])] = &[
        (".env", b""),
        (".git/config", b""),
        ("a/.x/b.py", b""),
        ("a/c.py", b""),
        ("d.PY", b""),
        ("e,.f", b""),
    ];
    let dir = folder(all);
    for (globs, want) in [
        (&[][..], &["a/c.py", "d.PY", "e,.f"][..]),
        (&["*"], &["a/c.py", "d.PY", "e,.f"]),
        (&["**/*.py"], &["a/c.py"]),
        (&["*.py"], &["a/c.py"]),
        (&["./a/*.py"], &["a/c.py"]),
        (&["*/*"], &["a/c.py"]),
        (&[".env"], &[".env"]),
        (&[".git/**"], &[".git/config"]),
        (&["./.git/*", "d.*"], &[".git/config", "d.PY"]),
        (&["a/.x/*.py", "a/**"], &["a/.x/b.py", "a/c.py"]),
        (&["{.env,d.PY}"], &[".env", "d.PY"]),
        (&["[a-d]/**/[!b].p?"], &["a/c.py"]),
        (&["nothing"], &[]),
    ] {
        assert_eq!(names(&open(&dir, globs)), want, "{globs:?}");
    }
}

#[test]
fn a_star_stays_in_its_folder_and_two_do_not() {
    let dir = folder(&[("a/b.py", b""), ("a/c/d.py", b""), ("e.py", b"")]);
    for (glob, want) in [
        ("a/*.py", &["a/b.py"][..]),
        ("a/**/*.py", &["a/b.py", "a/c/d.py"]),
        ("*/*.py", &["a/b.py"]),
        ("*.py", &["a/b.py", "a/c/d.py", "e.py"]),
        ("a/**", &["a/b.py", "a/c/d.py"]),
    ] {
        assert_eq!(names(&open(&dir, &[glob])), want, "{glob}");
    }
}

#[test]
fn bad_patterns_are_refused_by_name() {
    let dir = tempdir().unwrap();
    for glob in ["", "./", "/etc/*", "../*", "a/../b", "[", "{a", "a[z-"] {
        let error = FolderInput::open(dir.path(), "x", &[glob.to_owned()], 1, &|_| false).err().expect(glob);
        assert!(
            matches!(error, Error::Parameter(_)) && error.to_string().contains(&format!("`{glob}`")),
            "{error}"
        );
    }
}

#[test]
fn a_folder_that_is_none_is_an_error() {
    let dir = folder(&[("file", b"")]);
    for name in ["missing", "file"] {
        let error =
            FolderInput::open(&dir.path().join(name), "x", &[], 1, &|_| false).err().unwrap().to_string();
        assert!(error.starts_with("cannot list"), "{error}");
    }
}

#[test]
fn binary_files_are_set_aside_with_their_head() {
    let mut long = vec![b'a'; 100_000];
    long[70_000] = 0xff;
    let dir = folder(&[("1", b"ok\xc3"), ("2", &long), ("3", b"good")]);
    let seen = read_all(&open(&dir, &[]));
    let bad = |slot, at, raw: &[u8], bytes| Seen::Bad {
        slot,
        reason: Reason::InvalidUtf8,
        detail: format!("invalid UTF-8 at byte {at}"),
        raw: raw.to_vec(),
        bytes,
    };
    assert_eq!(seen[0], bad(0, 2, b"ok\xc3", 3));
    assert_eq!(seen[1], bad(1, 70_000, &long[..65_536], 100_000));
    assert!(matches!(&seen[2], Seen::Good { slot: 2, .. }));
}

#[test]
fn a_file_over_the_limit_is_set_aside_and_one_at_it_is_not() {
    let dir = folder(&[("a", b"12345678"), ("b", b"123456789"), ("c", &vec![b'x'; 200_000])]);
    let input = FolderInput::open(dir.path(), "x", &[], 8, &|_| false).unwrap();
    let seen = read_all(&input);
    assert!(matches!(&seen[0], Seen::Good { bytes: 8, .. }));
    let parts = |seen: &Seen| match seen {
        Seen::Bad { reason, raw, bytes, .. } => (*reason, raw.len(), *bytes),
        Seen::Good { .. } => panic!("{seen:?}"),
    };
    assert_eq!(parts(&seen[1]), (Reason::TooLong, 9, 9));
    assert_eq!(parts(&seen[2]), (Reason::TooLong, 65_536, 200_000));
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_grows_over_the_limit_is_noticed() {
    // Files of /proc say that they are empty and are not.
    let mut buffer = Vec::new();
    assert_eq!(read_file(Path::new("/proc/self/status"), 8, &mut buffer).unwrap(), 9);
}

#[test]
fn vanished_and_replaced_files_are_set_aside() {
    let dir = folder(&[("a", b"text"), ("b", b"text"), ("c", b"text")]);
    let input = open(&dir, &[]);
    fs::remove_file(dir.path().join("a")).unwrap();
    fs::remove_file(dir.path().join("b")).unwrap();
    fs::create_dir(dir.path().join("b")).unwrap();
    let seen = read_all(&input);
    for (at, words) in [(0, "cannot be read: "), (1, "no regular file")] {
        let Seen::Bad { reason: Reason::Corrupt, detail, raw, bytes: 4, .. } = &seen[at] else {
            panic!("{seen:?}")
        };
        assert!(detail.contains(words) && raw.is_empty(), "{detail}");
    }
    assert!(matches!(&seen[2], Seen::Good { .. }));
}

#[test]
#[cfg(unix)]
fn what_may_not_be_opened_is_set_aside() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder(&[("a/file", b"text"), ("b", b"text"), ("c", b"text")]);
    let set = |name: &str, mode| {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("a", 0);
    set("b", 0);
    let is_root = File::open(dir.path().join("b")).is_ok();
    let seen = read_all(&open(&dir, &["*"]));
    set("a", 0o755);
    let bad: Vec<_> =
        seen.iter().filter(|seen| matches!(seen, Seen::Bad { reason: Reason::Corrupt, .. })).collect();
    // Root may open everything.
    assert_eq!(bad.len(), if is_root { 0 } else { 2 });
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_file_that_cannot_be_looked_at_stays_in_the_list_as_a_bad_record() {
    let dir = folder(&[("c", b"text")]);
    let mut input = open(&dir, &[]);
    input.files[0].fault = Some("cannot be looked at: permission denied".into());
    let seen = read_all(&input);
    let Seen::Bad { reason: Reason::Corrupt, detail, .. } = &seen[0] else { panic!("{seen:?}") };
    assert!(detail.starts_with("cannot be looked at"));
}

#[test]
#[cfg(unix)]
fn links_are_followed_once_and_pipes_and_sockets_are_no_documents() {
    use std::os::unix::fs::symlink;
    let dir = folder(&[("real/a", b"text"), ("real/b", b"more")]);
    let outside = folder(&[("x", b"outside"), ("deep/y", b"deep")]);
    symlink(outside.path().join("x"), dir.path().join("file-link")).unwrap();
    symlink(outside.path(), dir.path().join("folder-link")).unwrap();
    symlink(dir.path(), dir.path().join("real/loop")).unwrap();
    symlink("b", dir.path().join("real/another")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let input = open(&dir, &[]);
    assert_eq!(names(&input), ["file-link", "folder-link/deep/y", "real/a", "real/b"]);
    assert!(matches!(&read_all(&input)[0], Seen::Good { text, .. } if text == "outside"));
    let piece = input.copy(units(&input).remove(0), &[true; 4], &mut Scratch::default()).unwrap();
    assert!(matches!(piece, Piece::Files(files) if files.len() == 4));
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    assert!(matches!(&read_all(&open(&dir, &[]))[0], Seen::Bad { reason: Reason::Corrupt, .. }));
}

/// Each folder leads to the next one twice, so that there are 2^40 ways to the last.
#[test]
#[cfg(unix)]
fn links_to_links_make_no_folder_of_any_size() {
    let dir = folder(&[("f00/a", b"text")]);
    for level in 1..=40 {
        let at = dir.path().join(format!("f{level:02}"));
        fs::create_dir(&at).unwrap();
        for link in ["x", "y"] {
            std::os::unix::fs::symlink(format!("../f{:02}", level - 1), at.join(link)).unwrap();
        }
    }
    assert_eq!(names(&open(&dir, &[])), ["f00/a"]);
}

#[test]
fn what_is_skipped_is_left_out_with_all_that_is_in_it() {
    let dir = folder(&[("a", b"text"), ("out/data/a", b"text"), ("out/b", b"")]);
    let skips = |path: &Path| path.ends_with("out");
    let input = FolderInput::open(dir.path(), "x", &[], 100, &skips).unwrap();
    assert_eq!(names(&input), ["a"]);
}

#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_utf8_are_read_and_labelled() {
    use std::os::unix::ffi::OsStrExt;
    let dir = folder(&[]);
    let odd = std::ffi::OsStr::from_bytes(b"a\xff\xc3b");
    fs::create_dir(dir.path().join(odd)).unwrap();
    fs::write(dir.path().join(odd).join("new\nline"), "text").unwrap();
    let input = open(&dir, &[]);
    let want = Seen::Good { slot: 0, id: "a\\xFF\\xC3b/new\nline".into(), text: "text".into(), bytes: 4 };
    assert_eq!(read_all(&input), [want]);
    let Piece::Files(files) = input.copy(units(&input).remove(0), &[true], &mut Scratch::default()).unwrap()
    else {
        panic!("no files")
    };
    assert_eq!(files[0].0, Path::new(odd).join("new\nline"));
}

#[test]
fn copy_names_the_kept_files_and_refuses_changed_ones() {
    let dir = folder(&[("a/b", b"1"), ("c", b"2"), ("d", b"3")]);
    let input = open(&dir, &[]);
    let copy = |keep: &[bool]| input.copy(units(&input).remove(0), keep, &mut Scratch::default());
    let Piece::Files(files) = copy(&[true, false, true]).unwrap() else { panic!("no files") };
    let pair = |name: &str| (PathBuf::from(name), dir.path().join(name));
    assert_eq!(files, [pair("a/b"), pair("d")]);
    fs::write(dir.path().join("c"), "longer").unwrap();
    assert!(copy(&[true, false, true]).is_ok());
    assert!(copy(&[true, true, true]).unwrap_err().to_string().contains("changed during the run"));
    let same_size = File::options().write(true).open(dir.path().join("a/b")).unwrap();
    same_size.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(copy(&[true, false, false]).unwrap_err().to_string().contains("changed during the run"));
    fs::remove_file(dir.path().join("d")).unwrap();
    assert!(matches!(copy(&[false, false, true]), Err(Error::Io { .. })));
}

#[test]
fn units_end_at_four_mebibytes_or_512_files() {
    let entry = |bytes| Entry { name: "x".into(), path: None, bytes, modified: None, fault: None };
    let cut = |sizes: Vec<u64>| cut_units(&sizes.into_iter().map(entry).collect::<Vec<_>>());
    assert_eq!(cut(vec![]), [0]);
    assert_eq!(cut(vec![0; 1025]), [0, 512, 1024, 1025]);
    assert_eq!(cut(vec![0; 1024]), [0, 512, 1024]);
    assert_eq!(cut(vec![3 << 20, 1 << 20, 5 << 20, 1, 1]), [0, 2, 3, 5]);
    assert_eq!(cut(vec![1, 9 << 20]), [0, 2]);
}

#[test]
fn a_foreign_unit_is_refused() {
    let dir = folder(&[("a", b"")]);
    let input = open(&dir, &[]);
    for payload in [Payload::Files(0..2), Payload::Range { start: 0, end: 1 }] {
        assert!(input.copy(Unit { index: 0, weight: 0, payload }, &[true], &mut Scratch::default()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn wanted_slots_are_those_of_a_full_read(sizes in prop::collection::vec(0..3_usize, 0..20), mask in any::<u32>()) {
        let contents: Vec<_> = sizes.iter().enumerate().map(|(i, &size)| (format!("{i}"), "é".repeat(size))).collect();
        let files: Vec<_> = contents.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        let dir = folder(&files);
        let input = open(&dir, &[]);
        for unit in units(&input) {
            let all = read(&input, &unit, None);
            let wanted: Vec<bool> = (0..all.len()).map(|slot| mask >> slot & 1 == 1).collect();
            let want: Vec<_> = all.iter().zip(&wanted).filter(|(_, w)| **w).map(|(seen, _)| seen.clone()).collect();
            prop_assert_eq!(read(&input, &unit, Some(&wanted)), want);
            for seen in &all {
                let Seen::Good { slot, id, .. } = seen else { panic!("{seen:?}") };
                prop_assert_eq!(input.name_of_file(*slot as usize), id);
            }
        }
    }
}

#[test]
fn a_later_pass_goes_on_behind_any_unit() {
    let names: Vec<String> = (0..1100).map(|i| format!("f{i}")).collect();
    let dir = folder(&names.iter().map(|name| (name.as_str(), &b"text"[..])).collect::<Vec<_>>());
    assert_eq!(testing::assert_goes_on(&open(&dir, &[])), 3);
}
