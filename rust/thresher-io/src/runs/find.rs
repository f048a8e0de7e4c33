//! Finding inputs: a name given by the user is a file, a pattern (`raw/*.jsonl.zst`, sorted) or a folder.
//!
//! A folder whose visible files are all data files (JSONL, Parquet, Arrow IPC) stands for these; any other folder, and
//! every folder when patterns of files are given, holds documents, one a file. The format follows from the ending of
//! the name.

use std::path::{Path, PathBuf};

use crate::codec::{DataFormat, split_suffix};
use crate::error::{Error, Result};

/// A file or folder to open.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// `None`: a folder of documents.
    pub(crate) format: Option<DataFormat>,
}

/// Adds what `path` stands for.
pub(crate) fn find(path: &Path, documents: bool, sources: &mut Vec<Found>) -> Result<()> {
    if path.is_dir() {
        let files = if documents { None } else { data_files(path)? };
        match files {
            Some(files) => sources.extend(files),
            None => sources.push(Found { path: path.to_path_buf(), format: None }),
        }
        return Ok(());
    }
    if path.exists() {
        sources.push(data_file(path)?);
        return Ok(());
    }
    let pattern = path.to_string_lossy();
    if !pattern.contains(['*', '?', '[']) {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Error::io("open", path)(missing));
    }
    let paths = glob::glob(&pattern)
        .map_err(|error| Error::Parameter(format!("input pattern `{pattern}` cannot be read: {error}")))?;
    let mut found: Vec<PathBuf> =
        paths.filter_map(std::result::Result::ok).filter(|path| path.is_file()).collect();
    if found.is_empty() {
        return Err(Error::Parameter(format!("input pattern `{pattern}` matches no file")));
    }
    found.sort();
    for path in found {
        sources.push(data_file(&path)?);
    }
    Ok(())
}

fn data_file(path: &Path) -> Result<Found> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match split_suffix(&name) {
        Some((format, _)) => Ok(Found { path: path.to_path_buf(), format: Some(format) }),
        None => Err(Error::Parameter(format!(
            "input `{}` has no ending that names a format; there are .jsonl, .jsonl.gz, .jsonl.zst, .parquet, .arrow, .arrows, and \
             folders of text files",
            path.display()
        ))),
    }
}

/// The data files of a folder, sorted, if it holds nothing else that is visible.
fn data_files(folder: &Path) -> Result<Option<Vec<Found>>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder)
        .min_depth(1)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
    {
        let entry = entry.map_err(|error| Error::io("list", folder)(error.into()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        match split_suffix(&entry.file_name().to_string_lossy()) {
            Some((format, _)) => files.push(Found { path: entry.into_path(), format: Some(format) }),
            None => return Ok(None),
        }
    }
    Ok(if files.is_empty() { None } else { Some(files) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_pattern_without_files_and_an_unknown_ending_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut sources = Vec::new();
        let message = find(&folder.path().join("*.jsonl"), false, &mut sources).err().unwrap().to_string();
        assert!(message.contains("matches no file"), "{message}");
        let odd = folder.path().join("a.docx");
        fs::write(&odd, "").unwrap();
        assert!(find(&odd, false, &mut sources).err().unwrap().to_string().contains("names a format"));
    }

    #[test]
    fn a_folder_of_data_files_stands_for_them_and_any_other_is_documents() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.jsonl"), "").unwrap();
        fs::write(folder.path().join("a.parquet"), "").unwrap();
        let mut sources = Vec::new();
        find(folder.path(), false, &mut sources).unwrap();
        let formats: Vec<_> = sources.iter().map(|source| source.format).collect();
        assert_eq!(formats, [Some(DataFormat::Parquet), Some(DataFormat::Jsonl)]);
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        sources.clear();
        find(folder.path(), false, &mut sources).unwrap();
        assert!(matches!(sources.as_slice(), [Found { format: None, .. }]));
    }
}
