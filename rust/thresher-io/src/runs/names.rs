//! Names of inputs, which are those in ids and of the outputs.
//!
//! A file is called by its path below the common folder of all inputs, with `/`. Each name is given once: a real name
//! stands first in line, and one that is taken (that of standard input, or of files whose bytes are no UTF-8 and look alike
//! when they are shown) gets a number before its ending. Names that differ in upper and lower case, or in the spelling of a
//! letter in Unicode, stay as they are; where the file system of the output takes them for one, the run is refused.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::codec::split_suffix;

/// What decides the name of an input.
#[derive(Clone, Copy)]
pub(crate) enum Label<'a> {
    /// The path of a file or folder.
    Path(&'a Path),
    /// A name of its own: what is read from a pipe lies nowhere.
    Fixed(&'a str),
}

/// The name of each input, all different.
pub(crate) fn names(labels: &[Label<'_>]) -> Vec<String> {
    let paths: Vec<Option<PathBuf>> = labels
        .iter()
        .map(|label| match label {
            Label::Path(path) => Some(plain(path)),
            Label::Fixed(_) => None,
        })
        .collect();
    let mut common: Option<&Path> = paths.iter().flatten().next().and_then(|path| path.parent());
    for path in paths.iter().flatten() {
        while let Some(folder) = common.filter(|folder| !path.starts_with(folder)) {
            common = folder.parent();
        }
    }
    let wished: Vec<String> = labels
        .iter()
        .zip(&paths)
        .map(|(label, path)| match (label, path) {
            (Label::Fixed(name), _) => (*name).to_owned(),
            (_, Some(path)) => below(path, common),
            _ => String::new(),
        })
        .collect();
    let mut taken: HashSet<String> =
        wished.iter().zip(&paths).filter(|(_, path)| path.is_some()).map(|(name, _)| name.clone()).collect();
    // Real names are in line already; the first of each gets it.
    let mut given: HashSet<&str> = HashSet::new();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut names = vec![String::new(); labels.len()];
    let (real, fixed): (Vec<usize>, Vec<usize>) =
        (0..labels.len()).partition(|&index| paths[index].is_some());
    for index in real.into_iter().chain(fixed) {
        let name = &wished[index];
        if given.insert(name) && (paths[index].is_some() || taken.insert(name.clone())) {
            names[index].clone_from(name);
            continue;
        }
        let number = numbers.entry(name).or_insert(1);
        names[index] = loop {
            *number += 1;
            let other = numbered(name, *number);
            if taken.insert(other.clone()) {
                break other;
            }
        };
    }
    names
}

/// The absolute path without `.` and `..`, which would lead out of the folder of the outputs.
fn plain(path: &Path) -> PathBuf {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let steps_up = path.components().any(|part| part == Component::ParentDir);
    let resolved = match (steps_up, path.parent(), path.file_name()) {
        // What a link is called says more than what it leads to.
        (true, Some(folder), Some(name)) => real(folder).map(|folder| folder.join(name)),
        (true, ..) => real(path),
        (false, ..) => None,
    };
    resolved.unwrap_or_else(|| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()))
}

/// A path below a folder, with `/`.
fn below(path: &Path, folder: Option<&Path>) -> String {
    let below = folder.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(path);
    let parts: Vec<_> = below
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy()),
            _ => None,
        })
        .collect();
    // The root of the file system has no name.
    if parts.is_empty() { "root".to_owned() } else { parts.join("/") }
}

/// `d/a.jsonl.gz` and 2 make `d/a.2.jsonl.gz`.
fn numbered(name: &str, number: usize) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ending =
        file.rmatch_indices('.').take(2).find(|&(dot, _)| dot > 0 && split_suffix(&file[dot..]).is_some());
    let at = name.len() - file.len() + ending.map_or(file.len(), |(dot, _)| dot);
    format!("{}.{number}{}", &name[..at], &name[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str]) -> Vec<String> {
        names(&paths.iter().map(|path| Label::Path(Path::new(path))).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_paths_below_the_common_folder() {
        assert_eq!(of(&["/d/a.jsonl"]), ["a.jsonl"]);
        assert_eq!(of(&["/d/x/a.jsonl", "/d/y/a.jsonl"]), ["x/a.jsonl", "y/a.jsonl"]);
        assert_eq!(of(&["/d/2/a.jsonl", "/d/a.jsonl"]), ["2/a.jsonl", "a.jsonl"]);
        assert_eq!(of(&["/d/./x/a.jsonl", "/d/b.jsonl"]), ["x/a.jsonl", "b.jsonl"]);
        assert_eq!(of(&["/"]), ["root"]);
        assert_eq!(of(&[]), [""; 0]);
    }

    #[test]
    fn a_step_up_in_a_path_does_not_stand_in_the_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("x/y")).unwrap();
        let path = dir.path().join("x/y/../a.jsonl");
        let found = names(&[Label::Path(&path), Label::Path(&dir.path().join("b.jsonl"))]);
        assert_eq!(found, ["x/a.jsonl", "b.jsonl"]);
    }

    #[test]
    fn a_taken_name_is_numbered_and_never_takes_a_real_one() {
        let labels = [
            Label::Fixed("stdin.jsonl"),
            Label::Path(Path::new("/d/stdin.jsonl")),
            Label::Path(Path::new("/d/stdin.2.jsonl")),
            Label::Fixed("stdin.jsonl"),
        ];
        assert_eq!(names(&labels), ["stdin.3.jsonl", "stdin.jsonl", "stdin.2.jsonl", "stdin.4.jsonl"]);
        assert_eq!(names(&[Label::Fixed("stdin.jsonl")]), ["stdin.jsonl"]);
        assert_eq!(numbered("a/b.c.jsonl.gz", 2), "a/b.c.2.jsonl.gz");
        assert_eq!(numbered("a.b/c", 7), "a.b/c.7");
    }

    #[cfg(unix)]
    #[test]
    fn many_names_that_look_alike_are_told_apart_in_linear_time() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        let paths: Vec<PathBuf> = (0..100_000_u32)
            .map(|n| {
                let odd = n.to_le_bytes().map(|byte| 0x80 | byte & 0x3f).to_vec();
                Path::new("/d").join(OsString::from_vec([odd, b".jsonl".to_vec()].concat()))
            })
            .collect();
        let found = names(&paths.iter().map(|path| Label::Path(path)).collect::<Vec<_>>());
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), paths.len());
        assert!(found.iter().all(|name| split_suffix(name).is_some()));
    }
}
