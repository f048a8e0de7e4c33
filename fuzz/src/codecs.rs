//! The law of a codec: whatever happens to a compressed stream, no other bytes come out of it unnoticed.

use std::io::{self, Cursor, Read};

use thresher_io::codec::{BlockEncoder, Codec, decoder};

/// Decoded bytes after which a stream is long enough: a small input may hold gigabytes.
const MOST: u64 = 1 << 20;

/// Decodes all of `raw`, in reads of `step` bytes.
fn decode(codec: Codec, raw: &[u8], step: usize) -> (Vec<u8>, io::Result<()>) {
    let (mut decoded, mut block) = (Vec::new(), vec![0; step]);
    let mut reader =
        decoder(codec, Cursor::new(raw.to_vec())).expect("there is memory for a decoder").take(MOST);
    loop {
        match reader.read(&mut block) {
            Ok(0) => return (decoded, Ok(())),
            Ok(n) => decoded.extend_from_slice(&block[..n]),
            Err(error) => {
                let again = reader.read(&mut block);
                assert!(again.is_err(), "an error stays: {error}, then {again:?}");
                return (decoded, Err(error));
            }
        }
    }
}

/// Decodes `raw` as it is; the size of the reads does not matter.
pub fn decode_hostile(codec: Codec, raw: &[u8]) {
    let (large, small) = (decode(codec, raw, 64 << 10), decode(codec, raw, 7));
    assert_eq!(large.1.is_ok(), small.1.is_ok());
    if large.1.is_ok() {
        assert_eq!(large.0, small.0);
    }
}

/// Compresses two blocks, turns one byte of the stream and cuts it: what comes out is the begin of what went in, or an
/// error is told.
pub fn decode_damaged(codec: Codec, data: &[u8]) {
    let Some((&[at, turn, cut, split], data)) = data.split_first_chunk::<4>() else { return };
    let mut encoder = BlockEncoder::try_new(codec).expect("there is memory for an encoder");
    let (first, second) = data.split_at(usize::from(split) % (data.len() + 1));
    let (mut stream, mut member) = (Vec::new(), Vec::new());
    for block in [first, second] {
        encoder.encode_into(block, &mut member).expect("a block in memory can be compressed");
        stream.extend_from_slice(&member);
    }
    assert_eq!(decode(codec, &stream, 4096).0, data, "what was compressed comes back");
    let place = usize::from(at) * stream.len() / 256;
    stream[place] ^= turn;
    stream.truncate(stream.len() - usize::from(cut) * stream.len() / 1024);
    let (decoded, outcome) = decode(codec, &stream, 4096);
    if outcome.is_ok() {
        assert!(data.starts_with(&decoded), "other bytes came out and no error");
    }
}
