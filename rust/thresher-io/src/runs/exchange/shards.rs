//! The files that the places of an exchange go to: one, or shards of a size.

use std::ops::Range;

use crate::error::{Error, Result};

/// More files than anybody wants in a folder.
const MOST_SHARDS: u64 = 100_000;

/// Cuts so many places into `shards` shards that differ by one row at most, or into shards of `rows` rows, of which the last may
/// have fewer. There is always one.
///
/// # Errors
/// `Error::Parameter` for both at once, or for more shards than there may be.
pub(crate) fn cut(places: u64, shards: Option<u64>, rows: Option<u64>, or: u64) -> Result<Vec<Range<u64>>> {
    if let (Some(shards), Some(rows)) = (shards, rows) {
        return Err(Error::Parameter(format!(
            "shards is `{shards}` and rows_per_shard is `{rows}`, but one of them says how the output is cut; leave out the other"
        )));
    }
    let count = match rows {
        Some(rows) => places.div_ceil(rows.max(1)).max(1),
        None => shards.unwrap_or(or).max(1),
    };
    if count > MOST_SHARDS {
        let (name, value) = rows.map_or(("shards", shards.unwrap_or(or)), |rows| ("rows_per_shard", rows));
        return Err(Error::Parameter(format!(
            "{name} is `{value}`, which makes {count} files of {places} rows, but there are at most {MOST_SHARDS}; choose larger shards"
        )));
    }
    let border = |shard: u64| match rows {
        Some(rows) => places.min(shard.saturating_mul(rows.max(1))),
        None => (u128::from(places) * u128::from(shard) / u128::from(count)) as u64,
    };
    Ok((0..count).map(|shard| border(shard)..border(shard + 1)).collect())
}

/// The name of a shard, with the suffix of an input: `shard-00003-of-00010.jsonl.zst`.
pub(crate) fn name(shard: usize, count: usize, like: &str) -> String {
    format!("shard-{shard:05}-of-{count:05}{}", suffix(like))
}

/// The suffix of a data file, with that of its compression.
fn suffix(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    let last = file.rfind('.').unwrap_or(file.len());
    let is_packed = ["gz", "gzip", "zst", "zstd"]
        .iter()
        .any(|codec| file[last..].eq_ignore_ascii_case(&format!(".{codec}")));
    let start = if is_packed { file[..last].rfind('.').unwrap_or(last) } else { last };
    &file[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_hold_every_place_once_and_differ_by_one_row() {
        for places in [0, 1, 7, 100, u64::MAX] {
            for count in [1, 2, 7, 13] {
                let shards = cut(places, Some(count), None, 1).unwrap();
                assert_eq!((shards.len() as u64, shards[0].start), (count, 0));
                assert!(shards.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert_eq!(shards.last().unwrap().end, places);
                let sizes = || shards.iter().map(|shard| shard.end - shard.start);
                assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
            }
        }
        assert_eq!(cut(10, None, Some(4), 1).unwrap(), [0..4, 4..8, 8..10]);
        assert_eq!(cut(8, None, Some(4), 1).unwrap(), [0..4, 4..8]);
        assert_eq!(cut(0, None, Some(4), 1).unwrap(), vec![Range { start: 0, end: 0 }]);
        assert_eq!(cut(9, None, None, 3).unwrap(), [0..3, 3..6, 6..9]);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_value() {
        let said = cut(10, Some(2), Some(3), 1).unwrap_err().to_string();
        assert!(said.contains("shards is `2` and rows_per_shard is `3`"), "{said}");
        let said = cut(10_000_000, None, Some(3), 1).unwrap_err().to_string();
        assert!(said.contains("rows_per_shard is `3`, which makes 3333334 files"), "{said}");
        assert!(cut(1, Some(200_000), None, 1).is_err());
    }

    #[test]
    fn a_shard_has_the_suffix_of_the_inputs() {
        for (like, suffix) in [
            ("a/b.c/data.jsonl", ".jsonl"),
            ("x.v2.jsonl.zst", ".jsonl.zst"),
            ("x.JSONL.GZ", ".JSONL.GZ"),
            ("part.parquet", ".parquet"),
            ("stdin.jsonl", ".jsonl"),
            ("x.arrows", ".arrows"),
        ] {
            assert_eq!(name(3, 10, like), format!("shard-00003-of-00010{suffix}"));
        }
    }
}
