use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tempfile::tempdir;

use super::*;
use crate::codec::{BlockEncoder, decoder};
use crate::commit::{HashingWriter, PendingFile};
use crate::crew::Crew;

/// Compressing full-size blocks without optimisation takes minutes.
const SMALL: usize = 64 << 10;
const CODECS: [Codec; 3] = [Codec::Plain, Codec::Gzip, Codec::Zstd];

fn means(threads: usize) -> Means {
    Means::new(&Crew::new(threads))
}

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
    let mut output = Box::new(LinesOutput::new(sink, codec.into(), &means(threads), SMALL));
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
            let mut output = Box::new(LinesOutput::new(sink, codec.into(), &means(threads), SMALL));
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
    let mut output = LinesOutput::new(sink, Codec::Gzip.into(), &means(2), SMALL);
    output.write(Piece::Bytes(content(20 * SMALL)), 1).unwrap();
    drop(output);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn rows_and_files_are_refused() {
    let dir = tempdir().unwrap();
    let mut output = LinesOutput::create(&dir.path().join("a"), Codec::Plain, &means(1)).unwrap();
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
        let mut output = Box::new(LinesOutput::new(sink, codec.into(), &means(2), SMALL));
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
    let mut output = Box::new(LinesOutput::create(&path, Codec::Zstd, &means(2)).unwrap());
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

/// Writes a part of `rows`, with a checkpoint on the way; then goes on from it with the rest.
fn interrupted(
    path: &Path,
    layout: LinesLayout,
    rows: &[&[u8]],
    (step, until, at): (usize, usize, usize),
    garbage: &[u8],
) -> Vec<u8> {
    let means = Means { resumable: true, ..means(2) };
    let sink = Sink::File(PendingFile::create(path).unwrap());
    let mut output = LinesOutput::new(sink, layout, &means, SMALL);
    let mut checkpoint = None;
    let write = |output: &mut LinesOutput, rows: &[&[u8]]| {
        output.write(Piece::Bytes(rows.concat()), rows.len() as u64).unwrap();
    };
    for (n, rows) in rows[..until].chunks(step).enumerate() {
        write(&mut output, rows);
        if n == at {
            checkpoint = output.checkpoint().unwrap();
        }
    }
    drop(output);
    let from = checkpoint.unwrap();
    let part = path.with_file_name("file.part");
    std::fs::OpenOptions::new().append(true).open(&part).unwrap().write_all(garbage).unwrap();
    let mut file = PendingFile::resume(path, from.bytes).unwrap();
    file.replay(&|| Ok(())).unwrap();
    let mut output = Box::new(LinesOutput::new(Sink::File(file), layout, &means, SMALL).behind(&from));
    for rows in rows[from.rows as usize..].chunks(step + 1) {
        write(&mut output, rows);
    }
    let written = output.finish().unwrap();
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(written.rows, rows.len() as u64);
    assert_eq!(written.xxh3_128, format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
    assert!(!part.exists());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_interrupted_output_goes_on_at_any_checkpoint(
        lengths in prop::collection::vec(prop_oneof![5 => 1_usize..3000, 1 => Just(2 * SMALL + 7)], 1..150),
        step in 1_usize..30,
        until in 0.0..1.0_f64,
        at in 0.0..1.0_f64,
        garbage in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let noise = content(3 * SMALL);
        let line = |(n, &length): (usize, &usize)| {
            let text: Vec<u8> = noise.iter().cycle().skip(n * 37).take(length).map(|&b| b.max(b' ')).collect();
            [&text[..], b"\n"].concat()
        };
        let lines: Vec<Vec<u8>> = lengths.iter().enumerate().map(line).collect();
        let rows: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let until = 1 + (until * (rows.len() - 1) as f64) as usize;
        let at = (at * until.div_ceil(step) as f64) as usize;
        let dir = tempdir().unwrap();
        for (codec, is_array) in [(Codec::Plain, false), (Codec::Gzip, false), (Codec::Zstd, false), (Codec::Plain, true)] {
            let layout = LinesLayout { codec, is_array };
            let sink = Sink::File(PendingFile::create(&dir.path().join("whole")).unwrap());
            let mut whole = Box::new(LinesOutput::new(sink, layout, &means(1), SMALL));
            whole.write(Piece::Bytes(rows.concat()), rows.len() as u64).unwrap();
            whole.finish().unwrap();
            let resumed = interrupted(&dir.path().join("file"), layout, &rows, (step, until, at), &garbage);
            prop_assert!(resumed == std::fs::read(dir.path().join("whole")).unwrap(), "{:?}", layout);
        }
    }
}

#[test]
fn what_cannot_be_gone_on_with_says_so() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    let layout = LinesLayout { codec: Codec::Gzip, is_array: true };
    let mut array = LinesOutput::create(&path, layout, &means(1)).unwrap();
    assert_eq!(array.checkpoint().unwrap(), None);
    let mut stream = LinesOutput::create(Path::new("-"), Codec::Plain, &means(1)).unwrap();
    assert_eq!(stream.checkpoint().unwrap(), None);
    let mut lines = LinesOutput::create(&path, Codec::Plain, &means(1)).unwrap();
    lines.write(Piece::Bytes(b"{}\n".to_vec()), 1).unwrap();
    let from = lines.checkpoint().unwrap().unwrap();
    let resume = |from| LinesOutput::resume(&path, Codec::Plain, &means(1), from, &|| Ok(())).err().unwrap();
    assert!(matches!(resume(&from), Error::Busy(_)));
    drop(lines);
    let more = Checkpoint { bytes: from.bytes + 1, ..from };
    assert!(matches!(resume(&more), Error::Data { .. }));
}
