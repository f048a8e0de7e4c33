//! The crate `tokenizers` behind our interface: it loads every file, and encodes where no encoder of ours does.
//!
//! Its policy for special tokens in a text is a state of the tokenizer, so there is one for each policy; the second is made
//! when it is first asked for. A file's truncation and padding are left aside: of a text nothing is cut off.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::OnceLock,
};

use super::{
    file::{AddedToken, File, wrong},
    frame::Frame,
};
use crate::{Error, Result};

/// A tokenizer of the crate.
#[derive(Debug)]
pub(crate) struct Foreign {
    /// Text that spells a special token is text.
    plain: tokenizers::Tokenizer,
    /// Text that spells a special token is that token.
    special: OnceLock<tokenizers::Tokenizer>,
}

impl Foreign {
    /// Loads a file that was checked.
    pub(crate) fn load(json: &[u8], file: &File) -> Result<Self> {
        let json = std::str::from_utf8(json).map_err(|e| wrong(format!("it is not UTF-8: {e}")))?;
        let mut plain = fenced(|| tokenizers::Tokenizer::from_str(json)).map_err(wrong)?;
        for AddedToken { id, content, .. } in &file.added_tokens {
            let given = plain.token_to_id(content);
            if given != Some(*id) && !content.is_empty() {
                return Err(wrong(format!(
                    "the added token `{content}` has the id `{id}`, but the ids of added tokens must follow those of the model without a gap, by which it is `{}`",
                    given.map_or("none".to_owned(), |id| id.to_string())
                )));
            }
        }
        fenced(|| plain.with_truncation(None).map(drop)).map_err(wrong)?;
        plain.with_padding(None);
        plain.set_encode_special_tokens(true);
        Ok(Self { plain, special: OnceLock::new() })
    }

    /// The tokenizer of a policy.
    fn by_policy(&self, special_in_text: bool) -> &tokenizers::Tokenizer {
        if !special_in_text {
            return &self.plain;
        }
        self.special.get_or_init(|| {
            let mut special = self.plain.clone();
            special.set_encode_special_tokens(false);
            special
        })
    }

    /// The id of a token, added ones included.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        self.plain.token_to_id(token)
    }

    /// What the post-processor puts around a text; `None` if it does anything else.
    pub(crate) fn frame(&self) -> Option<Frame> {
        fenced(|| Ok(Frame::of(self.plain.get_post_processor()))).ok()?
    }

    /// Appends the ids of a text.
    pub(crate) fn encode(
        &self,
        text: &str,
        special_in_text: bool,
        add_special: bool,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        let tokenizer = self.by_policy(special_in_text);
        let encoding = fenced(|| tokenizer.encode_fast(text, add_special)).map_err(Error::Tokenizer)?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }

    /// Appends the ids of a text and the bytes that each stands for.
    pub(crate) fn encode_with_offsets(
        &self,
        text: &str,
        special_in_text: bool,
        add_special: bool,
        ids: &mut Vec<u32>,
        offsets: &mut Vec<(u32, u32)>,
    ) -> Result<()> {
        let tokenizer = self.by_policy(special_in_text);
        let encoding = fenced(|| tokenizer.encode(text, add_special)).map_err(Error::Tokenizer)?;
        ids.extend_from_slice(encoding.get_ids());
        offsets.extend(encoding.get_offsets().iter().map(|&(start, end)| (start as u32, end as u32)));
        Ok(())
    }
}

/// Runs a step of the crate: an error or a panic in it is a message.
fn fenced<T>(step: impl FnOnce() -> tokenizers::Result<T>) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(panic) => Err(message(&*panic)),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    format!("a check inside the crate `tokenizers` failed: {}", said.unwrap_or("no message"))
}
