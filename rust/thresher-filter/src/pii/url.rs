//! User and password in a URL: `https://user:password@host`. The span is what stands between `//` and `@`.

use super::domains::is_reserved;
use super::kinds::Kind;
use super::scan::Scan;

/// Bytes of user and password.
const LONGEST: usize = 512;
/// What stands for a password in examples.
const PLACEHOLDERS: [&[u8]; 12] = [
    b"password",
    b"passwd",
    b"pass",
    b"pwd",
    b"pw",
    b"secret",
    b"token",
    b"xxx",
    b"xxxx",
    b"xxxxx",
    b"mypassword",
    b"yourpassword",
];

impl Scan<'_> {
    /// Looks at the `:` of a `://`.
    pub(super) fn credentials(&mut self, colon: usize) {
        let start = colon + 3;
        if !self.before(colon).is_ascii_alphanumeric() {
            return;
        }
        let rest = &self.bytes[start..self.bytes.len().min(start + LONGEST)];
        let length = rest.iter().take_while(|&&byte| is_part(byte)).count();
        let Some(at) = rest[..length].iter().rposition(|&byte| byte == b'@') else { return };
        let userinfo = &rest[..at];
        let Some(split) = userinfo.iter().position(|&byte| byte == b':') else { return };
        let end = start + at;
        // Whatever it is, it is no e-mail address.
        self.userinfo_end = end;
        let (user, password) = (&userinfo[..split], &userinfo[split + 1..]);
        let host = &rest[at + 1..length];
        let host = &host[..host.iter().position(|&byte| byte == b':').unwrap_or(host.len())];
        let lower = password.to_ascii_lowercase();
        let is_placeholder = PLACEHOLDERS.contains(&&lower[..])
            || lower.iter().all(|&byte| byte == lower[0])
            || password.len() < 3
            || userinfo.iter().any(|byte| matches!(byte, b'$' | b'{' | b'}' | b'[' | b'('));
        let is_example = !self.reserved && (is_reserved(host) || host.is_empty());
        if is_placeholder || is_example || user.contains(&b'*') {
            return;
        }
        self.found(start, end, Kind::Credentials);
    }
}

/// What may stand in front of the path of a URL (RFC 3986, 3.2), and `@` and `[` where people forget to escape them.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"/?#\"<>\\`".contains(&byte)
}
