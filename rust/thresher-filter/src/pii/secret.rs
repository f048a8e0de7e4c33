//! Keys and tokens: by how those of known services begin ([`PREFIXES`]), and values without order that something called
//! a key, a secret, a token or a password is set to.
//!
//! Beginnings are searched all at once by vector instructions (Teddy of Hyperscan, in the crate `aho-corasick`). What follows one is
//! read to its end once, and the search goes on behind it. A value has no order if its characters are as many
//! and as different as those of random ones; so `your_token_here` and words are none.

use aho_corasick::packed::{Config, MatchKind, Searcher};
use aho_corasick::{AhoCorasick, Span as Place};

use super::kinds::{Kind, Span};
use super::prefixes::{Alphabet, PREFIXES, Rest};
use super::wallet::distinct;

/// Bytes of a JSON Web Token, and of a private key, beyond which no end is looked for.
const LONGEST: usize = 1 << 14;
/// Base64 characters of the shortest private key, one of Ed25519 in PKCS #8.
const SHORTEST_KEY: usize = 40;
/// Characters of a value that is assigned.
const VALUES: std::ops::RangeInclusive<usize> = 16..=256;
/// Bits a character, by Shannon, from which on a value has no order: for hexadecimal digits of at most 4, and for others.
const HEX_BITS: f64 = 3.0;
const BITS: f64 = 3.5;
/// Bytes of the longest last word of a name.
const LONGEST_NAME: usize = 8;
/// What marks an example.
const PLACEHOLDERS: [&[u8]; 10] = [
    b"EXAMPLE",
    b"XXXX",
    b"YOUR",
    b"PLACEHOLDER",
    b"CHANGEME",
    b"DUMMY",
    b"SAMPLE",
    b"1234567",
    b"ABCDEFG",
    b"....",
];
/// What a name that ends in `key` begins with, if its value is to be kept secret.
const KEYS: [&[u8]; 10] = [
    b"api",
    b"access",
    b"secret",
    b"private",
    b"auth",
    b"account",
    b"encryption",
    b"signing",
    b"license",
    b"client",
];

/// The search for secrets.
#[derive(Debug)]
pub(super) struct Secrets {
    packed: Option<Searcher>,
    /// Where there are no vector instructions for it. It is there: a test says that so few names do not exceed its size.
    automaton: Option<AhoCorasick>,
}

impl Secrets {
    pub(super) fn new() -> Self {
        let names = || PREFIXES.iter().map(|(prefix, _)| prefix);
        let packed = Config::new().match_kind(MatchKind::LeftmostFirst).builder().extend(names()).build();
        let automaton =
            AhoCorasick::builder().match_kind(aho_corasick::MatchKind::LeftmostFirst).build(names());
        Self { packed, automaton: automaton.ok() }
    }

    /// Adds the spans of secrets in a text.
    pub(super) fn find(&self, bytes: &[u8], reserved: bool, spans: &mut Vec<Span>) {
        let mut at = 0;
        while let Some((start, end, rest)) = self.next(bytes, at) {
            at = end;
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let is_inner = bytes[..start].last().is_some_and(|&byte| is_word(byte));
            let found = match rest {
                Rest::Value => assigned(bytes, start, end),
                // Nothing else begins in this word either, but the name of something may end it.
                _ if is_inner => {
                    let word = bytes[end..].iter().take_while(|&&byte| is_word(byte)).count();
                    Err(end.max((end + word).saturating_sub(LONGEST_NAME)))
                }
                Rest::Token(alphabet, least, most) => token(bytes, end, alphabet, least, most),
                Rest::Jwt => jwt(bytes, start),
                Rest::Pem => pem(bytes, end),
            };
            match found {
                Ok((inner, stop)) => {
                    let from = if inner == end && !matches!(rest, Rest::Value) { start } else { inner };
                    if reserved || !is_placeholder(&bytes[from..stop]) {
                        spans.push(Span { start: from, end: stop, kind: Kind::Secret });
                    }
                    at = stop;
                }
                Err(read) => at = at.max(read),
            }
        }
    }

    fn next(&self, bytes: &[u8], at: usize) -> Option<(usize, usize, Rest)> {
        let place = Place { start: at, end: bytes.len() };
        let found = match &self.packed {
            Some(packed) if bytes.len() - at >= packed.minimum_len() => packed.find_in(bytes, place),
            _ => self.automaton.as_ref()?.find(aho_corasick::Input::new(bytes).span(place)),
        }?;
        Some((found.start(), found.end(), PREFIXES[found.pattern().as_usize()].1))
    }
}

/// Where a secret begins and ends, or up to where there is none.
type Found = std::result::Result<(usize, usize), usize>;

