//! Templates and rows that attack: each ends soon, with an error of the row or with harmless text, on a stack of 2 MB.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use thresher_chat::template::{Limits, RenderOptions, Source, Template};
use thresher_chat::{Format, Reason, Result};
use thresher_core::json::Json;

/// What must come out.
enum Want {
    /// The template or the row uses too much.
    Limit,
    /// It is an error as in jinja2.
    Error,
    /// This text: the reach got nothing.
    Text(&'static str),
}
use Want::{Error, Limit, Text};

const ROW: &str = r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes"}]}"#;

/// Name, template, what must come out.
#[allow(clippy::too_many_lines, reason = "a table")]
fn payloads() -> Vec<(&'static str, String, Want)> {
    let own = str::to_owned;
    let deep = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{{{{ {}{inner}{} }}}}", open.repeat(times), close.repeat(times))
    };
    let doubling = |times: usize, end: &str| {
        format!("{}{{{{ {end} }}}}", "{% set x = [x, x] %}{% set y = [y, y] %}".repeat(times))
    };
    vec![
        ("class walk", own("{{ ''.__class__.__mro__[1].__subclasses__() }}"), Error),
        ("class alone", own("{{ ''.__class__ }}"), Text("")),
        ("class by item", own("{{ ''['__class__']['__base__'] }}"), Error),
        ("class by filter", own("{{ ('' | attr('__class__')) | attr('__mro__') }}"), Error),
        ("class by map", own("{{ [''] | map(attribute='__class__.__init__') | list }}"), Error),
        ("class by format", own("{{ '{0.__class__.__init__.__globals__}'.format(messages) }}"), Error),
        ("globals of a function", own("{{ range.__globals__['os'].system('id') }}"), Error),
        (
            "globals of a macro",
            own("{% macro m() %}{% endmacro %}{{ m.__globals__ }}{{ m.__call__ }}"),
            Text(""),
        ),
        ("globals of a cycler", own("{{ cycler.__init__.__globals__.os.popen('id').read() }}"), Error),
        ("globals of lipsum", own("{{ lipsum.__globals__['os'].popen('id').read() }}"), Error),
        ("self", own("{{ self.__init__.__globals__ }}"), Error),
        ("config", own("{{ config.items() }}"), Error),
        ("import", own("{% import 'os' as os %}{{ os.system('id') }}"), Error),
        ("from import", own("{% from 'os' import system %}"), Error),
        ("include", own("{% include '/etc/passwd' %}"), Error),
        ("extends", own("{% extends '/etc/passwd' %}"), Error),
        ("the row is changed", own("{{ messages.append(1) }}"), Error),
        ("a dict is changed", own("{{ messages[0].update({'role': 'x'}) }}"), Error),
        (
            "endless loops",
            own("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
            Limit,
        ),
        (
            "loops that print",
            own("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}"),
            Limit,
        ),
        ("recursion of a macro", own("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), Limit),
        (
            "two macros",
            own(
                "{% macro a() %}{{ b() }}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}",
            ),
            Limit,
        ),
        (
            "recursion by caller",
            own("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}"),
            Limit,
        ),
        ("recursive loop", own("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"), Limit),
        ("a giant range", own("{{ range(10000000000) | list }}"), Limit),
        ("a range beyond integers", own("{{ range(2 ** 90) }}"), Error),
        ("a repeated text", own("{{ 'a' * 10 ** 12 }}"), Limit),
        (
            "a text doubled often",
            own(
                "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            ),
            Limit,
        ),
        (
            "a text joined to itself",
            own(
                "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            ),
            Limit,
        ),
        ("a repeated list", own("{{ [1] * 10 ** 12 }}"), Limit),
        (
            "a list doubled often",
            own(
                "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            ),
            Limit,
        ),
        ("a replaced text", own("{{ ('a' * 100000).replace('a', 'b' * 100000) }}"), Limit),
        ("a replaced nothing", own("{{ ('a' * 100000) | replace('', 'b' * 100000) }}"), Limit),
        ("a wide field", own("{{ '%999999999d' % 1 }}"), Limit),
        ("a wide format", own("{{ '{:>999999999}'.format('a') }}"), Limit),
        ("a precise format", own("{{ '{:.999999999f}'.format(1.5) }}"), Limit),
        ("a wide center", own("{{ 'a' | center(999999999999) }}"), Limit),
        ("a wide ljust", own("{{ 'a'.ljust(999999999999) }}"), Limit),
        ("a wide zfill", own("{{ '1'.zfill(999999999999) }}"), Limit),
        ("a wide indent", own("{{ 'a\nb' | indent(999999999999) }}"), Limit),
        ("a wide indent of JSON", own("{{ [[[[1]]]] | tojson(indent=999999999999) }}"), Limit),
        (
            "wide separators of JSON",
            own("{{ (range(1000) | list) | tojson(separators=('a' * 100000, 'b')) }}"),
            Limit,
        ),
        ("a wide join", own("{{ (range(10000) | list) | join('a' * 100000) }}"), Limit),
        ("a wide batch", own("{{ [1] | batch(999999999999, 1) | list }}"), Limit),
        ("many slices", own("{{ [1] | slice(999999999999) | list }}"), Limit),
        ("a giant power", own("{{ 9 ** 9 ** 9 }}"), Limit),
        (
            "a comparison that doubles",
            format!("{{% set x = [1] %}}{{% set y = [1] %}}{}", doubling(60, "x == y")),
            Limit,
        ),
        (
            "a print that doubles",
            format!("{{% set x = [1] %}}{{% set y = [1] %}}{}", doubling(60, "x")),
            Limit,
        ),
        (
            "JSON that doubles",
            format!("{{% set x = [1] %}}{{% set y = [1] %}}{}", doubling(60, "x | tojson")),
            Limit,
        ),
        (
            "a search that doubles",
            format!("{{% set x = [1] %}}{{% set y = [1] %}}{}", doubling(60, "x in [y]")),
            Limit,
        ),
        ("a namespace in itself, printed", own("{% set a = namespace() %}{% set a.a = a %}{{ a }}"), Limit),
        (
            "namespaces in themselves, compared",
            own(
                "{% set a = namespace() %}{% set b = namespace() %}{% set a.s = a %}{% set b.s = b %}{{ a == b }}",
            ),
            Text("False"),
        ),
        (
            "a list that holds itself deeper and deeper",
            own(
                "{% set ns = namespace(x=1) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}",
            ),
            Limit,
        ),
        (
            "a dict that holds itself deeper and deeper",
            own(
                "{% set ns = namespace(x=1) %}{% for i in range(90000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
            ),
            Limit,
        ),
        (
            "namespaces in namespaces",
            own(
                "{% set ns = namespace(x=1) %}{% for i in range(9000) %}{% set ns.x = namespace(x=ns.x) %}{% endfor %}",
            ),
            Text(""),
        ),
        ("batches of batches", format!("{{{{ [1]{} }}}}", " | batch(1)".repeat(9000)), Limit),
        ("nested parentheses", deep("(", "1", ")", 10_000), Limit),
        ("nested lists", deep("[", "1", "]", 10_000), Limit),
        ("nested dicts", deep("{'a':", "1", "}", 10_000), Limit),
        ("nested calls", deep("range(", "1", ")", 10_000), Limit),
        ("nested subscripts", deep("a[", "1", "]", 10_000), Limit),
        ("many nots", deep("not ", "1", "", 10_000), Limit),
        ("many minuses", deep("-", "1", "", 10_000), Limit),
        ("a long sum", deep("1+", "1", "", 100_000), Limit),
        ("a long path", format!("{{{{ a{} }}}}", ".a".repeat(100_000)), Limit),
        ("many filters", format!("{{{{ 1{} }}}}", "|abs".repeat(100_000)), Limit),
        ("many conditions", deep("1 if 1 else ", "1", "", 10_000), Limit),
        ("nested ifs", format!("{}{}", "{% if 1 %}".repeat(10_000), "{% endif %}".repeat(10_000)), Limit),
        (
            "nested loops",
            format!("{}{}", "{% for x in [1] %}".repeat(10_000), "{% endfor %}".repeat(10_000)),
            Limit,
        ),
        ("nested targets", format!("{{% set {}a{} = 1 %}}", "(".repeat(10_000), ")".repeat(10_000)), Limit),
        ("many elifs", format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(20_000)), Text("")),
        ("a large source", "x".repeat(2 << 20), Limit),
        ("many open tags", "{{".repeat(100_000), Error),
        ("many open comments", "{#".repeat(100_000), Error),
        ("many raw tags", "{% raw %}".repeat(50_000), Error),
        (
            "many scopes",
            own(
                "{% macro m() %}{% endmacro %}{% for i in range(90000) %}{% macro n() %}{% endmacro %}{% endfor %}",
            ),
            Text(""),
        ),
        (
            "a variable in many scopes",
            own("{% for i in range(90000) %}{% set x = i %}{{ y }}{% endfor %}"),
            Limit,
        ),
        (
            "a sort of many",
            own("{{ (range(99999) | list | reverse | list | sort | sort | sort | sort)[0] }}"),
            Limit,
        ),
        ("a lookup of many", own("{% for i in range(9999) %}{{ i in range(9999) }}{% endfor %}"), Limit),
        ("a message that is refused", own("{{ raise_exception(messages * 10 ** 9) }}"), Limit),
    ]
}

fn render(template: &str, row: &str) -> Result<String> {
    let template = Template::compile(&Source::text(template), &Limits::default())?;
    let conversation = Format::named("openai").unwrap().read(Json::parse(row)?)?;
    template.render(&conversation, &RenderOptions::default()).map(|done| done.text)
}

/// Runs `work` on the stack that threads have by default, and gives how long it took.
fn timed<T: Send>(work: impl FnOnce() -> T + Send) -> (T, Duration) {
    std::thread::scope(|scope| {
        let run = || {
            let start = Instant::now();
            (work(), start.elapsed())
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

#[test]
fn hostile_templates_end_soon_and_reach_nothing() {
    let payloads = payloads();
    let mut longest = (Duration::ZERO, "");
    for (name, template, want) in &payloads {
        let (done, took) = timed(|| render(template, ROW));
        longest = longest.max((took, name));
        match (want, &done) {
            (Limit, Err(error)) => assert_eq!(error.reason, Reason::TemplateLimit, "{name}: {error}"),
            (Error, Err(error)) => assert_eq!(error.reason, Reason::TemplateError, "{name}: {error}"),
            (Text(text), Ok(done)) => assert_eq!(done.trim(), *text, "{name}"),
            (_, done) => panic!("{name}: {}", format!("{done:?}").chars().take(200).collect::<String>()),
        }
    }
    assert!(payloads.len() > 60);
    println!("{} hostile templates, the longest took {:?}: {}", payloads.len(), longest.0, longest.1);
}

#[test]
fn hostile_rows_end_soon_with_a_reason_or_as_text() {
    const CHATML: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ m.tool_calls | default('') }}{{ m.extra | tojson if m.extra is defined }}\n{% endfor %}";
    let nested = |open: &str, close: &str| open.repeat(10_000) + &close.repeat(10_000);
    let message = |rest: &str| format!(r#"{{"messages":[{{"role":"user","content":"x"{rest}}}]}}"#);
    let rows: Vec<(&str, String)> = vec![
        ("deep extra", message(&format!(r#","extra":{}"#, nested("[", "]")))),
        ("deep object", message(&format!(r#","extra":{}1{}"#, "{\"a\":".repeat(10_000), "}".repeat(10_000)))),
        ("deep tools in a text", message("").replace("]}", &format!(r#"],"tools":"{}"}}"#, nested("[", "]")))),
        ("a template in a text", r#"{"messages":[{"role":"user","content":"{{ ''.__class__ }}{% for x in y %}"}]}"#.into()),
        ("a mark in a text", "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\u{f0000}thresher\u{f0001}mark\u{f0002}\"}]}".into()),
        ("half a pair", r#"{"messages":[{"role":"user","content":"\ud800"}]}"#.into()),
        ("many messages", format!(r#"{{"messages":[{}{{"role":"user","content":"x"}}]}}"#, r#"{"role":"assistant","content":"yes"},"#.repeat(20_000))),
        ("many keys", message(&format!(r#","extra":{{{}"z":1}}"#, (0..50_000).fold(String::new(), |all, key| all + &format!("\"{key}\":1,"))))),
        ("a large number", message(&format!(r#","extra":{}"#, "9".repeat(100_000)))),
        ("a large exponent", message(r#","extra":1e999999"#)),
        ("a long text", format!(r#"{{"messages":[{{"role":"assistant","content":"{}"}}]}}"#, "x".repeat(1 << 20))),
        ("deep arguments", r#"{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"A"}}]}]}"#.replace('A', &nested("[", "]"))),
    ];
    let template = Template::compile(&Source::text(CHATML), &Limits::default()).unwrap();
    let openai = Format::named("openai").unwrap();
    let mut longest = (Duration::ZERO, "");
    for (name, row) in &rows {
        let (done, took) = timed(|| {
            let options = RenderOptions { mask: true, ..RenderOptions::default() };
            template.render(&openai.read(Json::parse(row)?)?, &options)
        });
        longest = longest.max((took, name));
        if let Ok(done) = done {
            assert!(!done.text.contains("class 'str'"), "{name}");
            assert!(done.spans.iter().all(|(start, end)| done.text.get(*start..*end).is_some()), "{name}");
        }
    }
    println!("{} hostile rows, the longest took {:?}: {}", rows.len(), longest.0, longest.1);
}
