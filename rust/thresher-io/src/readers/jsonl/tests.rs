use std::fs;
use std::io::{self, Read, Write as _};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::readers::testing::{self, units, units_from};
use crate::record::{BadRecord, Reason, Record};

mod damage;

/// What a visitor saw of one slot.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    slot: u32,
    bytes: u64,
    /// The text, or why there is none, where, and the raw bytes.
    what: std::result::Result<String, (Reason, u64, Vec<u8>)>,
}

#[derive(Default)]
struct Log {
    seen: Vec<Seen>,
    blank: u64,
}

impl Visitor for Log {
    fn record(&mut self, record: Record<'_>) -> crate::Result<()> {
        self.seen.push(Seen { slot: record.slot, bytes: record.bytes, what: Ok(record.text.to_owned()) });
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> crate::Result<()> {
        assert!(!bad.detail.is_empty());
        let what = Err((bad.reason, bad.offset, bad.raw.to_vec()));
        self.seen.push(Seen { slot: bad.slot, bytes: bad.bytes, what });
        Ok(())
    }

    fn blank(&mut self, bytes: u64) {
        self.blank += bytes;
    }
}

fn fields() -> Fields {
    testing::fields("text", None, None)
}

fn encode(codec: Codec, content: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Plain => content.to_vec(),
        Codec::Zstd => zstd::encode_all(content, 3).unwrap(),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// A file in a folder of its own.
struct Sample {
    _folder: TempDir,
    path: PathBuf,
    codec: Codec,
}

impl Sample {
    fn stored(codec: Codec, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample");
        fs::write(&path, bytes).unwrap();
        Self { _folder: folder, path, codec }
    }

    fn open(&self, limits: Limits) -> JsonlInput {
        JsonlInput::open(&self.path, "sample".into(), self.codec, limits).unwrap()
    }
}

fn read_unit(input: &JsonlInput, unit: &Unit, wanted: Option<&SlotMask>) -> Result<Log> {
    let mut log = Log::default();
    input.read(unit, &fields(), wanted, &mut Scratch::default(), &mut log)?;
    Ok(log)
}

/// Everything in the file, slots counted through its units.
fn read_all(input: &JsonlInput) -> Log {
    let mut all = Log::default();
    for unit in units(input) {
        let log = read_unit(input, &unit, None).unwrap();
        assert!(log.seen.iter().enumerate().all(|(slot, seen)| seen.slot as usize == slot));
        all.blank += log.blank;
        let before = all.seen.len() as u32;
        all.seen.extend(log.seen.into_iter().map(|seen| Seen { slot: seen.slot + before, ..seen }));
    }
    all
}

fn read_content(content: &[u8]) -> Vec<std::result::Result<String, Reason>> {
    let mut logs = [Codec::Plain, Codec::Gzip, Codec::Zstd].map(|codec| {
        let log = read_all(&Sample::stored(codec, &encode(codec, content)).open(Limits::default()));
        let bytes: u64 = log.seen.iter().map(|seen| seen.bytes).sum();
        assert_eq!(bytes + log.blank, content.len() as u64, "the books do not balance");
        log.seen
    });
    assert!(logs[0] == logs[1] && logs[1] == logs[2]);
    let [plain, ..] = &mut logs;
    plain.drain(..).map(|seen| seen.what.map_err(|(reason, ..)| reason)).collect()
}

fn copy_all(input: &JsonlInput, mut keep: impl FnMut(u32) -> bool) -> Vec<u8> {
    let mut copied = Vec::new();
    for unit in units(input) {
        let log = read_unit(input, &unit, None).unwrap();
        let mask: Vec<bool> = log.seen.iter().map(|seen| seen.what.is_ok() && keep(seen.slot)).collect();
        let Piece::Bytes(bytes) = input.copy(unit, &mask, &mut Scratch::default()).unwrap() else {
            panic!("lines become bytes")
        };
        copied.extend(bytes);
    }
    copied
}

#[test]
fn hostile_lines_are_set_aside_and_the_others_read() {
    use Reason::{InvalidJson, InvalidUtf8, LoneSurrogate, MissingText, NullText, TextNotString};
    let content = [
        &b"\xef\xbb\xbf{\"text\":\"first\"}\r\n"[..],
        b"\n  \t\r\n",
        b"{\"text\":\"nul \0 byte\"}\n",
        b"{\"text\":\"\xff\xfe\"}\n",
        b"{\"text\":\"\\ud800\"}\n",
        b"{\"text\":\"a\",\"text\":\"b\"}\n",
        b"{\"text\":\"big\",\"n\":[18446744073709551615,1e400,-0.5]}\n",
        b"\xef\xbb\xbf{\"text\":\"mark inside\"}\n",
        b"\0\n[1]\nnull\n{\"text\":null}\n{\"text\":5}\n{}\n",
        b"{\"text\":\"two\"} {\"text\":\"objects\"}\n",
        b"{\"text\":\"last\"}",
    ]
    .concat();
    let ok = |text: &str| Ok(text.to_owned());
    let expected = [
        ok("first"),
        Err(InvalidJson),
        Err(InvalidUtf8),
        Err(LoneSurrogate),
        ok("b"),
        ok("big"),
        Err(InvalidJson),
        Err(InvalidJson),
        Err(InvalidJson),
        Err(InvalidJson),
        Err(NullText),
        Err(TextNotString),
        Err(MissingText),
        Err(InvalidJson),
        ok("last"),
    ];
    assert_eq!(read_content(&content), expected);
}

#[test]
fn empty_and_blank_files_have_no_records() {
    for content in ["", "\n", "\r\n\r\n  \n\t", "\u{feff}", "\u{feff}\n"] {
        let sample = Sample::stored(Codec::Plain, content.as_bytes());
        let log = read_all(&sample.open(Limits::default()));
        assert_eq!((log.seen.len(), log.blank), (0, content.len() as u64));
        assert_eq!(read_content(content.as_bytes()), []);
    }
    assert!(units(&Sample::stored(Codec::Plain, b"").open(Limits::default())).is_empty());
}

#[test]
fn bad_records_name_their_place_and_keep_their_bytes() {
    let sample = Sample::stored(Codec::Plain, b"\n{\"text\":\"a\"}\n{\"text\":1}\r\n\xff\n");
    let log = read_all(&sample.open(Limits { unit_bytes: 1, ..Limits::default() }));
    assert_eq!(log.seen[1].what, Err((Reason::TextNotString, 14, b"{\"text\":1}".to_vec())));
    assert_eq!(log.seen[1].bytes, 12);
    assert_eq!(log.seen[2].what, Err((Reason::InvalidUtf8, 26, b"\xff".to_vec())));
}

#[test]
fn a_kept_line_stays_byte_for_byte() {
    let kept = "{ \"text\" : \"\\u0061\",\"n\":1.50e+3, \"text\":\"b\\/\" }\r\n";
    let content = format!("{kept}\n{{\"text\":\"x\"}}\n{kept}{kept}{{\"text\":\"end\"}}");
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let sample = Sample::stored(codec, &encode(codec, content.as_bytes()));
        let input = sample.open(Limits::default());
        let expected = format!("{kept}{kept}{{\"text\":\"end\"}}\n");
        assert_eq!(String::from_utf8(copy_all(&input, |slot| ![1, 3].contains(&slot))).unwrap(), expected);
    }
}

#[test]
fn a_file_that_changes_between_passes_is_refused() {
    for codec in [Codec::Plain, Codec::Zstd] {
        let content = b"{\"text\":\"a\"}\n{\"text\":\"b\"}\n";
        let sample = Sample::stored(codec, &encode(codec, content));
        let input = sample.open(Limits::default());
        let payload = || Payload::Range { start: 0, end: content.len() as u64 };
        let unit = || Unit { index: 0, weight: 0, payload: payload() };
        let refused = |case: &str| {
            let mut results = vec![units_from(&input, Position::default()).map(drop)];
            if codec == Codec::Plain {
                results.push(read_unit(&input, &unit(), None).map(drop));
                results.push(input.copy(unit(), &[true, true], &mut Scratch::default()).map(drop));
            }
            for result in results {
                assert!(matches!(result, Err(Error::Data { .. })), "{case}: {result:?}");
            }
        };
        let modified = fs::metadata(&sample.path).unwrap().modified().unwrap();
        let file = fs::OpenOptions::new().write(true).open(&sample.path).unwrap();
        file.set_modified(modified + Duration::from_secs(1)).unwrap();
        refused("touched");
        file.set_len(5).unwrap();
        file.set_modified(modified).unwrap();
        refused("shrunk");
    }
}

#[test]
fn a_slot_that_is_not_there_is_an_error_and_not_silence() {
    let sample = Sample::stored(Codec::Plain, b"{\"text\":\"a\"}\n");
    let input = sample.open(Limits::default());
    let unit = || units(&input).remove(0);
    assert!(matches!(read_unit(&input, &unit(), Some(&[true, true])), Err(Error::Data { .. })));
    assert!(matches!(input.copy(unit(), &[true, true], &mut Scratch::default()), Err(Error::Data { .. })));
    assert!(read_unit(&input, &unit(), Some(&[true, false])).is_ok());
}

#[test]
fn folders_and_missing_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| JsonlInput::open(path, "x".into(), Codec::Plain, Limits::default());
    assert!(matches!(open(folder.path()), Err(Error::Data { .. })));
    assert!(matches!(open(&folder.path().join("none")), Err(Error::Io { action: "open", .. })));
}

