//! A file that an operator took for a backup: refused in words, whatever is in it.

use fuzz::Answer;

use super::format::{Item, MAGIC, SEAL_BYTES, START_BYTES};
use super::read::{Reader, Start};
use super::test_bed::{Bed, root};

/// A change of what a checksum covers would not be looked at further: each input is tried with the right one too.
fn with_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = bytes.get(MAGIC.len() + 1..START_BYTES)?.first_chunk()?;
    let end = START_BYTES.checked_add(u32::from_be_bytes(*length) as usize)?.checked_add(SEAL_BYTES)?;
    let mut bytes = bytes.to_vec();
    let (covered, rest) = bytes.get_mut(..end)?.split_last_chunk_mut::<4>()?;
    *rest = crc32c::crc32c(covered).to_be_bytes();
    Some(bytes)
}

#[test]
fn what_is_fed_as_a_backup_is_read_or_refused_in_words() {
    let bed = Bed::new();
    let whole = std::fs::read(bed.backup("seed", &bed.events(3))).unwrap();
    let file = bed.path("fed");
    let (root, directory) = (root(), file.display().to_string());
    let fed = fuzz::feed(env!("CARGO_MANIFEST_DIR"), "backup-file", vec![whole], |bytes| {
        let mut said = String::new();
        for bytes in [Some(bytes.to_vec()), with_checksum(bytes)].into_iter().flatten() {
            std::fs::write(&file, &bytes).unwrap();
            if let Ok(start) = Start::read(&file) {
                said += if start.header.is_ok() { "header " } else { "start " };
            }
            match Reader::open(&file, &root) {
                Ok(mut reader) => {
                    let end = loop {
                        match reader.next_record() {
                            Ok(Some(_)) => {}
                            Ok(None) => break "whole".to_owned(),
                            Err(why) => break why.to_string(),
                        }
                    };
                    said += &end.replace(&directory, "");
                }
                Err(why) => said += &why.to_string().replace(&directory, ""),
            }
            // What stands inside the chunks, which no one can change who has not the key.
            let _ = Item::decode(&bytes);
        }
        Answer::of_text(&said)
    });
    assert!(fed.answers > 4, "{fed:?}");
}
