//! One writer a format; each implements [`Output`](crate::input::Output) and appears by one commit.

mod array;
pub(crate) mod conform;
pub(crate) mod dictionaries;
pub mod folder;
pub mod ipc;
pub mod lines;
pub mod parquet;
pub(crate) mod regroup;
pub(crate) mod views;
