//! Parquet files: read the same twice, and copied without an internal error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thresher_core::json::Fields;
use thresher_fuzz::file::ScratchFile;
use thresher_fuzz::records::{copy, no_bug, read, usual_fields};
use thresher_io::quiet_guarded_panics;
use thresher_io::readers::parquet::ParquetInput;

thread_local!(static FILE: ScratchFile = ScratchFile::new(".parquet"));

fuzz_target!(init: quiet_guarded_panics(), |data: &[u8]| {
    FILE.with(|file| {
        // Small units cut row groups at pages; as one JSON object a row shows all of its columns.
        let unit_bytes = if data.len() % 3 == 0 { 64 } else { 16 << 20 };
        let fields = if data.len() % 2 == 0 { usual_fields() } else { Fields::default() };
        let Some(input) = no_bug(ParquetInput::open(file.holding(data), "fuzz", unit_bytes)) else { return };
        let Some(()) = no_bug(input.check(&fields)) else { return };
        let Some(records) = no_bug(read(&input, &fields)) else { return };
        assert_eq!(read(&input, &fields).ok().as_ref(), Some(&records));
        no_bug(copy(&input, &records));
    });
});
