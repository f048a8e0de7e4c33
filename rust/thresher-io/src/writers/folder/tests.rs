use std::collections::BTreeMap;

use tempfile::{TempDir, tempdir};

use super::*;

/// A folder with `in/` full of files, and the pairs an input would hand over.
fn given(names: &[&str]) -> (TempDir, Vec<(PathBuf, PathBuf)>) {
    let dir = tempdir().unwrap();
    let mut files = Vec::new();
    for name in names {
        let source = dir.path().join("in").join(name);
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, format!("text of {name}")).unwrap();
        files.push((PathBuf::from(name), source));
    }
    (dir, files)
}

/// Every file below `root` with its content, and every folder.
fn tree(root: &Path) -> BTreeMap<String, Option<String>> {
    let walk = WalkDir::new(root).min_depth(1).into_iter().map(std::result::Result::unwrap);
    walk.map(|entry| {
        let name = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let content = entry.file_type().is_file().then(|| fs::read_to_string(entry.path()).unwrap());
        (name, content)
    })
    .collect()
}

fn write(root: &Path, files: &[(PathBuf, PathBuf)]) -> crate::Result<Written> {
    let mut output = Box::new(FolderOutput::create(root)?);
    for file in files {
        output.write(Piece::Files(vec![file.clone()]), 1)?;
    }
    output.finish()
}

#[test]
fn files_come_out_under_their_names_when_finished_and_not_before() {
    let names = ["a.txt", "b/c/d.rs", "b/e", "odd \u{301}\u{202e}\nname", ".hidden/x", "..."];
    let (dir, files) = given(&names);
    let root = dir.path().join("new/deep/out");
    let mut output = Box::new(FolderOutput::create(&root).unwrap());
    output.write(Piece::Files(files[..2].to_vec()), 2).unwrap();
    output.write(Piece::Files(files[2..].to_vec()), 4).unwrap();
    assert!(!root.exists());
    let written = output.finish().unwrap();
    assert_eq!(tree(&root), tree(&dir.path().join("in")));
    let bytes = names.iter().map(|name| "text of ".len() as u64 + name.len() as u64).sum::<u64>();
    assert_eq!((written.rows, written.bytes, written.path), (6, bytes, root.clone()));
    assert_eq!(fs::read_dir(root.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn files_join_a_folder_that_exists_and_replace_none() {
    let (dir, files) = given(&["b/new", "same"]);
    let root = dir.path().join("out");
    fs::create_dir_all(root.join("b")).unwrap();
    for name in ["b/old", "same", "other"] {
        fs::write(root.join(name), "old").unwrap();
    }
    let error = write(&root, &files[1..]).unwrap_err();
    assert!(matches!(&error, Error::Data { path, .. } if path.ends_with("out/same")), "{error}");
    write(&root, &files[..1]).unwrap();
    let want = [
        ("b", None),
        ("b/new", Some("text of b/new")),
        ("b/old", Some("old")),
        ("other", Some("old")),
        ("same", Some("old")),
    ];
    assert_eq!(tree(&root), want.map(|(k, v)| (k.to_owned(), v.map(str::to_owned))).into());
}

#[test]
fn a_folder_made_meanwhile_is_joined() {
    let (dir, files) = given(&["a/b"]);
    let root = dir.path().join("out");
    let mut output = Box::new(FolderOutput::create(&root).unwrap());
    output.write(Piece::Files(files), 1).unwrap();
    fs::create_dir(&root).unwrap();
    fs::write(root.join("other"), "theirs").unwrap();
    output.finish().unwrap();
    assert_eq!(tree(&root).keys().collect::<Vec<_>>(), ["a", "a/b", "other"]);
    assert_eq!(tree(dir.path()).keys().filter(|name| name.contains(".thresher")).count(), 0);
}

#[test]
fn no_files_make_an_empty_folder() {
    let dir = tempdir().unwrap();
    let written = write(&dir.path().join("out"), &[]).unwrap();
    assert_eq!((written.rows, written.bytes, tree(&dir.path().join("out")).len()), (0, 0, 0));
}

#[test]
fn names_that_lead_out_are_refused() {
    let (dir, files) = given(&["evil"]);
    for name in ["../evil", "a/../../evil", "/dev/null/evil", "..", "", "./evil", "a/./../evil"] {
        let pair = (PathBuf::from(name), files[0].1.clone());
        let error = write(&dir.path().join("out"), &[pair]).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{name}: {error}");
    }
    assert_eq!(tree(dir.path()).keys().collect::<Vec<_>>(), ["in", "in/evil"]);
}

#[test]
#[cfg(unix)]
fn links_in_the_output_folder_are_never_written_through() {
    use std::os::unix::fs::symlink;
    let (dir, files) = given(&["a/evil", "b"]);
    let (root, outside) = (dir.path().join("out"), dir.path().join("outside"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("b"), "keep").unwrap();
    symlink(outside.join("b"), root.join("b")).unwrap();
    assert!(write(&root, &files[1..]).is_err());
    assert!(root.join("b").is_symlink());
    symlink(&outside, root.join("a")).unwrap();
    let error = write(&root, &files[..1]).unwrap_err().to_string();
    assert!(error.contains("link stands where"), "{error}");
    assert_eq!(tree(&outside), [("b".to_owned(), Some("keep".to_owned()))].into());
}

#[test]
#[cfg(unix)]
fn an_output_that_is_a_link_to_a_folder_is_followed() {
    let (dir, files) = given(&["a"]);
    fs::create_dir(dir.path().join("disk")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("disk"), dir.path().join("out")).unwrap();
    write(&dir.path().join("out"), &files).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("disk/a")).unwrap(), "text of a");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), dir.path().join("dangling")).unwrap();
    assert!(write(&dir.path().join("dangling"), &files).is_err());
}

