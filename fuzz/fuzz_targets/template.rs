//! Chat templates: hostile programs end soon, give the same text twice and mark whole characters only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thresher_chat::Format;
use thresher_chat::template::{Limits, RenderOptions, Source, Template};
use thresher_core::json::Json;

const LIMITS: Limits = Limits { source: 1 << 16, steps: 2000, output: 1 << 16 };
const ROW: &str = r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Zählt: 1, 2"},
{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":[1,2.5,null]}"}}]},
{"role":"tool","tool_call_id":"a","content":"3"},{"role":"assistant","content":"😀 drei"}],
"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"array"}}}}}]}"#;

fuzz_target!(|data: &[u8]| {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let Ok(template) = Template::compile(&Source::text(source), &LIMITS) else { return };
    let options = RenderOptions { limits: LIMITS, mask: true, ..RenderOptions::default() };
    let _ = template.render_variables(Json::checked(ROW), &options);
    let row = Format::named("openai").expect("it is the name of a format").read(Json::checked(ROW));
    let row = row.expect("the row is one of its format");
    let Ok(rendered) = template.render(&row, &options) else { return };
    let mut last = 0;
    for &(start, end) in &rendered.spans {
        assert!(
            last <= start && start <= end && rendered.text.get(start..end).is_some(),
            "{:?}",
            rendered.spans
        );
        last = end;
    }
    assert_eq!(template.render(&row, &options).as_ref(), Ok(&rendered));
});
