//! Standard input as a file.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Copies standard input to a file, since a run reads its inputs more than once.
pub(crate) fn spool_stdin(tmp: Option<&str>) -> Result<tempfile::NamedTempFile> {
    let folder = tmp.map_or_else(std::env::temp_dir, PathBuf::from);
    let builder = |suffix: &str| {
        let mut builder = tempfile::Builder::new();
        builder
            .prefix("thresher-stdin-")
            .suffix(suffix)
            .tempfile_in(&folder)
            .map_err(Error::io("create a file in", &folder))
    };
    let mut stdin = std::io::stdin().lock();
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match std::io::Read::read(&mut stdin, &mut head[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", Path::new("-"))(error)),
        }
    }
    let mut file = builder(match &head[..filled] {
        [0x1F, 0x8B, ..] => ".jsonl.gz",
        [0x28, 0xB5, 0x2F, 0xFD] => ".jsonl.zst",
        _ => ".jsonl",
    })?;
    let path = file.path().to_path_buf();
    std::io::Write::write_all(&mut file, &head[..filled]).map_err(Error::io("write", &path))?;
    std::io::copy(&mut stdin, &mut file).map_err(Error::io("write", &path))?;
    Ok(file)
}