#[test]
fn a_line_over_the_limit_is_set_aside_unread() {
    let head = "{\"text\":\"before\"}\n";
    let huge = format!("{{\"text\":\"{}\"}}", "h".repeat(300_000));
    let limits = |unit_bytes, max_record_bytes| Limits { unit_bytes, max_record_bytes };
    for (end, after) in
        [("\n", "{\"text\":\"after\"}\n"), ("\r\n", "{\"text\":\"after\"}"), ("", ""), ("\n", "")]
    {
        let content = format!("{head}{huge}{end}{after}");
        for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
            let sample = Sample::stored(codec, &encode(codec, content.as_bytes()));
            for limits in [limits(1, 50), limits(40, 1000), limits(1 << 20, 100), limits(70_000, 200_000)] {
                let input = sample.open(limits);
                let seen = read_all(&input).seen;
                assert_eq!(seen.len(), 2 + usize::from(!after.is_empty()), "{limits:?} {end:?} {codec:?}");
                assert_eq!(seen[0].what, Ok("before".into()));
                let raw = huge.as_bytes()[..HEAD_BYTES].to_vec();
                assert_eq!(seen[1].what, Err((Reason::TooLong, head.len() as u64, raw)));
                assert_eq!(seen[1].bytes, (huge.len() + end.len()) as u64);
                let rest = if after.is_empty() { "" } else { "{\"text\":\"after\"}\n" };
                assert_eq!(copy_all(&input, |_| true), format!("{head}{rest}").as_bytes());
                let held = units(&input).into_iter().map(|unit| match unit.payload {
                    Payload::Lines { data, .. } => data.len(),
                    Payload::Oversized { head, .. } => head.len(),
                    _ => 0,
                });
                let most =
                    limits.unit_bytes + HEAD_BYTES.max(limits.unit_bytes + limits.max_record_bytes + 5);
                assert!(held.max().unwrap() <= most);
            }
            let exact = sample.open(limits(1000, huge.len()));
            assert_eq!(read_all(&exact).seen[1].what.as_ref().unwrap().len(), 300_000);
        }
    }
}

