//! Loading a model of fastText by its path.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;

use thresher_filter::fasttext::Model;

use crate::error::{Error, Result};

/// Bytes of the file that are read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Loads a model; `name` is the parameter that names it.
///
/// # Errors
/// `Error::Parameter` if there is no such file, or it is no model with labels; `Error::Io` if it cannot be read.
pub fn load(name: &str, path: &Path) -> Result<Model> {
    let shown = path.display();
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::Parameter(format!(
                "{name} is `{shown}`, but there is no such file; name a `.bin` or `.ftz` file of fastText"
            )));
        }
        file => file.map_err(Error::io("open", path))?,
    };
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    if !metadata.is_file() {
        return Err(Error::Parameter(format!(
            "{name} is `{shown}`, which is no file; name a `.bin` or `.ftz` file of fastText"
        )));
    }
    Model::read(&mut BufReader::with_capacity(BUFFER_BYTES, file), metadata.len()).map_err(
        |error| match error.kind() {
            ErrorKind::InvalidData => Error::Parameter(format!("{name} is `{shown}`: {error}")),
            ErrorKind::UnexpectedEof => Error::Parameter(format!(
                "{name} is `{shown}`, which grew shorter while it was read; try again"
            )),
            _ => Error::io("read", path)(error),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_model_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| load("model", path).unwrap_err().to_string();
        assert!(said(&dir.path().join("absent")).contains("no such file"));
        assert!(said(dir.path()).contains("no file"));
        let path = dir.path().join("model.bin");
        std::fs::write(&path, "not a model at all").unwrap();
        assert!(said(&path).contains("does not begin as a model"), "{}", said(&path));
        std::fs::write(&path, "").unwrap();
        assert!(said(&path).contains("model.bin`: the head of the file takes `4` bytes"), "{}", said(&path));
    }
}
