use DataFormat::{Ipc, Jsonl, Parquet};

use super::*;

/// A folder with these files.
fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

/// Names below a folder, with their formats.
type Files = Vec<(String, Option<DataFormat>)>;

/// What is found, and the notes.
fn found(folder: &Path, name: &str) -> Result<(Files, Vec<String>)> {
    let (mut sources, mut notes) = (Vec::new(), Vec::new());
    find(&folder.join(name), false, &mut sources, &mut notes)?;
    let below = |found: Found| {
        let path = found.path.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/");
        (path, found.form.map(|(format, _)| format))
    };
    Ok((sources.into_iter().map(below).collect(), notes))
}

fn data(files: &[(&str, DataFormat)]) -> Files {
    files.iter().map(|(name, format)| ((*name).to_owned(), Some(*format))).collect()
}

const ROW: &[u8] = b"{\"text\":\"a\"}\n";

#[test]
fn a_pattern_without_files_and_an_unknown_ending_are_refused() {
    let folder = folder_of(&[("a.docx", b"PK"), ("b.txt", b"text")]);
    let said = |name| found(folder.path(), name).unwrap_err().to_string();
    assert!(said("*.jsonl").contains("matches no file"));
    assert!(said("a.docx").contains("no ending that names a format"));
    assert!(said("*.txt").contains("no ending that names a format"));
    assert!(said("missing").starts_with("cannot open"));
}

#[test]
fn a_file_beside_data_files_changes_nothing_and_is_noted() {
    for other in
        ["_SUCCESS", "README.md", "dataset_info.json", "state.json", "a.crc", "_metadata", "x/LICENSE"]
    {
        let folder = folder_of(&[("d/part.parquet", b"PAR1"), (&format!("d/{other}"), b"About")]);
        let (files, notes) = found(folder.path(), "d").unwrap();
        assert_eq!(files, data(&[("d/part.parquet", Parquet)]), "{other}");
        assert!(notes.len() == 1 && notes[0].contains(&format!("`{other}`")), "{notes:?}");
    }
}

#[test]
fn data_files_of_all_kinds_are_found_and_nothing_is_noted_where_nothing_is_left_out() {
    let folder =
        folder_of(&[("d/b.jsonl", b""), ("d/a.parquet", b""), ("d/x/c.arrow", b""), ("d/.hidden", b"")]);
    let want = data(&[("d/a.parquet", Parquet), ("d/b.jsonl", Jsonl), ("d/x/c.arrow", Ipc)]);
    assert_eq!(found(folder.path(), "d").unwrap(), (want, vec![]));
}

#[test]
fn more_than_three_left_out_are_counted() {
    let files: Vec<String> = (0..6).map(|n| format!("d/n{n}.txt")).collect();
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|name| (&**name, &b"x"[..])).collect();
    all.push(("d/large.jsonl", &[b' '; 100]));
    let folder = folder_of(&all);
    let (files, notes) = found(folder.path(), "d").unwrap();
    assert_eq!(files, data(&[("d/large.jsonl", Jsonl)]));
    assert!(notes[0].ends_with("`n0.txt`, `n1.txt`, `n2.txt` and 3 more"), "{notes:?}");
}

#[test]
fn a_few_data_files_among_sources_make_no_folder_of_data() {
    let source = b"fn main() {}\n".repeat(100);
    let folder = folder_of(&[
        ("d/a.rs", &source),
        ("d/b.rs", &source),
        ("d/fixture.jsonl", ROW),
        ("d/package.json", b"{\n \"name\": 1\n}"),
    ]);
    let (files, notes) = found(folder.path(), "d").unwrap();
    assert_eq!(files, [("d".to_owned(), None)]);
    assert!(
        notes.len() == 1 && notes[0].contains("`fixture.jsonl`") && !notes[0].contains("package"),
        "{notes:?}"
    );
    let (mut sources, mut notes) = (Vec::new(), Vec::new());
    let only_data = folder_of(&[("d/a.jsonl", ROW)]);
    find(&only_data.path().join("d"), true, &mut sources, &mut notes).unwrap();
    assert!(sources[0].form.is_none() && notes.is_empty());
}

