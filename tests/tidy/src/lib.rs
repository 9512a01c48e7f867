//! House rules as functions over the repository's text: each takes a [`Tree`] and says what breaks it, where.
//!
//! Reads files below the repository's root and nothing else. The tests hold each rule against the house, and first
//! against an example that breaks it, so that a rule that sees nothing fails too.

mod manifests;
mod pages;
mod source;
mod sources;
mod tree;

pub use manifests::{arrows, dependency_comments, member_manifests};
pub use pages::{links, machine_paths, metric_names, toolchain_files};
pub use sources::{heads, long_files, pure_rooms, sleeps_in_tests, test_names, unfinished, unwraps};
pub use tree::Tree;
