//! Addresses of hosts and devices: IPv4 from its first digits, IPv6 and hardware addresses from their first separator.
//!
//! An IP address counts if it is routed on the internet: the registries of special purposes (RFC 6890) list what is not,
//! among it private networks and what is reserved for documentation. A network, as `8.8.4.0/24`, is no host. Four short
//! numbers with dots are a version or a section as often as a host; then the word in front decides.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::context::Cue;
use super::kinds::Kind;
use super::scan::Scan;

/// Characters of the longest IPv6 address.
const LONGEST: usize = 45;
/// Hardware addresses of documentation: RFC 7042, 2.1.2.
const DOCUMENTED: [u8; 5] = [0x00, 0x00, 0x5e, 0x00, 0x53];

impl Scan<'_> {
    /// Looks at the first number of what may be an IPv4 address; gives whether four numbers are there, whatever they are.
    pub(super) fn ipv4(&mut self, start: usize) -> bool {
        let (mut octets, mut at) = ([0; 4], start);
        for (number, octet) in octets.iter_mut().enumerate() {
            if number > 0 {
                if self.byte(at) != b'.' {
                    return false;
                }
                at += 1;
            }
            let length = self.bytes[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=3).contains(&length) {
                return false;
            }
            let value = self.value(at, length);
            if value > 255 || length > 1 && self.bytes[at] == b'0' {
                return false;
            }
            *octet = value as u8;
            at += length;
        }
        if self.byte(at) == b'.' && self.byte(at + 1).is_ascii_digit() {
            // The number of an object or of a section: `1.3.6.1.4.1`.
            return false;
        }
        if self.is_ipv4(octets, start, at) {
            self.found(start, at, Kind::Ip);
        }
        true
    }

    fn is_ipv4(&mut self, octets: [u8; 4], start: usize, end: usize) -> bool {
        let opens = self.opens(start) || self.bytes[..start].ends_with(b"//") || self.before(start) == b'@';
        let behind = self.byte(end);
        let closes = !behind.is_ascii_alphanumeric()
            && behind != b'_'
            && !(behind == b'-' && self.byte(end + 1).is_ascii_alphanumeric());
        let address = Ipv4Addr::from(octets);
        if !opens || !closes || !(is_global(address) || self.reserved && is_documentation(address)) {
            return false;
        }
        if self.is_network(end, |bits| bits < 32 && u32::from(address) << bits == 0) {
            return false;
        }
        if octets.iter().all(|&octet| octet < 100) {
            return self.bytes[..start].ends_with(b"//")
                || self.before(start) == b'@'
                || self.context.says_rather(Cue::Host, Cue::Version, start);
        }
        !self.context.says_rather(Cue::Version, Cue::Host, start)
    }

    /// Whether `/n` follows and no bit behind the first `n` is set.
    fn is_network(&self, end: usize, has_no_host: impl Fn(u32) -> bool) -> bool {
        if self.byte(end) != b'/' || !self.byte(end + 1).is_ascii_digit() {
            return false;
        }
        let length = self.run_of_digits(end + 1);
        length <= 3 && has_no_host(self.value(end + 1, length))
    }

    /// Looks at a `:`.
    pub(super) fn colon(&mut self, at: usize) {
        if self.bytes[at + 1..].starts_with(b"//") {
            self.credentials(at);
            return;
        }
        let before = &self.bytes[at.saturating_sub(5)..at];
        let length = before.iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if length == 2 {
            self.hardware(at, b':');
        } else if length == 4 {
            self.ipv6(at - 4);
        }
    }

    /// An IPv6 address of the range that is routed (`2000::/3`), whose first group has four digits.
    fn ipv6(&mut self, start: usize) {
        let before = self.before(start);
        if !matches!(self.bytes[start], b'2' | b'3')
            || before.is_ascii_alphanumeric()
            || matches!(before, b'_' | b':' | b'.' | b'-')
        {
            return;
        }
        let rest = &self.bytes[start..self.bytes.len().min(start + LONGEST + 1)];
        let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(**byte, b':' | b'.');
        let mut length = rest.iter().take_while(is_part).count();
        if length > LONGEST {
            return;
        }
        if matches!(rest[length - 1], b'.' | b':') && !rest[..length].ends_with(b"::") {
            length -= 1;
        }
        let end = start + length;
        let behind = self.byte(end);
        if behind.is_ascii_alphanumeric() || behind == b'_' {
            return;
        }
        // What was taken is ASCII.
        let Ok(address) = self.text[start..end].parse::<Ipv6Addr>() else { return };
        let segments = address.segments();
        let is_documentation = segments[0] == 0x2001 && segments[1] == 0xdb8 // RFC 3849
            || segments[0] == 0x3fff && segments[1] < 0x1000; // RFC 9637
        // Protocols, Teredo and the like (RFC 2928), and the embedded IPv4 addresses of 6to4.
        let is_special = segments[0] == 0x2001 && segments[1] < 0x200 || segments[0] == 0x2002;
        let bits = u128::from(address);
        if is_special
            || is_documentation && !self.reserved
            || self.is_network(end, |prefix| prefix < 128 && bits << prefix == 0)
        {
            return;
        }
        self.found(start, end, Kind::Ip);
    }

    /// Looks at the first of five separators between six pairs of hexadecimal digits (IEEE 802).
    pub(super) fn hardware(&mut self, at: usize, separator: u8) {
        let Some(start) = at.checked_sub(2) else { return };
        let end = start + 17;
        // The second separator first: most have none.
        if end > self.bytes.len()
            || self.bytes[at + 3] != separator
            || !self.bytes[at + 1].is_ascii_hexdigit()
            || !self.kinds.has(Kind::Mac)
            || self.is_longer(start, separator)
        {
            return;
        }
        let mut address = [0; 6];
        for (number, octet) in address.iter_mut().enumerate() {
            let place = start + 3 * number;
            let (Some(high), Some(low)) = (hex(self.bytes[place]), hex(self.bytes[place + 1])) else {
                return;
            };
            if number < 5 && self.bytes[place + 2] != separator {
                return;
            }
            *octet = high << 4 | low;
        }
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let (before, behind) = (self.before(start), self.byte(end));
        let joins = |byte: u8, next: u8| {
            byte == separator && next.is_ascii_hexdigit() || byte == b'-' && is_word(next) || is_word(byte)
        };
        if joins(behind, self.byte(end + 1)) || is_of_no_device(address) {
            return;
        }
        if before == b'-' && is_word(self.before(start - 1)) || is_word(before) {
            return;
        }
        if address[..5] == DOCUMENTED && !self.reserved {
            return;
        }
        self.found(start, end, Kind::Mac);
    }

    /// Whether one more pair and a separator stand in front: that is a fingerprint. A word and a colon are a label.
    fn is_longer(&self, start: usize, separator: u8) -> bool {
        if self.before(start) != separator {
            return false;
        }
        let word = &self.bytes[start.saturating_sub(4)..start - 1];
        let length = word.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        separator == b'-' && length > 0 || length == 2 && word.iter().rev().take(2).all(u8::is_ascii_hexdigit)
    }
}

