use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn encode(codec: Codec, block: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    BlockEncoder::try_new(codec).unwrap().encode_into(block, &mut out).unwrap();
    out
}

fn decode(codec: Codec, raw: &[u8]) -> (Vec<u8>, io::Result<usize>) {
    let mut text = Vec::new();
    let result = decoder(codec, Cursor::new(raw.to_vec())).unwrap().read_to_end(&mut text);
    (text, result)
}

fn assert_content_error(codec: Codec, raw: &[u8], what: &str) {
    let error = decode(codec, raw).1.expect_err(what);
    assert_eq!(error.raw_os_error(), None, "{what}: {error}");
}

/// A zstd skippable frame (RFC 8878, section 3.1.2).
fn skippable(content: &[u8]) -> Vec<u8> {
    let mut frame = 0x184D_2A53_u32.to_le_bytes().to_vec();
    frame.extend((content.len() as u32).to_le_bytes());
    frame.extend(content);
    frame
}

/// Members or frames with their texts, an empty one among them.
fn parts(codec: Codec) -> Vec<(Vec<u8>, Vec<u8>)> {
    let noise: Vec<u8> = (0..300_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let texts = [b"{\"text\": \"one\"}\n".repeat(20), Vec::new(), noise, b"last\n".to_vec()];
    let mut parts: Vec<_> = texts.into_iter().map(|text| (encode(codec, &text), text)).collect();
    if codec == Codec::Zstd {
        parts.insert(1, (skippable(b"index"), Vec::new()));
        parts.push((skippable(b""), Vec::new()));
    } else {
        let named = GzBuilder::new().filename("a name").comment("c").extra(vec![1, 2, 3]).mtime(7);
        let mut member = named.write(Vec::new(), Compression::new(1));
        member.write_all(b"with every header field").unwrap();
        parts.push((member.finish().unwrap(), b"with every header field".to_vec()));
    }
    parts
}

#[test]
fn every_truncation_is_an_error_except_between_members() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let parts = parts(codec);
        let raw: Vec<u8> = parts.iter().flat_map(|part| part.0.clone()).collect();
        let text: Vec<u8> = parts.iter().flat_map(|part| part.1.clone()).collect();
        let ends: Vec<usize> = parts
            .iter()
            .scan(0, |at, part| {
                *at += part.0.len();
                Some(*at)
            })
            .collect();
        let mut valid = 0;
        for cut in 0..=raw.len() {
            let (got, result) = decode(codec, &raw[..cut]);
            assert!(text.starts_with(&got), "{codec:?} cut at {cut}");
            if ends.contains(&cut) {
                valid += 1;
                assert!(result.is_ok(), "{codec:?} cut at {cut}: {result:?}");
            } else {
                assert_content_error(codec, &raw[..cut], &format!("{codec:?} cut at {cut}"));
            }
        }
        assert_eq!(valid, parts.len());
        assert_eq!(decode(codec, &raw).0, text);
    }
}

#[test]
fn a_flipped_bit_never_changes_the_text_silently() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let text = b"{\"text\": \"a line of text\"}\n".repeat(9);
        let raw = encode(codec, &text);
        for at in 0..raw.len() * 8 {
            let mut damaged = raw.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            let (got, result) = decode(codec, &damaged);
            match result {
                // Header bytes such as the time stamp carry no text.
                Ok(_) => assert!(got == text || is_skippable(codec, &damaged), "{codec:?} bit {at}"),
                Err(error) => assert_eq!(error.raw_os_error(), None),
            }
        }
    }
}

fn is_skippable(codec: Codec, raw: &[u8]) -> bool {
    codec == Codec::Zstd && raw[1..4] == 0x184D_2A50_u32.to_le_bytes()[1..]
}

#[test]
fn zeros_after_the_last_gzip_member_are_padding() {
    let mut raw = encode(Codec::Gzip, b"text");
    raw.resize(raw.len() + 300_000, 0);
    let (text, result) = decode(Codec::Gzip, &raw);
    assert_eq!((text.as_slice(), result.unwrap()), (b"text".as_slice(), 4));
    raw.push(1);
    assert_content_error(Codec::Gzip, &raw, "garbage after zeros");
    raw.truncate(300_000);
    raw.extend(encode(Codec::Gzip, b"hidden"));
    assert_content_error(Codec::Gzip, &raw, "a member after zeros");
}

#[test]
fn trailing_garbage_is_an_error_after_the_good_text() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        for garbage in [b"x".as_slice(), b"\x1f", b"\x1f\x8b\x09", b"\x28\xb5\x2f", b"{\"text\": 1}\n"] {
            let raw = [encode(codec, b"good"), garbage.to_vec()].concat();
            assert_eq!(decode(codec, &raw).0, b"good");
            assert_content_error(codec, &raw, &format!("{codec:?} {garbage:?}"));
        }
    }
}

#[test]
fn an_empty_or_foreign_file_is_an_error() {
    for raw in [b"".as_slice(), b"\0\0\0\0", b"{}\n", b"PAR1"] {
        assert_content_error(Codec::Gzip, raw, "gzip");
        assert_content_error(Codec::Zstd, raw, "zstd");
    }
    assert_content_error(Codec::Gzip, &encode(Codec::Zstd, b"text"), "zstd named gz");
    assert_content_error(Codec::Zstd, &encode(Codec::Gzip, b"text"), "gzip named zst");
    assert_eq!(decode(Codec::Plain, b"").1.unwrap(), 0);
}

