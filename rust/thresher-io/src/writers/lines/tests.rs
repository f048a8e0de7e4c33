use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use tempfile::tempdir;

use super::*;
use crate::codec::decoder;
use crate::commit::{HashingWriter, PendingFile};

/// Compressing full-size blocks without optimisation takes minutes.
const SMALL: usize = 64 << 10;
const CODECS: [Codec; 3] = [Codec::Plain, Codec::Gzip, Codec::Zstd];

/// Lines that compress, but not to nothing.
fn content(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut text = Vec::with_capacity(bytes + 40);
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        writeln!(text, "{{\"text\": \"word {}\"}}", state >> 40).unwrap();
    }
    text.truncate(bytes);
    text
}

/// Writes `content` in pieces of the given size and returns what `finish` said and the file.
fn write(path: &Path, codec: Codec, threads: usize, content: &[u8], piece: usize) -> (Written, Vec<u8>) {
    let sink = Sink::File(PendingFile::create(path).unwrap());
    let mut output = Box::new(LinesOutput::new(sink, codec.into(), threads, SMALL).unwrap());
    for part in content.chunks(piece) {
        output.write(Piece::Bytes(part.to_vec()), 2).unwrap();
    }
    let written = output.finish().unwrap();
    (written, std::fs::read(path).unwrap())
}

fn decode(codec: Codec, raw: Vec<u8>) -> Vec<u8> {
    let mut text = Vec::new();
    decoder(codec, Cursor::new(raw)).unwrap().read_to_end(&mut text).unwrap();
    text
}

#[test]
fn content_comes_back_and_the_file_does_not_depend_on_pieces_or_threads() {
    let dir = tempdir().unwrap();
    let content = content(9 * SMALL + 12_345);
    for codec in CODECS {
        let (_, want) = write(&dir.path().join("want"), codec, 1, &content, usize::MAX);
        assert_eq!(decode(codec, want.clone()), content, "{codec:?}");
        for (threads, piece) in [(0, 3 * SMALL / 2), (2, 7001), (3, SMALL), (8, usize::MAX)] {
            let (written, got) = write(&dir.path().join("got"), codec, threads, &content, piece);
            assert!(got == want, "{codec:?} {threads} threads, pieces of {piece}");
            assert_eq!(written.bytes, got.len() as u64);
            assert_eq!(written.rows, 2 * content.chunks(piece).len() as u64);
            assert_eq!(written.xxh3_128, format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&got)));
        }
    }
}

#[test]
fn an_output_without_a_byte_is_a_valid_empty_file() {
    let dir = tempdir().unwrap();
    for codec in CODECS {
        let (written, raw) = write(&dir.path().join("empty"), codec, 2, b"", 1);
        assert_eq!(raw.is_empty(), codec == Codec::Plain);
        assert_eq!((decode(codec, raw), written.rows), (Vec::new(), 0));
    }
}

#[test]
fn blocks_have_the_same_size_and_no_empty_one_follows() {
    let dir = tempdir().unwrap();
    let content = content(2 * SMALL);
    for codec in [Codec::Gzip, Codec::Zstd] {
        let (_, raw) = write(&dir.path().join("file"), codec, 2, &content, SMALL / 4);
        let mut want: Vec<u8> = Vec::new();
        let mut block = Vec::new();
        for half in content.chunks(SMALL) {
            BlockEncoder::try_new(codec).unwrap().encode_into(half, &mut block).unwrap();
            want.extend(&block);
        }
        assert!(raw == want, "{codec:?}");
    }
}

/// Takes some bytes and then fails, as a full disk or a closed pipe does.
struct Failing(usize);

impl Write for Failing {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(data.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_reported_by_the_end_at_the_latest() {
    let content = content(40 * SMALL);
    for codec in CODECS {
        for threads in [1, 3] {
            let sink = Sink::Stream(HashingWriter::new(Box::new(Failing(100_000))));
            let mut output = Box::new(LinesOutput::new(sink, codec.into(), threads, SMALL).unwrap());
            let result = output.write(Piece::Bytes(content.clone()), 1).and_then(|()| output.finish());
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with("cannot write `-`"), "{error}");
        }
    }
}

#[test]
fn an_output_given_up_in_the_middle_leaves_nothing() {
    let dir = tempdir().unwrap();
    let sink = Sink::File(PendingFile::create(&dir.path().join("a.gz")).unwrap());
    let mut output = LinesOutput::new(sink, Codec::Gzip.into(), 2, SMALL).unwrap();
    output.write(Piece::Bytes(content(20 * SMALL)), 1).unwrap();
    drop(output);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn rows_and_files_are_refused() {
    let dir = tempdir().unwrap();
    let mut output = LinesOutput::create(&dir.path().join("a"), Codec::Plain, 1).unwrap();
    assert!(matches!(output.write(Piece::Files(Vec::new()), 0), Err(Error::Internal(_))));
    assert!(matches!(output.write(Piece::Batches(Vec::new()), 0), Err(Error::Internal(_))));
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_gets_the_bytes_of_a_file() {
    let dir = tempdir().unwrap();
    let content = content(SMALL + 1);
    for codec in CODECS {
        let (file, raw) = write(&dir.path().join("file"), codec, 2, &content, 1000);
        let shared = Shared::default();
        let sink = Sink::Stream(HashingWriter::new(Box::new(shared.clone())));
        let mut output = Box::new(LinesOutput::new(sink, codec.into(), 2, SMALL).unwrap());
        output.write(Piece::Bytes(content.clone()), 1).unwrap();
        let stream = output.finish().unwrap();
        assert_eq!((stream.bytes, stream.xxh3_128), (file.bytes, file.xxh3_128));
        assert!(*shared.0.lock().unwrap() == raw);
    }
}

#[test]
fn users_get_blocks_of_four_mebibytes() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a.zst");
    let mut output = Box::new(LinesOutput::create(&path, Codec::Zstd, 2).unwrap());
    output.write(Piece::Bytes(vec![b'x'; (4 << 20) + 1]), 1).unwrap();
    output.finish().unwrap();
    let mut want: Vec<u8> = Vec::new();
    let mut block = Vec::new();
    for size in [4 << 20, 1] {
        BlockEncoder::try_new(Codec::Zstd).unwrap().encode_into(&vec![b'x'; size], &mut block).unwrap();
        want.extend(&block);
    }
    assert!(std::fs::read(&path).unwrap() == want);
}