/// Whether an address is routed on the internet; the registry of RFC 6890, multicast and class E left out.
fn is_global(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(matches!(a, 0 | 10 | 127 | 224..)
        || a == 100 && (64..128).contains(&b) // RFC 6598
        || address.is_link_local()
        || address.is_private()
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || a == 198 && matches!(b, 18 | 19) // RFC 2544
        || is_documentation(address))
}

/// RFC 5737, and 233.252.0.0/24 of RFC 6676.
fn is_documentation(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    matches!((a, b, c), (192, 0, 2) | (198, 51, 100) | (203, 0, 113) | (233, 252, 0))
}

/// Groups of devices, all or no bits, and what people type for an example: digits that count up, and pairs alike.
fn is_of_no_device(address: [u8; 6]) -> bool {
    let is_group = address[0] & 1 != 0;
    let nibbles: Vec<u8> = address.iter().flat_map(|octet| [octet >> 4, octet & 15]).collect();
    let counts = |step: u8| nibbles.windows(2).all(|two| two[1] == (two[0] + step) % 16);
    let pairs_count = address.windows(2).all(|two| two[1] == two[0].wrapping_add(0x11));
    let is_one_digit = nibbles.iter().all(|nibble| *nibble == nibbles[0]);
    is_group || counts(1) || pairs_count || is_one_digit
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_nobody_are_not_global() {
        for text in [
            "10.1.2.3",
            "127.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "192.0.2.7",
            "198.51.100.1",
            "203.0.113.9",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
        ] {
            assert!(!is_global(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.1.1", "192.0.3.1", "223.255.255.1"] {
            assert!(is_global(text.parse().unwrap()), "{text}");
        }
    }
}
