//! Chat rows of any kind: read as every format, written again, checked, detected.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thresher_chat::validate::{Options, Validator};
use thresher_chat::{Conversation, Format, NAMES, RowLosses, detect};
use thresher_core::json::Json;

fuzz_target!(|data: &[u8]| {
    let Ok(line) = std::str::from_utf8(data) else { return };
    let Ok(row) = Json::parse(line) else { return };
    let _ = detect([row]);
    let mut validator = Validator::try_new(&Options::default()).expect("the defaults are options");
    for name in NAMES {
        let format = Format::named(name).expect("it is the name of a format");
        let mut problems = Vec::new();
        validator.check(row, &format, &mut problems);
        let Ok(conversation) = format.read(row) else { continue };
        let written = conversation.to_json();
        let again = Json::parse(&written).expect("what we write is JSON");
        let again = Conversation::from_json(again).expect("what we write is a conversation");
        assert_eq!(again, conversation, "{name}: the intermediate form comes back as it was");

        let (mut out, mut losses) = (String::new(), RowLosses::default());
        if format.write(&conversation, &mut out, &mut losses).is_err() || !losses.is_empty() {
            continue;
        }
        let out_row = Json::parse(&out).expect("what we write is JSON");
        let back = format.read(out_row).expect("what a format writes it reads");
        let mut twice = String::new();
        format.write(&back, &mut twice, &mut losses).expect("what was written once is written again");
        assert_eq!(twice, out, "{name}: a second round trip changes nothing");
    }
});
