//! Activate: Pre-Active to Active, now (KMIP 1.4 section 4.19).

use super::alike::{names_an_object, names_the_object};

names_an_object!("KMIP 1.4 table 212.");

names_the_object!("KMIP 1.4 table 213.", "The object.");
