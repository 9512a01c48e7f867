//! A configuration: one TOML file against a table of keys, every mistake reported at once.
//!
//! A program has its [`Table`] and its own checks of what the values mean together. Parsing, defaults and the printed
//! reference all come from the table.

mod check;
mod keys;
mod mistakes;
mod near;
mod parse;
mod reference;
mod values;

#[cfg(test)]
mod tests;

pub use self::keys::{ANY_NAME, Absent, Key, Kind, Table, key};
pub use self::mistakes::{Mistake, Mistakes};
pub use self::values::{Entry, Values};