#[test]
fn an_error_stays() {
    let raw = encode(Codec::Gzip, b"some text");
    let mut reader = decoder(Codec::Gzip, Cursor::new(raw[..raw.len() - 1].to_vec())).unwrap();
    let first = reader.read_to_end(&mut Vec::new()).unwrap_err();
    let again = reader.read(&mut [0; 8]).unwrap_err();
    assert_eq!((first.kind(), first.to_string()), (again.kind(), again.to_string()));
}

#[test]
fn a_bomb_is_decoded_in_small_reads() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let raw = encode(codec, &vec![0; 10 << 20]);
        assert!(raw.len() < 20_000);
        let mut reader = decoder(codec, Cursor::new(raw)).unwrap();
        let (mut buf, mut total) = (vec![0; 64 << 10], 0);
        loop {
            let n = reader.read(&mut buf).unwrap();
            total += n;
            assert!(buf[..n].iter().all(|&byte| byte == 0));
            if n == 0 {
                break;
            }
        }
        assert_eq!(total, 10 << 20);
    }
}

#[test]
fn a_window_of_two_gibibytes_is_taken() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(30).unwrap();
    encoder.write_all(b"far back").unwrap();
    let mut raw = encoder.finish().unwrap();
    // Without a content size, byte 5 is the window descriptor: exponent + 10 in its upper five bits (RFC 8878, 3.1.1.1.2).
    assert_eq!((raw[4] >> 5, raw[5] >> 3), (0, 20));
    raw[5] = 21 << 3;
    assert_eq!(decode(Codec::Zstd, &raw).0, b"far back");
    raw[5] = 22 << 3;
    assert_content_error(Codec::Zstd, &raw, "a window of 4 GiB");
}

/// Gives a byte a read, with interruptions between, and fails at the end.
struct Flaky {
    data: Vec<u8>,
    at: usize,
    interrupted: bool,
    last: Option<i32>,
}

impl Read for Flaky {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match (self.data.get(self.at), self.last) {
            (Some(&byte), _) => {
                buf[0] = byte;
                self.at += 1;
                Ok(1)
            }
            (None, Some(code)) => Err(io::Error::from_raw_os_error(code)),
            (None, None) => Ok(0),
        }
    }
}

#[test]
fn interruptions_and_single_bytes_do_not_matter() {
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let data = [encode(codec, b"some "), encode(codec, b"text")].concat();
        let mut text = Vec::new();
        let flaky = Flaky { data, at: 0, interrupted: false, last: None };
        decoder(codec, flaky).unwrap().read_to_end(&mut text).unwrap();
        assert_eq!(text, b"some text");
    }
}

#[test]
fn a_system_error_keeps_its_number_wherever_it_strikes() {
    const EIO: i32 = 5;
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let data = encode(codec, b"some text");
        for cut in 0..=data.len() {
            let flaky = Flaky { data: data[..cut].to_vec(), at: 0, interrupted: false, last: Some(EIO) };
            let mut reader = decoder(codec, flaky).unwrap();
            let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(EIO), "{codec:?} at {cut}");
            assert_eq!(reader.read(&mut [0; 1]).unwrap_err().raw_os_error(), Some(EIO));
        }
    }
}

#[test]
fn suffixes_name_format_and_codec() {
    use Codec::{Gzip, Plain, Zstd};
    use DataFormat::{Ipc, Jsonl, Parquet};
    for (name, want) in [
        ("a.jsonl", Some((Jsonl, Plain))),
        ("a.b.NDJSON", Some((Jsonl, Plain))),
        ("a.json.gz", Some((Jsonl, Gzip))),
        ("a.jsonl.GZIP", Some((Jsonl, Gzip))),
        ("a.jsonl.zst", Some((Jsonl, Zstd))),
        ("Ä.ndjson.zstd", Some((Jsonl, Zstd))),
        ("a.parquet", Some((Parquet, Plain))),
        ("a.pq", Some((Parquet, Plain))),
        ("a.Arrow", Some((Ipc, Plain))),
        ("a.ipc", Some((Ipc, Plain))),
        ("a.feather", Some((Ipc, Plain))),
        ("a.parquet.gz", None),
        ("a.gz", None),
        ("jsonl", None),
        ("a.jsonl.", None),
        ("a.jsonl.gz.gz", None),
        ("a.txt", None),
        ("", None),
        ("…", None),
    ] {
        assert_eq!(split_suffix(name), want, "{name}");
    }
}

proptest! {
    #[test]
    fn blocks_come_back_whatever_their_content(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..5)) {
        for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
            let mut encoder = BlockEncoder::try_new(codec).unwrap();
            let (mut raw, mut out) = (Vec::new(), b"left over".to_vec());
            for block in &blocks {
                encoder.encode_into(block, &mut out).unwrap();
                raw.extend(&out);
            }
            prop_assert_eq!(decode(codec, &raw).0, blocks.concat());
        }
    }

    #[test]
    fn random_bytes_never_panic(mut raw in prop::collection::vec(any::<u8>(), 0..400), magic in 0..3_usize) {
        let magics: [&[u8]; 3] = [b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd"];
        raw.splice(0..0, magics[magic].iter().copied());
        for codec in [Codec::Gzip, Codec::Zstd] {
            if let Err(error) = decode(codec, &raw).1 {
                prop_assert_eq!(error.raw_os_error(), None);
            }
        }
    }
}
