//! Archive: into archival storage (KMIP 1.4 section 4.22).

use super::alike::{names_an_object, names_the_object};

names_an_object!("KMIP 1.4 table 216.");

names_the_object!("KMIP 1.4 table 217.", "The object.");
