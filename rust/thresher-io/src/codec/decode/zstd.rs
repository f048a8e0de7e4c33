//! Zstandard frames (RFC 8878), of data or to be skipped.

use std::io::{self, BufRead, ErrorKind};

use ::zstd::stream::raw::{DParameter, Decoder, Operation};

use super::FaultKind;

/// The largest window, as `zstd --long=27` makes it, which is what `zstd -d` takes without being asked. It is memory
/// of one decoder.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// How every zstd frame begins that holds data (RFC 8878, section 3.1.1).
pub(super) const ZSTD_HEAD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The longest header of a zstd frame (RFC 8878, section 3.1.1.1).
pub(super) const ZSTD_HEADER_BYTES: usize = 18;

/// A zstd frame that is being decoded.
pub(super) struct Frame {
    decoder: Decoder<'static>,
    /// What its header says of its size.
    pub(super) declared: Option<u64>,
    ended: bool,
}

impl Frame {
    /// The frame whose header is in `head`.
    pub(super) fn begin(head: &[u8]) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
        let declared = ::zstd::zstd_safe::get_frame_content_size(head).ok().flatten();
        Ok(Self { decoder, declared, ended: false })
    }

    /// 0 bytes at the end of the frame.
    pub(super) fn read(&mut self, raw: &mut impl BufRead, buf: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            let input = raw.fill_buf()?;
            let is_last = input.is_empty();
            let done = self.decoder.run_on_buffers(input, buf)?;
            raw.consume(done.bytes_read);
            self.ended = done.remaining == 0;
            if done.bytes_written > 0 {
                return Ok(done.bytes_written);
            }
            if is_last && !self.ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

/// Whether `head` begins a frame: of data, one to skip, or one of the old versions.
pub(super) fn is_frame(head: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = head.first_chunk() else { return false };
    matches!(
        u32::from_le_bytes([a, b, c, d]),
        0xFD2F_B528 | 0x184D_2A50..=0x184D_2A5F | 0xFD2F_B522..=0xFD2F_B527 | 0xFD2F_B51E
    )
}

/// What an error of the decoder says of the frame.
pub(super) fn fault(error: &io::Error) -> (FaultKind, String) {
    let said = error.to_string();
    if error.kind() == ErrorKind::UnexpectedEof {
        (FaultKind::Truncated, "the file ends".to_owned())
    } else if said.contains("too much memory") {
        let window = "a window of more than 128 MiB is needed (compress with --long=27 at most)";
        (FaultKind::Unsupported, window.to_owned())
    } else if said.contains("Dictionary mismatch") {
        (FaultKind::Unsupported, "a dictionary is needed (compress without one)".to_owned())
    } else if said.contains("not supported") || said.contains("Unsupported") {
        (FaultKind::Unsupported, said)
    } else {
        (FaultKind::Damaged, said)
    }
}
