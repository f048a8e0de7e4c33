//! Loading a tokenizer.json: by its name, or by that of the folder that holds it, as training leaves one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thresher_tokens::tokenizer::Tokenizer;

use crate::error::{Error, Result};

/// What the file is called in the folder of a tokenizer.
const NAME: &str = "tokenizer.json";

/// The file that a path stands for.
pub(crate) fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(NAME) } else { path.to_path_buf() }
}

/// Loads a tokenizer.
///
/// # Errors
/// `Error::Parameter` if there is no such file, or it is no tokenizer that can be used; `Error::Io` if it cannot be read.
pub fn load(path: &Path) -> Result<Tokenizer> {
    let file = file_of(path);
    let json = match fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let of_folder = if file == path { "" } else { " in that folder" };
            return Err(Error::Parameter(format!(
                "tokenizer is `{}`, but there is no such file{of_folder}; name a {NAME}, or a folder that holds one",
                file.display()
            )));
        }
        json => json.map_err(Error::io("read", &file))?,
    };
    Tokenizer::from_json(&json).map_err(|error| match Error::from(error) {
        Error::Parameter(what) => Error::Parameter(format!("`{}`: {what}", file.display())),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_the_tokenizer_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| load(path).unwrap_err().to_string();
        assert!(said(&dir.path().join("absent")).contains("no such file;"));
        assert!(said(dir.path()).contains("no such file in that folder"));
        let json = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#;
        fs::write(dir.path().join(NAME), json).unwrap();
        assert_eq!(load(dir.path()).unwrap().vocab_size(), 1);
        assert_eq!(load(&dir.path().join(NAME)).unwrap().vocab_size(), 1);
        fs::write(dir.path().join(NAME), "{}").unwrap();
        assert!(said(dir.path()).contains("tokenizer.json`: "));
    }
}