#[test]
fn only_the_head_of_an_oversized_line_is_loaded() {
    let content = format!("{{\"text\":\"a\"}}\n{}\n", "x".repeat(5_000_000));
    let sample = Sample::stored(Codec::Plain, content.as_bytes());
    let input = sample.open(Limits { unit_bytes: 100, max_record_bytes: 1000 });
    let mut scratch = Scratch::default();
    for unit in units(&input) {
        input.read(&unit, &fields(), None, &mut scratch, &mut Log::default()).unwrap();
    }
    assert!(scratch.bytes.capacity() < 100_000);
}

#[test]
fn failures_of_the_system_are_no_damage() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    impl Stream for Failing {}
    let sample = Sample::stored(Codec::Zstd, &encode(Codec::Zstd, b""));
    let input = sample.open(Limits::default());
    let mut blocks = Blocks::new(&input, Box::new(Failing), Position::default());
    assert!(matches!(blocks.next(&|| Ok(())), Err(Error::Io { action: "read", .. })));
}

/// Lines of all kinds with all kinds of ends.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => "[a-z]{0,30}".prop_map(|text| format!("{{\"text\":\"{text}\"}}").into_bytes()),
        1 => "[ \t]{0,3}".prop_map(String::into_bytes),
        1 => "[{}a\":]{1,9}".prop_map(String::into_bytes),
        1 => Just(b"{\"text\":\"\xff\"}".to_vec()),
    ];
    let lines = proptest::collection::vec((line, prop_oneof![Just("\n"), Just("\r\n")]), 0..25);
    (lines, any::<bool>(), any::<bool>()).prop_map(|(lines, mark, cut)| {
        let mut content = if mark { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        for (line, end) in &lines {
            content.extend([line, end.as_bytes()].concat());
        }
        if cut {
            content.truncate(content.len().saturating_sub(1));
        }
        content
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn units_of_any_size_hold_the_same_records(content in content(), limit in 5..60usize) {
        for max_record_bytes in [limit, 1 << 20] {
            let mut first: Option<Vec<Seen>> = None;
            for codec in [Codec::Plain, Codec::Zstd] {
                let sample = Sample::stored(codec, &encode(codec, &content));
                for unit_bytes in [1, 2, 17, 64, 1 << 20] {
                    let input = sample.open(Limits { unit_bytes, max_record_bytes });
                    let log = read_all(&input);
                    let bytes: u64 = log.seen.iter().map(|seen| seen.bytes).sum();
                    prop_assert_eq!(bytes + log.blank, content.len() as u64);
                    prop_assert_eq!(&read_all(&input).seen, &log.seen);
                    prop_assert_eq!(&log.seen, first.get_or_insert(log.seen.clone()));
                    testing::assert_goes_on(&input);
                }
            }
        }
    }

    #[test]
    fn wanted_slots_are_read_and_no_others(content in content(), choice in any::<u64>(), unit_bytes in 1..200usize) {
        let sample = Sample::stored(Codec::Plain, &content);
        let input = sample.open(Limits { unit_bytes, max_record_bytes: 30 });
        for unit in units(&input) {
            let all = read_unit(&input, &unit, None).unwrap().seen;
            let wanted: Vec<bool> = (0..all.len()).map(|slot| choice >> (slot % 64) & 1 == 1).collect();
            let expected: Vec<_> = all.into_iter().filter(|seen| wanted[seen.slot as usize]).collect();
            prop_assert_eq!(read_unit(&input, &unit, Some(&wanted)).unwrap().seen, expected);
        }
    }

    #[test]
    fn kept_lines_are_the_lines_of_the_file(content in content(), choice in any::<u64>(), unit_bytes in 1..200usize) {
        let body = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
        let good = |line: &&[u8]| line.starts_with(b"{\"text\"") && !line.contains(&0xff);
        for codec in [Codec::Plain, Codec::Zstd] {
            let sample = Sample::stored(codec, &encode(codec, &content));
            let input = sample.open(Limits { unit_bytes, ..Limits::default() });
            let texts: Vec<_> = read_all(&input).seen.into_iter().map(|seen| seen.what.is_ok()).collect();
            let mut expected = Vec::new();
            let lines = body.split_inclusive(|&byte| byte == b'\n');
            let records: Vec<_> = lines.filter(|line| !line.trim_ascii().is_empty()).collect();
            prop_assert_eq!(records.len(), texts.len());
            let complete = |line: &&&[u8]| good(line) && line.trim_ascii_end().ends_with(b"}");
            for (count, line) in records.iter().filter(complete).enumerate() {
                if choice >> (count % 64) & 1 == 1 {
                    expected.extend_from_slice(line);
                }
            }
            if expected.last().is_some_and(|&last| last != b'\n') {
                expected.push(b'\n');
            }
            let mut count = 0;
            let copied = copy_all(&input, |_| {
                count += 1;
                choice >> ((count - 1) % 64) & 1 == 1
            });
            prop_assert_eq!(copied, expected);
        }
    }
}