#[test]
fn a_json_file_of_rows_is_data_and_one_of_settings_is_not() {
    for (content, is_data) in [
        (&b"[\n {\"text\": \"a\"}]"[..], true),
        (b"{\"text\":\"a\"}\n{\"text\":\"b\"}\n", true),
        (b"{\n \"name\": \"x\"\n}\n", false),
        (b"{\"name\":\"x\"}\n", false),
        (b"[1, 2]", false),
    ] {
        let folder = folder_of(&[("d/a.json", content), ("d/README.md", b"a")]);
        let (files, _) = found(folder.path(), "d").unwrap();
        let want = if is_data { data(&[("d/a.json", Jsonl)]) } else { vec![("d".to_owned(), None)] };
        assert_eq!(files, want, "{}", String::from_utf8_lossy(content));
        // Beside nothing else each is.
        let alone = folder_of(&[("d/a.json", content)]);
        assert_eq!(found(alone.path(), "d").unwrap().0, data(&[("d/a.json", Jsonl)]));
    }
}

#[test]
fn a_file_without_an_ending_is_known_by_its_content() {
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut member, ROW).unwrap();
    let (gzip, zstd) = (member.finish().unwrap(), zstd::encode_all(ROW, 3).unwrap());
    let long = [b"{\"text\":\"", &b"a".repeat(100_000)[..], b"\"}\n"].concat();
    let contents = [
        (&b"PAR1...."[..], Some((Parquet, Codec::Plain))),
        (b"PARE....", Some((Parquet, Codec::Plain))),
        (b"ARROW1\0\0", Some((Ipc, Codec::Plain))),
        (b"\xff\xff\xff\xff\x10\0\0\0", Some((Ipc, Codec::Plain))),
        (ROW, Some((Jsonl, Codec::Plain))),
        (&long, Some((Jsonl, Codec::Plain))),
        (&gzip, Some((Jsonl, Codec::Gzip))),
        (&zstd, Some((Jsonl, Codec::Zstd))),
        (b"{not json}\n", None),
        (b"plain words\n", None),
        (b"", None),
        (b"\x1f\x8b", None),
    ];
    for (content, want) in contents {
        let folder = folder_of(&[("blob", content), ("d/blob", content)]);
        assert_eq!(
            form_of(&folder.path().join("blob")).unwrap(),
            want,
            "{}",
            String::from_utf8_lossy(content)
        );
        let want = want.map_or(("d".to_owned(), None), |(format, _)| ("d/blob".to_owned(), Some(format)));
        assert_eq!(found(folder.path(), "d").unwrap().0, [want]);
    }
}

#[test]
#[cfg(unix)]
fn a_link_is_followed_and_gives_the_file_its_name() {
    use std::os::unix::fs::symlink;
    // A hub cache: snapshots of links to blobs.
    let folder = folder_of(&[("hub/blobs/aaaa", b"PAR1"), ("hub/blobs/bbbb", b"# About")]);
    let snapshot = folder.path().join("hub/snapshots/1");
    fs::create_dir_all(&snapshot).unwrap();
    symlink("../../blobs/aaaa", snapshot.join("train.parquet")).unwrap();
    symlink("../../blobs/bbbb", snapshot.join("README.md")).unwrap();
    let want = data(&[("hub/snapshots/1/train.parquet", Parquet)]);
    for name in ["hub/snapshots/1", "hub/snapshots", "hub", "hub/snapshots/*"] {
        assert_eq!(found(folder.path(), name).unwrap().0, want, "{name}");
    }
    symlink("..", snapshot.join("loop")).unwrap();
    let (files, notes) = found(folder.path(), "hub").unwrap();
    assert_eq!(files, want);
    assert!(notes.iter().any(|note| note.contains("loop")), "{notes:?}");
    symlink("nowhere", folder.path().join("hub/gone.parquet")).unwrap();
    let said = found(folder.path(), "hub").unwrap_err().to_string();
    assert!(said.contains("gone.parquet"), "{said}");
    assert!(found(folder.path(), "hub/*.parquet").unwrap_err().to_string().contains("gone.parquet"));
}

#[test]
fn a_pattern_takes_folders_and_leaves_out_what_is_no_data() {
    let folder =
        folder_of(&[("r/a.jsonl", ROW), ("r/b/c.jsonl", ROW), ("r/notes.txt", b"a"), ("r/.x.jsonl", ROW)]);
    let (files, notes) = found(folder.path(), "r/*").unwrap();
    assert_eq!(files, data(&[("r/a.jsonl", Jsonl), ("r/b/c.jsonl", Jsonl)]));
    assert!(notes.len() == 1 && notes[0].contains("notes.txt"), "{notes:?}");
}