#[test]
fn a_file_in_the_place_of_the_folder_is_refused() {
    let (dir, files) = given(&["a"]);
    let error = write(&dir.path().join("in/a"), &files).unwrap_err();
    assert!(matches!(error, Error::Parameter(_)), "{error}");
}

#[test]
fn two_files_of_one_name_are_refused() {
    let (dir, files) = given(&["a"]);
    let error = write(&dir.path().join("out"), &[files[0].clone(), files[0].clone()]).unwrap_err();
    assert!(error.to_string().contains("two files"), "{error}");
    assert!(!dir.path().join("out").exists());
}

#[test]
fn given_up_or_failed_it_leaves_nothing() {
    let (dir, mut files) = given(&["a"]);
    let before = tree(dir.path());
    let mut output = FolderOutput::create(&dir.path().join("out")).unwrap();
    output.write(Piece::Files(files.clone()), 1).unwrap();
    drop(output);
    assert_eq!(tree(dir.path()), before);
    files.push(("gone".into(), dir.path().join("in/gone")));
    assert!(write(&dir.path().join("out"), &files).unwrap_err().to_string().contains("in/gone"));
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn lines_and_rows_are_refused() {
    let dir = tempdir().unwrap();
    let mut output = FolderOutput::create(&dir.path().join("out")).unwrap();
    assert!(matches!(output.write(Piece::Bytes(Vec::new()), 0), Err(Error::Internal(_))));
}

#[test]
#[cfg(unix)]
fn a_sweep_leaves_the_hidden_folder_of_a_live_output() {
    let (dir, files) = given(&["a"]);
    let root = dir.path().join("out");
    let mut output = Box::new(FolderOutput::create(&root).unwrap());
    output.write(Piece::Files(files), 1).unwrap();
    assert_eq!(crate::commit::remove_stale(dir.path()).unwrap(), 0);
    output.finish().unwrap();
    assert_eq!(tree(&root).len(), 1);
}
