//! One reader a format; each implements [`Input`](crate::input::Input).

pub(crate) mod columns;
pub mod folder;
pub(crate) mod guard;
pub mod ipc;
pub mod jsonl;
pub mod parquet;
pub(crate) mod rows;
pub(crate) mod strings;
#[cfg(test)]
pub(crate) mod testing;
