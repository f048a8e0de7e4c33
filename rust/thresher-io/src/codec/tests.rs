use std::io::{Cursor, Read, Seek, SeekFrom};

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

/// Why nothing can be decoded, or no more.
fn fault(codec: Codec, raw: &[u8]) -> Fault {
    let error = decode(codec, raw).1.expect_err("a fault");
    Fault::of(&error).unwrap_or_else(|| panic!("no fault: {error}")).clone()
}

#[test]
fn a_window_of_128_mebibytes_is_taken_and_a_larger_one_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(b"far back").unwrap();
    let mut raw = encoder.finish().unwrap();
    // Without a content size, byte 5 is the window descriptor: exponent + 10 in its upper five bits (RFC 8878, 3.1.1.1.2).
    assert_eq!((raw[4] >> 5, raw[5] >> 3), (0, 17));
    assert_eq!(decode(Codec::Zstd, &raw).0, b"far back");
    for log in [18, 21, 22, 31] {
        raw[5] = log << 3;
        let fault = fault(Codec::Zstd, &raw);
        assert_eq!(fault.kind, FaultKind::Unsupported, "{fault}");
        assert!(fault.message.contains("128 MiB"), "{fault}");
    }
}

#[test]
fn a_frame_that_needs_a_dictionary_is_not_supported() {
    let dictionary = b"{\"text\": \"what many lines begin with\"}\n".repeat(40);
    let mut encoder = zstd::bulk::Compressor::with_dictionary(3, &dictionary).unwrap();
    encoder.include_dictid(true).unwrap();
    let raw = encoder.compress(b"some text").unwrap();
    let with_id = [&raw[..4], &[raw[4] | 1], &raw[5..]].concat();
    // A raw dictionary has no number; with one in the header (bit 0 of the descriptor: one byte) it is asked for.
    let fault = fault(Codec::Zstd, &with_id);
    assert!([FaultKind::Unsupported, FaultKind::Damaged].contains(&fault.kind), "{fault}");
}

/// Frames whose headers declare what is not there; `zstd -t` finds both corrupt. The first has one empty last block.
#[test]
fn a_frame_of_another_size_than_declared_is_damaged() {
    // Magic, descriptor (single segment, one byte of size), size 160, one raw block: last, of 0 bytes.
    let empty = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 160, 1, 0, 0];
    // The same with a block of 3 bytes.
    let short = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 160, 25, 0, 0][..], b"abc"].concat();
    for raw in [&empty[..], &short] {
        let fault = fault(Codec::Zstd, raw);
        assert_eq!(fault.kind, FaultKind::Damaged, "{fault}");
    }
    let right = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 25, 0, 0][..], b"abc"].concat();
    assert_eq!(decode(Codec::Zstd, &right).0, b"abc");
}

#[test]
fn each_kind_of_fault_is_told() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let good = encode(codec, b"good");
        let kind = |raw: &[u8]| fault(codec, raw).kind;
        assert_eq!(kind(b""), FaultKind::Truncated);
        assert_eq!(kind(b"{}\n"), FaultKind::Foreign);
        assert_eq!(kind(&good[..good.len() - 1]), FaultKind::Truncated);
        assert_eq!(kind(&[&good[..], b"{}\n"].concat()), FaultKind::Garbage);
        let mut flipped = good.clone();
        flipped[good.len() - 6] ^= 1;
        assert_eq!(kind(&flipped), FaultKind::Damaged);
        // What stands behind shows that the first part was not cut off, but has a wrong length.
        assert_eq!(kind(&[&good[..good.len() - 1], &good[..]].concat()), FaultKind::Damaged);
    }
}

/// What is decoded, with resumption at each fault, and which stretches of it are damaged.
fn salvage(codec: Codec, raw: &[u8]) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let mut stream = decoder(codec, Cursor::new(raw.to_vec())).unwrap();
    let (mut text, mut damaged) = (Vec::new(), Vec::new());
    while let Err(error) = stream.read_to_end(&mut text) {
        let fault = Fault::of(&error).unwrap();
        if fault.kind == FaultKind::Damaged {
            damaged.push(fault.from as usize..text.len());
        }
        if !stream.resume().unwrap() {
            break;
        }
    }
    (text, damaged)
}

#[test]
fn damage_in_one_part_costs_no_other_part() {
    let texts =
        [b"first part\n".repeat(5), b"{\"text\": \"the one that is hit\"}\n".repeat(9), b"the last".to_vec()];
    for codec in [Codec::Gzip, Codec::Zstd] {
        let parts = texts.each_ref().map(|text| encode(codec, text));
        let (start, end) = (parts[0].len(), parts[0].len() + parts[1].len());
        let raw = parts.concat();
        for bit in start * 8..end * 8 {
            let mut flipped = raw.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (text, damaged) = salvage(codec, &flipped);
            let trusted: Vec<u8> = (0..text.len())
                .filter(|at| !damaged.iter().any(|range| range.contains(at)))
                .map(|at| text[at])
                .collect();
            // A time stamp may change without harm, and a frame may become one to skip.
            let wanted = [texts.concat(), [&texts[0][..], &texts[2]].concat()];
            assert!(wanted.contains(&trusted), "{codec:?} bit {bit}: {}", String::from_utf8_lossy(&trusted));
        }
    }
}

/// Heads of parts without parts, to make the search for a whole one as long as possible.
#[test]
fn a_search_among_false_heads_ends() {
    for (codec, head) in
        [(Codec::Gzip, &b"\x1f\x8b\x08\0\0\0\0\0\0\0\0"[..]), (Codec::Zstd, b"\x28\xb5\x2f\xfd\0")]
    {
        let mut raw = encode(codec, b"good");
        let at = raw.len() - 5;
        raw[at] ^= 1;
        let false_heads = head.repeat((1 << 20) / head.len());
        let (_, damaged) = salvage(codec, &[&raw[..], &false_heads].concat());
        assert_eq!(damaged.len(), 1);
    }
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

impl Seek for Flaky {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at as usize,
            _ => self.data.len(),
        };
        Ok(self.at as u64)
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
