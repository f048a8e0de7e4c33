//! Templates from the outside: what a caller of the crate gets.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use thresher_chat::template::{Limits, Moment, RenderOptions, Rendered, Source, Template};
use thresher_chat::{Format, Reason, Result};
use thresher_core::json::Json;

const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

fn template(source: &str) -> Template {
    Template::compile(&Source::text(source), &Limits::default()).unwrap()
}

fn render(source: &str, row: &str, options: &RenderOptions) -> Result<Rendered> {
    template(source).render(&Format::named("openai").unwrap().read(Json::parse(row)?)?, options)
}

fn masked() -> RenderOptions {
    RenderOptions { mask: true, ..RenderOptions::default() }
}

#[test]
fn a_configuration_gives_template_and_tokens() {
    let config = r#"{"bos_token":{"content":"<s>"},"eos_token":"</s>","unk_token":null,"additional_special_tokens":["<x>",{"content":"<y>"}],"chat_template":"{{ bos_token }}{{ additional_special_tokens }}{{ unk_token is defined }}"}"#;
    let source = Source::from_config(Json::parse(config).unwrap(), None, true).unwrap();
    let template = Template::compile(&source, &Limits::default()).unwrap();
    let row = Format::named("openai").unwrap();
    let row = row.read(Json::parse(r#"{"messages":[]}"#).unwrap()).unwrap();
    assert_eq!(template.render(&row, &RenderOptions::default()).unwrap().text, "<s>['<x>', '<y>']False");
    for wrong in ["{}", r#"{"chat_template":[]}"#, r#"{"chat_template":1}"#] {
        let error = Source::from_config(Json::parse(wrong).unwrap(), None, true).unwrap_err();
        assert_eq!(error.reason, Reason::MissingField);
    }
}

#[test]
fn a_template_names_the_line_that_is_wrong() {
    let error =
        Template::compile(&Source::text("a\n{% if x %}\n{{ y | nothing }}"), &Limits::default()).unwrap_err();
    assert_eq!(error.reason, Reason::TemplateError);
    assert!(error.detail.starts_with("line 3 of the template"), "{}", error.detail);
    let error = render("\n{{ messages.more.more }}", r#"{"messages":[]}"#, &masked()).unwrap_err();
    assert!(error.detail.starts_with("line 2 of the template"), "{}", error.detail);
}

#[test]
fn limits_are_those_that_were_asked_for() {
    let limits = Limits { steps: 100, output: 50, source: 40 };
    let options = RenderOptions { limits, ..RenderOptions::default() };
    let row = r#"{"messages":[]}"#;
    for source in ["{% for x in range(99) %}{% endfor %}", "{{ 'a' * 60 }}"] {
        assert_eq!(render(source, row, &options).unwrap_err().reason, Reason::TemplateLimit);
    }
    assert_eq!(render("{{ 'a' * 50 }}", row, &options).unwrap().text.len(), 50);
    let long = Source::text("a".repeat(41));
    assert_eq!(Template::compile(&long, &limits).unwrap_err().reason, Reason::TemplateLimit);
}

#[test]
fn moments_are_dates_that_there_are() {
    for (text, weekday) in [
        ("2024-02-29", "Thursday 060"),
        ("2023-12-31T23:59:59.5+02:00", "Sunday 365"),
        ("1970-01-01 00:00", "Thursday 001"),
    ] {
        let options = RenderOptions { now: Some(Moment::parse(text).unwrap()), ..RenderOptions::default() };
        let done = render("{{ strftime_now('%A %j') }}", r#"{"messages":[]}"#, &options).unwrap();
        assert_eq!(done.text, weekday);
    }
    for text in ["", "2023-02-29", "2023-13-01", "2023-00-01", "x", "2023-01-01T24:00:00", "2023-01"] {
        assert_eq!(Moment::parse(text), None, "{text}");
    }
}

/// Texts that look like markers, or like nothing.
fn content() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,8}",
        Just("<|im_end|>\n<|im_start|>assistant\n".to_owned()),
        Just(" \n ".to_owned()),
        Just("a".to_owned()),
    ]
}

proptest! {
    #[test]
    fn spans_are_the_answers_and_their_end_markers(turns in prop::collection::vec((content(), content()), 1..12), prompt: bool) {
        let mut messages = Vec::new();
        let (mut want, mut at) = (Vec::new(), 0);
        for (question, answer) in &turns {
            at += format!("<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n").len();
            want.push((at, at + answer.len() + "<|im_end|>".len()));
            at = want.last().unwrap().1 + 1;
            messages.push(serde_json::json!({"role": "user", "content": question}));
            messages.push(serde_json::json!({"role": "assistant", "content": answer}));
        }
        let row = serde_json::json!({ "messages": messages }).to_string();
        let options = RenderOptions { add_generation_prompt: prompt, ..masked() };
        match render(CHATML, &row, &options) {
            Ok(done) => prop_assert_eq!(done.spans, want),
            // Many turns that hold each other's markers can be cut in two ways.
            Err(error) => prop_assert!(error.reason == Reason::NoSpans && turns.len() > 6),
        }
    }

    #[test]
    fn no_template_panics(source in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}|-|\\+| |\n|if|for|in|set|endif|endfor|else|macro|raw|endraw|x|messages|'|\"|\\.|\\[|\\]|\\(|\\)|\\{|\\}|\\||,|:|=|1|9e9|~|\\*|length|is|not|none|\\\\|é){0,24}") {
        if let Ok(template) = Template::compile(&Source::text(source), &Limits::default()) {
            let row = Json::parse(r#"{"x":[1,{"a":"é"}],"messages":[]}"#).unwrap();
            let _ = template.render_variables(row, &RenderOptions::default());
        }
    }
}
