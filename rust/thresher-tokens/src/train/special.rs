//! Special tokens of a vocabulary to be: those asked for, those of a chat format, and reserved slots.

use std::collections::HashSet;

use crate::{Error, Result};

/// Chat formats by name, each with the tokens that its template writes. Sources: the published `tokenizer_config.json` of Qwen 2.5
/// (ChatML), Llama 3.1, Gemma 2, Phi 3 and Mistral 0.3.
const CHAT: [(&str, &[&str]); 5] = [
    ("chatml", &["<|im_start|>", "<|im_end|>"]),
    (
        "llama3",
        &[
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
            "<|eom_id|>",
            "<|python_tag|>",
        ],
    ),
    ("gemma", &["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"]),
    ("phi3", &["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]),
    (
        "mistral",
        &[
            "<s>",
            "</s>",
            "[INST]",
            "[/INST]",
            "[TOOL_CALLS]",
            "[AVAILABLE_TOOLS]",
            "[/AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]",
        ],
    ),
];

/// The names of chat formats.
pub const CHAT_NAMES: [&str; 5] = ["chatml", "llama3", "gemma", "phi3", "mistral"];

/// All special tokens in the order of their ids: `given`, then those of a chat format that are not among them, then
/// `<|reserved_0|>` and so on.
///
/// # Errors
/// `Error::Parameter` for a chat format that there is not.
pub fn special_tokens(given: &[String], chat: Option<&str>, reserved: u32) -> Result<Vec<String>> {
    let mut tokens = given.to_vec();
    if let Some(chat) = chat {
        let (_, of_chat) = CHAT.iter().find(|(name, _)| *name == chat).ok_or_else(|| {
            Error::Parameter(format!("chat is `{chat}`, but it is one of {}", CHAT_NAMES.join(", ")))
        })?;
        for token in *of_chat {
            if !given.iter().any(|other| other == token) {
                tokens.push((*token).to_owned());
            }
        }
    }
    tokens.extend((0..reserved).map(|slot| format!("<|reserved_{slot}|>")));
    Ok(tokens)
}

/// Checks that every token has a text, and is there once.
///
/// # Errors
/// `Error::Parameter` with the one that is wrong.
pub(super) fn check(tokens: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    for token in tokens {
        if token.is_empty() {
            return Err(Error::Parameter(
                "special_tokens has ``, but a token has at least one character".into(),
            ));
        }
        if !seen.insert(token) {
            return Err(Error::Parameter(format!("special_tokens has `{token}` twice; name it once")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_in_order_and_each_once() {
        let given = ["<|endoftext|>".to_owned(), "<|im_end|>".to_owned()];
        let all = special_tokens(&given, Some("chatml"), 2).unwrap();
        assert_eq!(all, ["<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|reserved_0|>", "<|reserved_1|>"]);
        assert!(special_tokens(&[], Some("chatlm"), 0).unwrap_err().to_string().contains("`chatlm`"));
        assert!(CHAT.iter().map(|(name, _)| *name).eq(CHAT_NAMES));
    }
}
