use std::ffi::OsStr;

use proptest::prelude::*;
use tempfile::tempdir;
use xxhash_rust::xxh3::xxh3_128;

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_appears_at_commit_and_not_before() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("new/deep/a.jsonl");
    let mut file = PendingFile::create(&path).unwrap();
    file.write_all(&vec![b'x'; 3 * BLOCK_BYTES]).unwrap();
    file.flush().unwrap();
    assert!(!path.exists());
    assert_eq!(names(path.parent().unwrap()).len(), 1);
    let done = file.commit().unwrap();
    assert_eq!(names(path.parent().unwrap()), ["a.jsonl"]);
    assert_eq!((done.path.as_path(), done.bytes), (path.as_path(), 3 << 20));
    assert_eq!(done.xxh3_128, format!("{:032x}", xxh3_128(&fs::read(&path).unwrap())));
}

#[test]
fn the_hash_is_the_published_one() {
    // Length 0 from xxHash's tests/sanity_test_vectors.h (XXH3-128, seed 0); `abc` as other implementations lock it.
    let dir = tempdir().unwrap();
    for (content, want) in
        [("", "99aa06d3014798d86001c324468d497f"), ("abc", "06b05ab6733a618578af5f94892f3950")]
    {
        let done = commit_bytes(&dir.path().join("file"), content.as_bytes()).unwrap();
        assert_eq!((done.bytes, done.xxh3_128.as_str()), (content.len() as u64, want));
    }
}

#[test]
fn dropped_without_commit_nothing_is_left_and_the_old_file_stays() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, "old").unwrap();
    let mut file = PendingFile::create(&path).unwrap();
    file.write_all(b"new").unwrap();
    drop(file);
    assert_eq!((names(dir.path()), fs::read(&path).unwrap()), (vec!["a".to_owned()], b"old".to_vec()));
    commit_bytes(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_crash_before_commit_leaves_no_final_file_and_its_leftover_is_swept() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a");
    let mut crashed = PendingFile::create(&path).unwrap();
    crashed.write_all(b"half").unwrap();
    crashed.flush().unwrap();
    // What the end of a process does: locks go, drop never runs.
    crashed.out.inner.unlock().unwrap();
    let leftover = crashed.temp.clone();
    std::mem::forget(crashed);
    let live = PendingFile::create(&path).unwrap();
    let other = dir.path().join(".thresher-notes.tmp");
    fs::write(&other, "a user's").unwrap();
    #[cfg(unix)]
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join(".thresher-3-4.tmp")).unwrap();
    let folder = dir.path().join(".thresher-1-2.tmp");
    fs::create_dir_all(folder.join("inner")).unwrap();
    assert!(!path.exists());
    assert_eq!(remove_stale(dir.path()).unwrap(), if cfg!(unix) { 2 } else { 1 });
    assert!(!leftover.exists() && live.temp.exists() && other.exists());
    live.commit().unwrap();
    assert!(path.exists());
}

#[test]
fn leftovers_with_our_process_id_are_stepped_over() {
    let dir = tempdir().unwrap();
    let probe = PendingFile::create(&dir.path().join("probe")).unwrap();
    let name = probe.temp.file_name().unwrap().to_str().unwrap().to_owned();
    let count: u64 = name.trim_end_matches(".tmp").rsplit('-').next().unwrap().parse().unwrap();
    for next in count..count + 50 {
        fs::write(dir.path().join(format!(".thresher-{}-{next}.tmp", std::process::id())), "stale").unwrap();
    }
    commit_bytes(&dir.path().join("a"), b"text").unwrap();
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"text");
}

#[test]
fn concurrent_writers_of_one_name_never_mix() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("same");
    std::thread::scope(|scope| {
        for byte in 0..8_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..5 {
                    let mut file = PendingFile::create(path).unwrap();
                    for _ in 0..7 {
                        file.write_all(&vec![byte; 50_000]).unwrap();
                    }
                    file.commit().unwrap();
                    let seen = fs::read(path).unwrap();
                    assert_eq!(seen.len(), 350_000);
                    assert!(seen.iter().all(|&b| b == seen[0]));
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["same"]);
}

#[test]
fn a_name_that_a_sweep_got_first_is_given_up() {
    let dir = tempdir().unwrap();
    let (n_made, sweep) = (std::cell::Cell::new(0), std::cell::RefCell::new(None));
    let make = |temp: &Path| {
        let file = OpenOptions::new().write(true).create_new(true).open(temp)?;
        n_made.set(n_made.get() + 1);
        match n_made.get() {
            // The sweep holds the lock.
            1 => {
                let other = File::open(temp)?;
                other.lock()?;
                sweep.replace(Some(other));
            }
            // The sweep is through already.
            2 => fs::remove_file(temp)?,
            _ => {}
        }
        Ok(file)
    };
    let (temp, _file) = reserve_temp(dir.path(), make).unwrap();
    assert!(n_made.get() == 3 && temp.exists());
}

#[test]
fn sweeping_while_files_are_written_harms_none() {
    let dir = tempdir().unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                remove_stale(dir.path()).unwrap();
            }
        });
        // A sweep can win the race for a name that is not locked yet; `create` must notice and take another.
        let name = |i: usize| dir.path().join(format!("f{}", i % 10));
        let result = (0..200).try_for_each(|i| commit_bytes(&name(i), b"text").map(drop));
        is_done.store(true, Ordering::Relaxed);
        result.unwrap();
    });
    assert_eq!(names(dir.path()).len(), 10);
}

