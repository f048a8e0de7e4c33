//! gzip streams: hostile ones as they are, and our own with damage.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thresher_fuzz::codecs::{decode_damaged, decode_hostile};
use thresher_io::codec::Codec;

fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((1, rest)) => decode_damaged(Codec::Gzip, rest),
    _ => decode_hostile(Codec::Gzip, data),
});
