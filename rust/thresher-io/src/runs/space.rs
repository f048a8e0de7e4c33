//! Whether the disk has room for a result, looked at before the start: a disk that fills up ends a run late.
//!
//! How much stays is not known beforehand, so nothing is refused; what could not be written if all stayed is told.

use std::path::Path;

use crate::runs::plan::Plan;

/// What to say of the file system of an output, if it has less room than the inputs take.
pub(crate) fn note(output: &str, plan: &Plan) -> Option<String> {
    let inputs = &plan.sources[plan.num_references..];
    let needed: u64 = inputs.iter().map(|source| source.input().size_on_disk()).sum();
    let path = std::path::absolute(output).ok().filter(|_| output != "-")?;
    let folder = path.ancestors().find(|folder| folder.is_dir())?;
    let free = free_bytes(folder)?;
    said(folder, free, needed)
}

fn said(folder: &Path, free: u64, needed: u64) -> Option<String> {
    (free < needed).then(|| {
        format!(
            "`{}` has {free} bytes free, and the inputs take {needed}: if most of that stays, the disk is full before the end. \
             What is done by then is kept, and the same command goes on when there is space",
            folder.display()
        )
    })
}

/// Bytes that a file system has left for us.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a zero, and the struct is filled by the call or not looked at.
    let found = unsafe {
        if libc::statvfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
            return None;
        }
        found.assume_init()
    };
    #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
    Some(found.f_bavail as u64 * found.f_frsize as u64)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_some_room_and_a_place_that_is_not_there_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_bytes(dir.path()).is_none_or(|free| free > 0));
        assert!(free_bytes(&dir.path().join("nowhere")).is_none());
        assert_eq!(said(dir.path(), 5, 5), None);
        assert!(said(dir.path(), 4, 5).is_some_and(|note| note.contains("has 4 bytes free")));
    }
}
