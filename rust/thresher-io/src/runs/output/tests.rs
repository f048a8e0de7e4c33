//! A crash at every step of publishing, and what may be replaced.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::marker::{FileEntry, Files, Manifest, Marker, is_our_output};
use super::place::{PARTS, Place, RUN};
use super::publish::{publish, recover};
use super::stage::RunOutput;
use super::standing::check;
use super::state::State;
use crate::commit::commit_bytes;
use crate::error::{Error, Result};

/// Files of a result, by their names below its folder.
type Content = BTreeMap<&'static str, &'static str>;

const FOLDER: [(&str, &str); 2] = [
    ("data/x/a.jsonl data/b.jsonl removed.parquet lineage.parquet README.md quarantine/records.jsonl", "old"),
    ("data/x/a.jsonl data/c.jsonl removed.parquet rejected.parquet README.md", "new"),
];
const SINGLE: [(&str, &str); 2] = [
    ("data removed.parquet lineage.parquet quarantine/records.jsonl", "old"),
    ("data removed.parquet README.md", "new"),
];

fn content((names, text): (&'static str, &'static str)) -> Content {
    names.split(' ').map(|name| (name, text)).collect()
}

/// Makes a complete result in the state folder.
fn stage(state: &State, content: &Content) {
    state.clear().unwrap();
    for (name, text) in content {
        commit_bytes(&state.new_part(name), text.as_bytes()).unwrap();
    }
    let entry = FileEntry { xxh3_128: "0".repeat(32), bytes: 0, rows: None, listing_xxh3_128: None };
    let files: Files = content.keys().map(|&name| (name.to_owned(), entry.clone())).collect();
    let mut report = serde_json::to_value(Marker::default()).unwrap();
    report["files"] = serde_json::to_value(files).unwrap();
    report["result"] = content.values().next().copied().into();
    commit_bytes(&state.new_part(RUN), report.to_string().as_bytes()).unwrap();
}

fn path_of(place: &Place, name: &str) -> PathBuf {
    let (part, below) = name.split_once('/').unwrap_or((name, ""));
    let path = place.part(part).unwrap();
    if below.is_empty() { path } else { path.join(below) }
}

/// Whether exactly this result stands in its place.
fn is_whole(place: &Place, content: &Content, text: &str) -> bool {
    let files = content.keys().all(|name| fs::read_to_string(path_of(place, name)).is_ok_and(|t| t == text));
    let run = fs::read_to_string(path_of(place, RUN)).unwrap_or_default();
    files && run.contains(&format!("\"result\":\"{text}\"")) && check(place, true).is_ok()
}

/// Steps up to the `n`th, at which the process dies.
fn until(n: usize) -> impl FnMut() -> Result<()> {
    let mut left = n;
    move || {
        left = left.checked_sub(1).ok_or_else(|| Error::Internal("crash".into()))?;
        Ok(())
    }
}

fn take(place: &Place) -> State {
    State::take(place).unwrap().unwrap()
}

#[test]
fn a_crash_at_any_step_of_publishing_and_of_the_recovery_leaves_one_result_whole() {
    for (is_folder, [old, new]) in [(true, FOLDER), (false, SINGLE)] {
        let (old, new) = (content(old), content(new));
        let (mut n_steps, mut done) = (0, false);
        while !done {
            for again in 0..=n_steps {
                let dir = tempfile::tempdir().unwrap();
                let place = if is_folder {
                    Place::Folder(dir.path().join("out"))
                } else {
                    Place::Single(dir.path().join("out.jsonl"))
                };
                let state = take(&place);
                stage(&state, &old);
                publish(&place, &state, true, &mut || Ok(())).unwrap();
                drop(state);
                assert!(is_whole(&place, &old, "old"));

                let state = take(&place);
                stage(&state, &new);
                commit_bytes(&state.work().join("sketches"), b"half").unwrap();
                // As a kill leaves them.
                state.keep_work(true);
                done = publish(&place, &state, true, &mut until(n_steps)).is_ok();
                let decided = done || state.journal().exists() || is_whole(&place, &new, "new");
                let (is_over, work) = (decided && !state.journal().exists(), state.work());
                drop(state);
                assert!(decided || is_whole(&place, &old, "old"), "step {n_steps}");
                assert!(!is_over || !work.exists(), "temporary files outlive the journal, step {n_steps}");

                // The next run dies as well.
                let state = take(&place);
                let _ = recover(&place, &state, &mut until(again));
                drop(state);
                let state = take(&place);
                recover(&place, &state, &mut || Ok(())).unwrap();
                drop(state);
                let (expected, text) = if decided { (&new, "new") } else { (&old, "old") };
                assert!(is_whole(&place, expected, text), "step {n_steps}, then {again}");
                let stale = path_of(&place, "quarantine");
                assert_eq!(stale.exists(), !decided, "step {n_steps}, then {again}");
                assert!(!place.state().unwrap().exists());
            }
            n_steps += 1;
        }
        assert!(n_steps > 6, "{n_steps} steps");
    }
}

