//! Compressed files that end too early, and those of which a part is damaged.

use std::fs::File;

use super::*;

#[test]
fn every_truncation_is_reported_and_loses_no_whole_line() {
    let lines: Vec<String> =
        (0..12).map(|n| format!("{{\"text\":\"d\u{f6}c {n} {}\"}}\n", "\\n\u{e9}".repeat(n))).collect();
    let mark = b"\xef\xbb\xbf";
    let content = [mark, lines.concat().as_bytes()].concat();
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let stored = encode(codec, &content);
        for cut in 1..stored.len() {
            let sample = Sample::stored(codec, &stored[..cut]);
            // The naive oracle: what the decoder gives before it fails.
            let mut decoded = Vec::new();
            let file = File::open(&sample.path).unwrap();
            let broken = codec::decoder(codec, file).unwrap().read_to_end(&mut decoded).is_err();
            assert_eq!(broken, codec != Codec::Plain);
            let whole = memchr::memchr_iter(b'\n', &decoded).count();
            for unit_bytes in [7, 100, 1 << 20] {
                let log = read_all(&sample.open(Limits { unit_bytes, ..Limits::default() }));
                assert!(log.seen[..whole].iter().all(|seen| seen.what.is_ok()), "{codec:?} cut at {cut}");
                let body = decoded.strip_prefix(mark).unwrap_or(&decoded);
                let rest = &body[lines[..whole].concat().len()..];
                let reported: Vec<_> = log.seen[whole..].iter().map(|seen| seen.what.clone()).collect();
                let place = (decoded.len() - rest.len()) as u64;
                let expected = match (broken, rest) {
                    (false, b"") => vec![],
                    (false, rest) if rest.ends_with(b"}") => vec![Ok(read_line(rest))],
                    (_, rest) => vec![Err((Reason::Truncated, place, rest.to_vec()))],
                };
                assert_eq!(reported, expected, "{codec:?} cut at {cut}");
            }
        }
    }
}

fn read_line(line: &[u8]) -> String {
    let line: serde_json::Value = serde_json::from_slice(line).unwrap();
    line["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_broken_stream_ends_oversized_lines_too() {
    let noise: String =
        (0..200_000u64).map(|n| char::from(b'a' + ((n * n * 7919) >> 11) as u8 % 26)).collect();
    let stored = encode(Codec::Zstd, format!("{{\"text\":\"a\"}}\n{{\"text\":\"{noise}").as_bytes());
    let sample = Sample::stored(Codec::Zstd, &stored[..stored.len() - 3]);
    for unit_bytes in [100, 1 << 20] {
        let seen = read_all(&sample.open(Limits { unit_bytes, max_record_bytes: 1000 })).seen;
        let reasons: Vec<_> = seen.iter().map(|seen| seen.what.as_ref().map_err(|bad| bad.0)).collect();
        assert_eq!(reasons, [Ok(&"a".to_owned()), Err(Reason::TooLong), Err(Reason::Truncated)]);
        assert_eq!((seen[2].bytes, &seen[2].what.as_ref().unwrap_err().2), (0, &vec![]));
    }
}

/// Members cut inside lines, as `bgzip` does, and between them, as `cat` leaves them.
#[test]
fn lines_of_a_damaged_part_are_bad_and_no_others() {
    let line = |n: usize| format!("{{\"text\":\"{n} {}\"}}\n", "abc".repeat(n));
    let lines: Vec<String> = (0..30).map(line).collect();
    let content = lines.concat();
    let at_line = |n: usize| lines[..n].concat().len();
    for codec in [Codec::Gzip, Codec::Zstd] {
        for (start, end) in [
            (at_line(10), at_line(20)),
            (at_line(10) + 5, at_line(20) + 7),
            (0, at_line(20)),
            (at_line(10), content.len()),
        ] {
            let pieces = [&content[..start], &content[start..end], &content[end..]];
            let parts: Vec<Vec<u8>> = pieces.map(|piece| encode_checked(codec, piece.as_bytes())).into();
            // Near the end, where the checksum is; and in the middle, where decoding fails or text changes.
            for at in [parts[1].len() - 2, parts[1].len() / 2, 12] {
                let mut damaged = parts.clone();
                damaged[1][at] ^= 0x55;
                let sample = Sample::stored(codec, &damaged.concat());
                for unit_bytes in [10, 300, 1 << 20] {
                    let input = sample.open(Limits { unit_bytes, ..Limits::default() });
                    let first = units_from(&input, Position::default()).map(drop);
                    assert!(matches!(first, Ok(()) | Err(Error::Damaged(_))), "{first:?}");
                    input.survey(|| Ok(())).unwrap();
                    testing::assert_goes_on(&input);
                    let seen = read_all(&input).seen;
                    let texts: Vec<_> = seen.iter().filter_map(|seen| seen.what.as_ref().ok()).collect();
                    let good = lines.iter().enumerate().filter(|&(n, line)| {
                        let from = at_line(n);
                        from + line.len() <= start || from >= end
                    });
                    let good: Vec<String> = good.map(|(_, line)| read_line(line.as_bytes())).collect();
                    assert_eq!(texts, good.iter().collect::<Vec<_>>(), "{codec:?} {start}..{end} at {at}");
                    let bad = seen.iter().filter_map(|seen| seen.what.as_ref().err());
                    assert!(bad.clone().any(|bad| bad.0 == Reason::DamagedMember));
                    let kept = copy_all(&input, |_| true);
                    let wanted: Vec<u8> = lines
                        .iter()
                        .filter(|line| good.contains(&read_line(line.as_bytes())))
                        .flat_map(|line| line.bytes())
                        .collect();
                    assert_eq!(kept, wanted);
                }
            }
        }
    }
}

/// One part with a checksum.
fn encode_checked(codec: Codec, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    codec::BlockEncoder::try_new(codec).unwrap().encode_into(content, &mut out).unwrap();
    out
}

#[test]
fn a_survey_can_be_stopped() {
    let sample = Sample::stored(Codec::Gzip, &encode(Codec::Gzip, b"{}\n"));
    let input = sample.open(Limits::default());
    assert!(matches!(input.survey(|| Err(Error::Cancelled)), Err(Error::Cancelled)));
    assert!(input.survey(|| Ok(())).is_ok());
}