/// A token of so many characters behind a beginning that ends at `start`.
fn token(bytes: &[u8], start: usize, alphabet: Alphabet, least: usize, most: usize) -> Found {
    let rest = &bytes[start..bytes.len().min(start + most + 1)];
    let count = rest.iter().take_while(|&&byte| alphabet.has(byte)).count();
    // What separates does not end it, unless its length is fixed.
    let is_end = |byte: &&u8| least < most && matches!(byte, b'-' | b'_' | b'.');
    let trailing = rest[..count].iter().rev().take_while(is_end).count();
    let end = start + count - trailing;
    let behind = bytes.get(start + count).copied().unwrap_or(b' ');
    let text = &bytes[start..end];
    // A long word has letters of one case.
    let is_mixed = text.iter().any(u8::is_ascii_digit)
        || text.iter().filter(|byte| byte.is_ascii_uppercase()).count() > 3
            && text.iter().filter(|byte| byte.is_ascii_lowercase()).count() > 3;
    let is_token = count <= most && text.len() >= least && !behind.is_ascii_alphanumeric();
    if is_token && is_mixed && bits(text) >= if alphabet == Alphabet::Hex { HEX_BITS } else { 3.0 } {
        Ok((start, end))
    } else {
        Err(start + count)
    }
}

/// Three parts in Base64 with dots between, the first two of them JSON objects.
fn jwt(bytes: &[u8], start: usize) -> Found {
    let rest = &bytes[start..bytes.len().min(start + LONGEST)];
    let count = rest.iter().take_while(|&&byte| Alphabet::Dotted.has(byte)).count();
    let mut parts = rest[..count].splitn(3, |&byte| byte == b'.');
    let (Some(head), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(start + count);
    };
    let signed = signature.iter().take_while(|&&byte| Alphabet::Base64Url.has(byte)).count();
    let end = start + head.len() + 1 + claims.len() + 1 + signed;
    let is_jwt = head.len() >= 16 && claims.starts_with(b"eyJ") && claims.len() >= 12 && signed >= 20;
    if is_jwt && bits(&signature[..signed]) >= BITS { Ok((start, end)) } else { Err(start + count) }
}

/// The rest of a private key behind `-----BEGIN `, up to its last line, or as far as there is Base64.
fn pem(bytes: &[u8], start: usize) -> Found {
    let label = &bytes[start..bytes.len().min(start + 40)];
    let length = label
        .iter()
        .take_while(|byte| byte.is_ascii_uppercase() || **byte == b' ' || byte.is_ascii_digit())
        .count();
    let is_key = label[..length].ends_with(b"PRIVATE KEY") && label[length..].starts_with(b"-----");
    if !is_key {
        return Err(start);
    }
    let body = start + length + 5;
    let rest = &bytes[body..bytes.len().min(body + LONGEST)];
    // Lines may be written `\n`, in a string, and there may be headers (RFC 1421).
    let is_body = |byte: u8| byte.is_ascii_alphanumeric() || b"+/= \r\n\t\\\"',:;-".contains(&byte);
    let mut count = 0;
    while count < rest.len() && is_body(rest[count]) && !rest[count..].starts_with(b"-----") {
        count += 1;
    }
    let lines = &rest[..count];
    let base64 =
        lines.iter().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
    if base64 < SHORTEST_KEY || distinct(lines) < 16 {
        return Err(body + count);
    }
    let end = rest[count..].strip_prefix(b"-----END ").map_or(body + count, |last| {
        let label = last.iter().take(40).position(|&byte| byte == b'-').unwrap_or(0);
        let dashes = last[label..].iter().take(5).take_while(|&&byte| byte == b'-').count();
        body + count + 9 + label + dashes
    });
    let trailing = bytes[..end].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    // From the `-----` in front of `BEGIN`.
    Ok((start - 11, end - trailing))
}

/// The value that is assigned to a name whose last word stands at `start..end`.
fn assigned(bytes: &[u8], start: usize, end: usize) -> Found {
    let mut at = end;
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(b'\n');
    let skip = |mut at: usize, which: &[u8], most: usize| {
        let last = at + most;
        while at < last && which.contains(&byte(at)) {
            at += 1;
        }
        at
    };
    at = skip(at, b"\"'`]", 2);
    at = skip(at, b" ", 2);
    if !matches!(byte(at), b'=' | b':') || !is_kept_secret(&bytes[start.saturating_sub(12)..end], end - start)
    {
        return Err(end);
    }
    at = skip(at, b"=:>", 2);
    at = skip(at, b" ", 2);
    at = skip(at, b"\"'`", 1);
    let value = &bytes[at..bytes.len().min(at + VALUES.end() + 1)];
    // Neither `=` nor `:`, so that no value is read for two names; Base64 may end with two.
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_-.~!".contains(&byte);
    let count = value.iter().take_while(|&&byte| is_part(byte)).count();
    let count = count + value[count..].iter().take(2).take_while(|&&byte| byte == b'=').count();
    let stop = at + count;
    let value = &value[..count];
    let trailing = value.iter().rev().take_while(|byte| matches!(byte, b'.' | b'!')).count();
    let value = &value[..count - trailing];
    if VALUES.contains(&value.len())
        && !matches!(byte(stop), b'(' | b'[' | b'{' | b'@')
        && is_without_order(value)
    {
        Ok((at, at + value.len()))
    } else {
        // What was read may be or hold a secret that is known by its beginning.
        Err(end)
    }
}