#[test]
fn a_run_that_is_refused_tidies_up_behind_one_that_was_killed_as_it_published() {
    let mut n_refused = 0;
    for n_steps in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::Folder(dir.path().join("out"));
        let state = take(&place);
        stage(&state, &content(FOLDER[0]));
        commit_bytes(&state.work().join("sketches"), b"half").unwrap();
        state.keep_work(true);
        let done = publish(&place, &state, true, &mut until(n_steps)).is_ok();
        let is_decided = done || state.journal().exists() || path_of(&place, RUN).exists();
        drop(state);
        if is_decided {
            assert!(RunOutput::take(place.clone(), None, false).is_err(), "step {n_steps}");
            assert!(!place.state().unwrap().exists(), "step {n_steps}");
            n_refused += 1;
        }
    }
    assert!(n_refused > 5, "{n_refused}");
}

#[test]
fn what_a_killed_run_had_staged_goes_and_the_old_result_stays() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Folder(dir.path().join("out"));
    let state = take(&place);
    stage(&state, &content(FOLDER[0]));
    publish(&place, &state, true, &mut || Ok(())).unwrap();
    drop(state);
    // As after SIGKILL: no journal, and half of everything.
    for left in ["lock", "new/data/x/.thresher-1-0.tmp", "new/removed.parquet", "old/data/z"] {
        let left = place.state().unwrap().join(left);
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(left, "half").unwrap();
    }
    assert!(is_whole(&place, &content(FOLDER[0]), "old"));
    let state = take(&place);
    assert!(!recover(&place, &state, &mut || Ok(())).unwrap());
    stage(&state, &content(FOLDER[1]));
    publish(&place, &state, true, &mut || Ok(())).unwrap();
    drop(state);
    assert!(is_whole(&place, &content(FOLDER[1]), "new"));
    assert!(!place.state().unwrap().exists());
}

fn message(place: &Place, overwrite: bool) -> String {
    match check(place, overwrite) {
        Ok(()) => String::new(),
        Err(Error::Parameter(message)) => message,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_finished_result_is_replaced_on_request_only() {
    let dir = tempfile::tempdir().unwrap();
    for (place, old) in [
        (Place::Folder(dir.path().join("out")), FOLDER[0]),
        (Place::Single(dir.path().join("out.jsonl")), SINGLE[0]),
    ] {
        assert_eq!(message(&place, false), "");
        let state = take(&place);
        stage(&state, &content(old));
        publish(&place, &state, true, &mut || Ok(())).unwrap();
        drop(state);
        assert!(message(&place, false).contains("--overwrite"));
        assert_eq!(message(&place, true), "");
        let is_single = matches!(place, Place::Single(_));
        assert_eq!(is_our_output(place.path()), !is_single);
        if is_single {
            let evidence = PARTS.iter().skip(1).filter_map(|part| place.part(part));
            assert!(evidence.into_iter().all(|path| is_our_output(&path)));
        }
    }
}

#[test]
fn a_run_json_of_somebody_else_makes_nothing_ours() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Folder(dir.path().to_path_buf());
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/precious.txt"), "x").unwrap();
    for foreign in
        ["{}", "", "[]", "null", r#"{"tool": "other", "format": 1, "files": {}}"#, "{\"tool\":\"thresher\"}"]
    {
        fs::write(dir.path().join(RUN), foreign).unwrap();
        for overwrite in [false, true] {
            assert!(message(&place, overwrite).contains("thresher did not write"), "{foreign}");
        }
        assert!(!is_our_output(dir.path()));
    }
    fs::remove_file(dir.path().join(RUN)).unwrap();
    fs::create_dir(dir.path().join(RUN)).unwrap();
    assert!(Manifest::read(&dir.path().join(RUN)).unwrap().is_none());
}

#[test]
fn a_file_that_somebody_put_into_a_result_stands_in_the_way_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for (place, old, stranger) in [
        (Place::Folder(dir.path().join("out")), FOLDER[0], "data/x/mine.txt"),
        (Place::Single(dir.path().join("out.jsonl")), SINGLE[0], "quarantine/mine.txt"),
    ] {
        let state = take(&place);
        stage(&state, &content(old));
        publish(&place, &state, true, &mut || Ok(())).unwrap();
        drop(state);
        fs::write(path_of(&place, stranger), "precious").unwrap();
        for overwrite in [false, true] {
            assert!(message(&place, overwrite).contains("mine.txt"));
        }
    }
    // Beside the parts of a result other files are welcome.
    let place = Place::Folder(dir.path().join("out"));
    fs::remove_file(path_of(&place, "data/x/mine.txt")).unwrap();
    fs::write(dir.path().join("out/notes.txt"), "precious").unwrap();
    assert_eq!(message(&place, true), "");
}

#[test]
fn a_file_that_thresher_did_not_write_is_replaced_only_where_the_user_named_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Single(dir.path().join("precious.jsonl"));
    fs::write(place.path(), "precious").unwrap();
    assert!(message(&place, false).contains("--overwrite"));
    assert_eq!(message(&place, true), "");
    fs::write(path_of(&place, "removed.parquet"), "precious too").unwrap();
    assert!(message(&place, true).contains("removed.parquet"));
    assert!(!is_our_output(place.path()));
    let folder = Place::Folder(place.path().to_path_buf());
    assert!(message(&folder, true).contains("is not a folder"));
}

#[test]
fn a_newer_format_is_refused_and_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(RUN), r#"{"tool": "thresher", "format": 2, "files": {}}"#).unwrap();
    assert!(message(&Place::Folder(dir.path().to_path_buf()), true).contains("format 2"));
    assert!(!is_our_output(Path::new("/nowhere")));
}
