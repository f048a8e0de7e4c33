//! Ranks as bytes: a tag, and what is behind it.

use thresher_core::Rank;

const INT: u8 = 1;
const FLOAT: u8 = 2;
const TEXT: u8 = 3;

/// Appends a rank; nothing for a missing one.
pub(super) fn write_rank(rank: &Rank, to: &mut Vec<u8>) {
    match rank {
        Rank::Missing => {}
        Rank::Int(number) => {
            to.push(INT);
            to.extend_from_slice(&number.to_ne_bytes());
        }
        Rank::Float(number) => {
            to.push(FLOAT);
            to.extend_from_slice(&number.to_ne_bytes());
        }
        Rank::Text(text) => {
            to.push(TEXT);
            to.extend_from_slice(text.as_bytes());
        }
    }
}

/// The rank in these bytes.
pub(super) fn read_rank(bytes: &[u8]) -> Rank {
    let read = |bytes: &[u8]| match bytes {
        [INT, number @ ..] => Some(Rank::Int(i128::from_ne_bytes(number.try_into().ok()?))),
        [FLOAT, number @ ..] => Some(Rank::Float(f64::from_ne_bytes(number.try_into().ok()?))),
        [TEXT, text @ ..] => Some(Rank::Text(str::from_utf8(text).ok()?.into())),
        _ => None,
    };
    read(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_come_back_as_they_were() {
        for rank in [
            Rank::Missing,
            Rank::Int(i128::MIN),
            Rank::Int(7),
            Rank::Float(-0.5),
            Rank::Text("".into()),
            Rank::Text("2024-05-01".into()),
        ] {
            let mut bytes = Vec::new();
            write_rank(&rank, &mut bytes);
            assert_eq!(read_rank(&bytes), rank);
        }
    }
}
