//! Markup in texts: control tokens of chat templates, and the tags around thoughts and calls.
//!
//! One walk from `<` to `<` and from `[` to `[`. Most texts have few of them, so it costs what `memchr2` does.

use std::borrow::Cow;

use memchr::memchr2;
use memchr::memmem;
use thresher_core::json::Str;

use super::codes::Code;
use super::row::{Found, Row, Turn, texts};
use crate::conversation::Role;
use crate::shown::shown;

/// What a text can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// `<think>`
    Think,
    /// `</think>`
    EndThink,
    /// `<tool_call>` or `</tool_call>`
    Call,
    /// A control token.
    Control,
}

/// Tokens of templates that have no bars: Llama 2, Mistral, Gemma and their kin. `<s>` is left out, since it is HTML more
/// often than not.
const CONTROL: [&str; 14] = [
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "</s>",
    "<<SYS>>",
    "<</SYS>>",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
];

const TAGS: [(&str, Mark); 4] = [
    ("<think>", Mark::Think),
    ("</think>", Mark::EndThink),
    ("<tool_call>", Mark::Call),
    ("</tool_call>", Mark::Call),
];

/// Bars of `<|im_end|>` and of `DeepSeek`'s `<｜User｜>`.
const BARS: [&str; 2] = ["|", "\u{ff5c}"];
/// The longest name between bars.
const NAME: usize = 40;

/// The text in which marks are looked for: as it is written, if no mark can hide behind an escape.
pub(super) fn searchable<'t>(text: &'t Str<'_>) -> Cow<'t, str> {
    let written = text.escaped();
    let hides = memmem::find(written.as_bytes(), b"\\u").is_some() || written.contains("\\/");
    if hides { text.decode().unwrap_or(Cow::Borrowed(written)) } else { Cow::Borrowed(written) }
}

/// The marks in a text, with their spelling, in order.
pub(super) fn marks(text: &str) -> impl Iterator<Item = (Mark, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(step) = memchr2(b'<', b'[', text.as_bytes().get(from..)?) {
            let start = from + step;
            from = start + 1;
            if let Some((mark, len)) = mark_at(&text[start..]) {
                from = start + len;
                return Some((mark, &text[start..from]));
            }
        }
        None
    })
}

fn mark_at(rest: &str) -> Option<(Mark, usize)> {
    let second = *rest.as_bytes().get(1)?;
    match second {
        b'|' | 0xef => {
            let bar = BARS.into_iter().find(|bar| rest[1..].starts_with(bar))?;
            let name = &rest[1 + bar.len()..];
            let in_name = |c: &char| c.is_ascii_alphanumeric() || "_-▁.".contains(*c);
            let len: usize = name.chars().take(NAME).take_while(in_name).map(char::len_utf8).sum();
            let closed = name[len..].strip_prefix(bar).is_some_and(|after| after.starts_with('>'));
            (len > 0 && closed).then_some((Mark::Control, 1 + bar.len() + len + bar.len() + 1))
        }
        b't' | b'/' | b's' | b'e' | b'b' | b'<' | b'I' | b'T' | b'A' => TAGS
            .iter()
            .copied()
            .chain(CONTROL.iter().map(|token| (*token, Mark::Control)))
            .find(|(token, _)| rest.starts_with(token))
            .map(|(token, mark)| (mark, token.len())),
        _ => None,
    }
}

/// Markup that rendering or reading trips over, in all texts.
pub(super) fn check(row: Row<'_>, found: &mut Found<'_>) {
    for turn in row.turns() {
        for text in texts(turn.message) {
            marked(row, turn, &text, turn.message.role == Role::Assistant, found);
        }
        for text in [&turn.message.input, &turn.message.reasoning].into_iter().flatten() {
            marked(row, turn, text, false, found);
        }
    }
}

/// Notes what is wrong with the markup of one text: tags in what the assistant says, control tokens anywhere.
fn marked(row: Row<'_>, turn: Turn<'_>, text: &Str<'_>, is_answer: bool, found: &mut Found<'_>) {
    let text = searchable(text);
    let [mut token, mut call] = [None; 2];
    let [mut open, mut nested, mut unopened] = [false; 3];
    for (mark, spelling) in marks(&text) {
        match mark {
            Mark::Control => token = token.or(Some(spelling)),
            Mark::Call => call = call.or(Some(spelling)),
            Mark::Think => {
                nested |= open;
                open = true;
            }
            Mark::EndThink => {
                unopened |= !open;
                open = false;
            }
        }
    }
    if let Some(token) = token {
        let message = format!(
            "the text holds {}, which a chat template may take for the end or the beginning of a turn; cut it out or \
             write it otherwise",
            shown(token)
        );
        found.note(Code::ControlToken, turn.order(), row.content_path(turn), message);
    }
    if !is_answer {
        return;
    }
    if let Some(tag) = call {
        let message = format!(
            "the text holds {}, but no call could be read from it; write the call in the way of `{}`",
            shown(tag),
            row.format.name()
        );
        found.note(Code::CallInText, turn.order(), row.content_path(turn), message);
    }
    for (there, code, message) in [
        (
            open,
            Code::ThinkUnclosed,
            "a `<think>` has no `</think>`; close it, or leave out a text that was cut short",
        ),
        (unopened, Code::ThinkUnopened, "a `</think>` has no `<think>`; put one where the reasoning begins"),
        (nested, Code::ThinkNested, "a `<think>` stands inside another one; close the first before it"),
    ] {
        if there {
            found.note(code, turn.order(), row.content_path(turn), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_wherever_they_stand_and_markup_of_others_is_not() {
        let text = "a<|im_end|>b [/INST] <think>x</think> <start_of_turn> <｜end▁of▁sentence｜> </tool_call>";
        let found: Vec<_> = marks(text).map(|(_, token)| token).collect();
        assert_eq!(
            found,
            [
                "<|im_end|>",
                "[/INST]",
                "<think>",
                "</think>",
                "<start_of_turn>",
                "<｜end▁of▁sentence｜>",
                "</tool_call>"
            ]
        );
        let others = "a <| b |> c, x[0], [link](y), <s>old</s0>, <table>, <||>, <|two words|>, <think, Vec<[T; 2]>, <｜";
        assert_eq!(marks(others).next(), None);
    }

    #[test]
    fn an_escape_hides_no_token() {
        for written in [r"\u003c|im_end|>", r"[\/INST]", r"<\uff5cUser\uff5c>"] {
            let text = Str::from_escaped(written);
            assert_eq!(marks(&searchable(&text)).count(), 1, "{written}");
        }
    }

    #[test]
    fn many_bars_take_linear_time() {
        // The name between bars is looked for no further than it may be long.
        let text = "<|".repeat(200_000);
        assert_eq!(marks(&text).count(), 0);
        let far = format!("{}{}", "<|a".repeat(100_000), " ".repeat(1 << 20));
        assert_eq!(marks(&far).count(), 0);
    }
}
