//! E-mail addresses, from their `@` in both directions.
//!
//! What is taken is the dot-atom of RFC 5322 before the `@`, at most 64 bytes of ASCII, and a host name behind it whose last
//! label is a top-level domain that there is. Of the characters that the RFC allows, those that separate things in text
//! and paths (`/ ? & |` and backquotes) end an address to the left, those of markup (`# * { } $ ^ ! ~`) unless they stand within a word,
//! and so does the `=` of `email=jo@...`. Quoted local parts, addresses in brackets and names beyond ASCII are left out.

use super::domains::is_reserved;
use super::kinds::Kind;
use super::scan::Scan;

/// RFC 5321, 4.5.3.1.
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 253;
const LONGEST_LABEL: usize = 63;
/// Users of version control over SSH, as in `git@host:path`.
const REPOSITORY_USERS: [&[u8]; 3] = [b"git", b"hg", b"svn"];

impl Scan<'_> {
    /// Looks at an `@`.
    pub(super) fn email(&mut self, at: usize) {
        let may_be = is_local(self.before(at)) && self.byte(at + 1).is_ascii_alphanumeric();
        if !may_be || !self.kinds.has(Kind::Email) || self.userinfo_end == at {
            return;
        }
        let Some(start) = self.local_part(at) else { return };
        let Some(end) = self.domain(at + 1) else { return };
        let domain = &self.bytes[at + 1..end];
        let is_repository = self.byte(end) == b':' && REPOSITORY_USERS.contains(&&self.bytes[start..at]);
        if is_repository || !self.reserved && is_reserved(domain) {
            return;
        }
        self.found(start, end, Kind::Email);
    }

    /// Where the part before the `@` begins.
    fn local_part(&self, at: usize) -> Option<usize> {
        let before = &self.bytes[at.saturating_sub(LONGEST_LOCAL + 1)..at];
        let length = before.iter().rev().take_while(|&&byte| is_local(byte)).count();
        let mut start = at - length;
        let local = &self.bytes[start..at];
        if let Some(cut) = (0..length).rev().find(|&place| separates(local, place)) {
            // User without a password in a URL.
            let userinfo = local[cut] == b'/' && self.bytes[..start + cut].ends_with(b":/");
            if userinfo {
                return None;
            }
            start += cut + 1;
        } else if length > LONGEST_LOCAL {
            return None;
        }
        let local = &self.bytes[start..at];
        if let Some(equals) = local.iter().position(|&byte| byte == b'=')
            && (local[..equals].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
                || local[..equals].eq_ignore_ascii_case(b"e-mail"))
        {
            start += equals + 1;
        }
        if let Some(dots) = self.bytes[start..at].windows(2).rposition(|two| two == b"..") {
            start += dots + 2;
        }
        let local = &self.bytes[start..at];
        start += local.iter().position(u8::is_ascii_alphanumeric)?;
        (self.bytes[at - 1] != b'.').then_some(start)
    }

    /// Where the host name that begins at `start` ends.
    fn domain(&self, start: usize) -> Option<usize> {
        let rest = &self.bytes[start..self.bytes.len().min(start + LONGEST_DOMAIN + 1)];
        let length =
            rest.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        let length = length.count();
        if length > LONGEST_DOMAIN || self.byte(start + length) == b'@' {
            return None;
        }
        let trailing = rest[..length].iter().rev().take_while(|byte| matches!(byte, b'-' | b'.')).count();
        let mut domain = &rest[..length - trailing];
        // `jo@there.net.When`: a sentence that begins without a blank.
        if let Some(dot) = domain.iter().rposition(|&byte| byte == b'.')
            && domain[dot + 1].is_ascii_uppercase()
            && domain[..dot].contains(&b'.')
            && domain[..dot].last().is_some_and(u8::is_ascii_lowercase)
        {
            domain = &domain[..dot];
        }
        let mut labels = domain.split(|&byte| byte == b'.');
        let good = |label: &[u8]| {
            (1..=LONGEST_LABEL).contains(&label.len()) && label[0] != b'-' && label[label.len() - 1] != b'-'
        };
        let top = domain.rsplit(|&byte| byte == b'.').next()?;
        let is_name = top.len() < domain.len() && labels.all(good) && self.domains.is_top_level(top);
        (is_name || self.reserved && is_reserved(domain)).then_some(start + domain.len())
    }
}

/// `atext` of RFC 5322, 3.2.3, and the dot.
const LOCAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b".!#$%&'*+/=?^_`{|}~-";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

fn is_local(byte: u8) -> bool {
    LOCAL[usize::from(byte)]
}

/// Whether an address begins behind a place. Some characters separate things wherever they stand, others unless they stand within a word.
fn separates(local: &[u8], place: usize) -> bool {
    let is_within = || {
        let is_word =
            |at: Option<usize>| at.and_then(|at| local.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        is_word(place.checked_sub(1)) && is_word(Some(place + 1))
    };
    match local[place] {
        b'/' | b'?' | b'&' | b'|' | b'`' => true,
        b'#' | b'*' | b'{' | b'}' | b'$' | b'^' | b'!' | b'~' => !is_within(),
        _ => false,
    }
}
