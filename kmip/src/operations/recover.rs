//! Recover: back from archival storage (KMIP 1.4 section 4.23).

use super::alike::{names_an_object, names_the_object};

names_an_object!("KMIP 1.4 table 218.");

names_the_object!("KMIP 1.4 table 219.", "The object.");
