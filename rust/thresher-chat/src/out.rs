//! Writing JSON: objects whose keys and values are already in their written form.

use thresher_core::json::Str;

use crate::conversation::Raw;

/// An object that is being written.
pub(crate) struct Object<'o> {
    out: &'o mut String,
    first: bool,
}

impl<'o> Object<'o> {
    /// Opens an object at the end of `out`.
    pub(crate) fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes a key; its value goes to what is returned.
    pub(crate) fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    /// A member whose value is a string.
    pub(crate) fn string(&mut self, key: &str, value: &Str<'_>) {
        string(self.key(key), value);
    }

    /// A member whose value is written already.
    pub(crate) fn raw(&mut self, key: &str, value: &str) {
        self.key(key).push_str(value);
    }

    /// Closes the object.
    pub(crate) fn close(self) {
        self.out.push('}');
    }
}

/// Writes a string with its quotes.
pub(crate) fn string(out: &mut String, value: &Str<'_>) {
    out.push('"');
    out.push_str(value.escaped());
    out.push('"');
}

/// Writes an array, each element by `write`.
pub(crate) fn array<T, E>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T) -> Result<(), E>,
) -> Result<(), E> {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item)?;
    }
    out.push(']');
    Ok(())
}

/// A string as a value of its own.
pub(crate) fn quoted(value: &Str<'_>) -> Raw<'static> {
    let mut out = String::with_capacity(value.escaped().len() + 2);
    string(&mut out, value);
    out.into()
}