#[test]
fn odd_and_long_names_are_kept() {
    let dir = tempdir().unwrap();
    let long = "ü".repeat(127);
    for name in ["a b", "-", "ä\u{301}\u{202e}.jsonl", "quote\"'`$(x)", "new\nline", ".hidden", "...", &long]
    {
        commit_bytes(&dir.path().join(name), name.as_bytes()).unwrap();
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), name.as_bytes());
    }
    assert_eq!(names(dir.path()).len(), 8);
}

#[test]
#[cfg(unix)]
fn a_name_that_is_not_utf8_is_kept() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempdir().unwrap();
    let path = dir.path().join(OsStr::from_bytes(b"a\xff\x80"));
    commit_bytes(&path, b"text").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"text");
}

#[test]
fn names_of_no_file_are_refused() {
    let dir = tempdir().unwrap();
    for (path, words) in [
        (Path::new("/"), "names no file"),
        (Path::new(""), "names no file"),
        (&dir.path().join(".."), "names no file"),
        (dir.path(), "is a folder"),
    ] {
        let error = commit_bytes(path, b"").unwrap_err();
        assert!(matches!(error, Error::Parameter(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    fs::write(dir.path().join("file"), "").unwrap();
    let error = commit_bytes(&dir.path().join("file/below"), b"").unwrap_err().to_string();
    assert!(error.contains("file") && error.starts_with("cannot "), "{error}");
}

#[test]
#[cfg(unix)]
fn devices_and_links_to_them_are_never_replaced() {
    let dir = tempdir().unwrap();
    let link = dir.path().join("null");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    for path in [Path::new("/dev/null"), &link] {
        let error = commit_bytes(path, b"text").unwrap_err();
        assert!(matches!(error, Error::Parameter(_)), "{error}");
    }
    assert!(link.is_symlink());
}

#[test]
#[cfg(unix)]
fn a_link_stays_and_its_target_is_replaced() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("big-disk")).unwrap();
    let target = dir.path().join("big-disk/real");
    fs::write(&target, "old").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let done = commit_bytes(&link, b"new").unwrap();
    assert_eq!((done.path, fs::read(&target).unwrap()), (link.clone(), b"new".to_vec()));
    assert!(link.is_symlink());
    fs::remove_file(&target).unwrap();
    assert!(commit_bytes(&link, b"new").unwrap_err().to_string().contains("follow the link"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_takes_no_files_is_an_error_and_no_endless_search() {
    let error = commit_bytes(Path::new("/proc/thresher-test"), b"").unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

/// A full disk: takes some bytes, then none.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let n = data.len().min(self.0);
        self.0 -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_failed_write_nothing_more_is_taken() {
    let mut out = HashingWriter::new(Full(10));
    out.write_all(b"a long enough text").unwrap();
    assert_eq!(out.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    out.inner.0 = 1000;
    assert!(out.write_all(b"more").and_then(|()| out.flush()).is_err());
}

#[test]
fn a_full_disk_is_called_so() {
    let error = explain(io::ErrorKind::StorageFull.into(), 12);
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().starts_with("the disk is full"), "{error}");
    assert_eq!(explain(io::ErrorKind::PermissionDenied.into(), 0).kind(), io::ErrorKind::PermissionDenied);
}

#[test]
#[cfg(target_os = "linux")]
fn a_write_that_the_device_refuses_cannot_be_committed() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a");
    let mut file = PendingFile::create(&path).unwrap();
    file.out.inner = OpenOptions::new().write(true).open("/dev/full").unwrap();
    file.write_all(&[0; 10]).unwrap();
    let error = file.commit().unwrap_err().to_string();
    assert!(error.contains("disk is full") && error.contains(path.to_str().unwrap()), "{error}");
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn content_count_and_hash_do_not_depend_on_the_pieces(
        sizes in prop::collection::vec(prop_oneof![0..50_usize, 500_000..2_500_000_usize], 0..6),
        flushes in any::<u8>(),
    ) {
        let mut out = HashingWriter::new(Vec::new());
        let mut want = Vec::new();
        for (i, &size) in sizes.iter().enumerate() {
            let piece: Vec<u8> = (0..size).map(|at| (at * 31 + i) as u8).collect();
            out.write_all(&piece).unwrap();
            want.extend(piece);
            if flushes & (1 << i) != 0 {
                out.flush().unwrap();
            }
        }
        out.flush().unwrap();
        prop_assert_eq!(out.digest(), (want.len() as u64, format!("{:032x}", xxh3_128(&want))));
        prop_assert!(out.inner == want);
    }
}