/// Whether what is called so is to be kept secret. `name` ends with the `length` bytes of its last word.
fn is_kept_secret(name: &[u8], length: usize) -> bool {
    let (before, word) = name.split_at(name.len() - length);
    if !word.eq_ignore_ascii_case(b"key") {
        return true;
    }
    let before = before
        .strip_suffix(b"_")
        .or(before.strip_suffix(b"-"))
        .or(before.strip_suffix(b" "))
        .unwrap_or(before);
    let ends = |end: &&[u8]| {
        before.len() >= end.len() && before[before.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    KEYS.iter().any(ends)
}

/// Whether a value looks as if it was drawn at random.
fn is_without_order(value: &[u8]) -> bool {
    let (digits, letters) = value.iter().fold((0, 0), |(digits, letters), byte| {
        (digits + usize::from(byte.is_ascii_digit()), letters + usize::from(byte.is_ascii_alphabetic()))
    });
    if value.iter().all(u8::is_ascii_hexdigit) {
        return digits > 2 && letters > 0 && bits(value) >= HEX_BITS;
    }
    // Names with numbers, paths and hosts have long runs of letters.
    let longest_word = value.split(|byte| !byte.is_ascii_lowercase()).map(<[u8]>::len).max().unwrap_or(0);
    digits > 1 && letters > 3 && bits(value) >= BITS && longest_word < 8
}

fn is_placeholder(value: &[u8]) -> bool {
    // A private key is too long to hold none of these by chance.
    let start = &value[..value.len().min(80)];
    let upper = start.to_ascii_uppercase();
    let begins =
        |at: usize| PLACEHOLDERS.iter().any(|one| upper[at] == one[0] && upper[at..].starts_with(one));
    !start.starts_with(b"-----") && (0..upper.len()).any(begins)
}

/// Shannon's entropy of the bytes, a byte.
fn bits(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 128];
    for byte in bytes {
        counts[usize::from(byte & 127)] += 1;
    }
    let total = bytes.len() as f64;
    -counts.iter().filter(|count| **count > 0).fold(0.0, |sum, count| {
        let share = f64::from(*count) / total;
        sum + share * share.log2()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut spans = Vec::new();
        Secrets::new().find(text.as_bytes(), false, &mut spans);
        spans.iter().map(|span| &text[span.range()]).collect()
    }

    #[test]
    fn the_vectors_take_all_beginnings() {
        let secrets = Secrets::new();
        assert!(
            secrets.automaton.is_some() && (secrets.packed.is_some() || cfg!(not(target_arch = "x86_64")))
        );
    }

    #[test]
    fn tokens_are_found_whole_and_examples_are_not() {
        let token = "ghp_x7Qm2LkV9sTz4RbY1nWc8HdJ5fGp3AeU0oKi";
        assert_eq!(found(&format!("export T={token}; ")), [token]);
        assert_eq!(found(&format!("x{token}")), [""; 0]);
        assert_eq!(found("AKIAIOSFODNN7EXAMPLE AKIA2QX7MZL4VTR9WBJE"), ["AKIA2QX7MZL4VTR9WBJE"]);
        assert_eq!(found("ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), [""; 0]);
    }

    #[test]
    fn values_without_order_are_found_where_they_are_assigned() {
        let value = "q8Zr2Lw0XcV7nB4mKs9TyP1dG6hJ3fAe";
        for text in [
            format!("api_key = \"{value}\""),
            format!("\"clientSecret\": \"{value}\","),
            format!("TOKEN={value}"),
        ] {
            assert_eq!(found(&text), [value], "{text}");
        }
        for text in [
            format!("cache key = {value}"),
            "password = your_password_here_2024".to_owned(),
            "token = tokenizer.encode_plus_2d(text)".to_owned(),
            "secret: the_secret_of_success_is_work".to_owned(),
        ] {
            assert_eq!(found(&text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_private_key_is_found_with_its_last_line_or_without() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S\n";
        let whole = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----");
        assert_eq!(found(&format!("a {whole}\nb")), [whole.as_str()]);
        let cut = format!("-----BEGIN PRIVATE KEY-----\n{body}");
        assert_eq!(found(&cut), [cut.trim_end()]);
        assert_eq!(found("-----BEGIN PRIVATE KEY----------BEGIN PRIVATE KEY-----"), [""; 0]);
        assert_eq!(found(&whole.replace("PRIVATE", "PUBLIC")), [""; 0]);
    }
}
