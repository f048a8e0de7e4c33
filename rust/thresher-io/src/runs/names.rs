//! Names of inputs, which are those of ids and of the outputs.

use std::path::{Path, PathBuf};

use crate::runs::find::Found;

/// Names below the common folder of all sources, with `/`. One that another has already gets its number in front.
pub(crate) fn names(sources: &[Found]) -> Vec<String> {
    let absolute: Vec<PathBuf> = sources
        .iter()
        .map(|source| std::path::absolute(&source.path).unwrap_or_else(|_| source.path.clone()))
        .collect();
    let mut common: Option<&Path> = absolute.first().and_then(|path| path.parent());
    for path in &absolute {
        while let Some(folder) = common.filter(|folder| !path.starts_with(folder)) {
            common = folder.parent();
        }
    }
    let mut names: Vec<String> = Vec::new();
    for (index, path) in absolute.iter().enumerate() {
        let below = common.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(path);
        let parts: Vec<_> = below
            .components()
            .filter(|part| matches!(part, std::path::Component::Normal(_)))
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        let name = parts.join("/");
        names.push(if names.contains(&name) { format!("{index}/{name}") } else { name });
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, DataFormat};

    fn source(path: &str) -> Found {
        Found { path: PathBuf::from(path), form: Some((DataFormat::Jsonl, Codec::Plain)) }
    }

    #[test]
    fn names_are_paths_below_the_common_folder() {
        assert_eq!(names(&[source("/d/a.jsonl")]), ["a.jsonl"]);
        assert_eq!(names(&[source("/d/x/a.jsonl"), source("/d/y/a.jsonl")]), ["x/a.jsonl", "y/a.jsonl"]);
        assert_eq!(names(&[source("/d/a.jsonl"), source("/d/a.jsonl")]), ["a.jsonl", "1/a.jsonl"]);
    }
}
