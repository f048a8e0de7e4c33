//! One file, rewritten for each input: readers take paths, and memory is the fastest disk.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of this process in memory, where the system has such a place.
pub struct ScratchFile(PathBuf);

impl ScratchFile {
    /// A file whose name ends in `suffix`.
    pub fn new(suffix: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Self(folder.join(format!("thresher-fuzz-{}{suffix}", std::process::id())))
    }

    /// The path, once `bytes` are there.
    pub fn holding(&self, bytes: &[u8]) -> &Path {
        fs::write(&self.0, bytes).expect("the folder for temporary files can be written to");
        &self.0
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
