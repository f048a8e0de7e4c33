//! Gzip members (RFC 1952), and the zeros behind the last.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::FaultKind;
use super::raw::Raw;

/// How every gzip member begins: its magic number and the only compression method (RFC 1952, section 2.3.1).
pub(super) const GZIP_HEAD: [u8; 3] = [0x1f, 0x8b, 8];

/// A member that is being decoded.
pub(super) type Member<R> = GzDecoder<Raw<R>>;

/// What an error of the decoder says of the member.
pub(super) fn fault(error: &io::Error) -> (FaultKind, String) {
    match error.kind() {
        ErrorKind::UnexpectedEof => (FaultKind::Truncated, "the file ends".to_owned()),
        _ => (FaultKind::Damaged, error.to_string()),
    }
}

/// Reads zeros up to the end of the file, or to what is none.
pub(super) fn only_zeros<R: Read>(raw: &mut Raw<R>) -> io::Result<bool> {
    loop {
        let block = raw.fill_buf()?;
        let zeros = block.iter().take_while(|&&byte| byte == 0).count();
        let (is_end, is_other) = (block.is_empty(), zeros < block.len());
        raw.consume(zeros);
        if is_end || is_other {
            return Ok(is_end);
        }
    }
}
