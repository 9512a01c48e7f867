//! The vocabulary on its own, and against all published test cases where those are at hand.

use std::path::{Path, PathBuf};

use super::*;

#[test]
fn a_value_under_a_tag_has_the_name_of_the_tags_enumeration() {
    assert_eq!(Kmip.enumeration_name(tag::OBJECT_TYPE, 2), Some("SymmetricKey"));
    assert_eq!(Kmip.enumeration_number(tag::CRYPTOGRAPHIC_ALGORITHM, "DES3"), Some(2));
    assert_eq!(Kmip.enumeration_number(tag::MASK_GENERATOR_HASHING_ALGORITHM, "SHA_256"), Some(6));
    assert_eq!(Kmip.enumeration_name(tag::ATTRIBUTE_VALUE, 2), None);
    assert_eq!(Kmip.mask_bits(tag::STORAGE_STATUS_MASK).map(<[_]>::len), Some(2));
    assert_eq!(Kmip.mask_bits(tag::CRYPTOGRAPHIC_LENGTH), None);
}

#[test]
fn an_attributes_name_leads_to_its_tag() {
    assert_eq!(Kmip.attribute_tag("Cryptographic Algorithm"), Some(tag::CRYPTOGRAPHIC_ALGORITHM));
    assert_eq!(Kmip.attribute_tag("Operation\n   Policy Name"), Some(tag::OPERATION_POLICY_NAME));
    assert_eq!(Kmip.attribute_tag("PKCS#12 Friendly Name"), Some(tag::PKCS12_FRIENDLY_NAME));
    assert_eq!(Kmip.attribute_tag("x-Component"), None);
}

#[test]
fn key_material_and_passwords_are_secret() {
    for tag in [tag::KEY_MATERIAL, tag::KEY_VALUE, tag::PASSWORD, tag::D, tag::OPAQUE_DATA_VALUE, tag::DATA] {
        assert!(Kmip.is_secret(tag), "{:?}", tag::name(tag));
    }
}

#[test]
fn what_an_operator_must_see_is_not_secret() {
    for tag in [
        tag::REQUEST_MESSAGE,
        tag::KEY_BLOCK,
        tag::CREDENTIAL_VALUE,
        tag::USERNAME,
        tag::UNIQUE_IDENTIFIER,
        tag::UNIQUE_BATCH_ITEM_ID,
        tag::ATTRIBUTE_VALUE,
        tag::DIGEST_VALUE,
        tag::CERTIFICATE_VALUE,
        tag::IV_COUNTER_NONCE,
    ] {
        assert!(!Kmip.is_secret(tag), "{:?}", tag::name(tag));
    }
}

#[test]
fn what_has_no_name_is_secret() {
    for number in [0x000000, 0x420000, 0x420125, 0x540001, 0xffffff] {
        assert!(Kmip.is_secret(Tag::new(number)), "{number:06x}");
    }
}

/// The folder with the published test cases in XML: `KMIP_VECTORS`, or where the project keeps it.
fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("KMIP_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn xml_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            xml_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            into.push(path);
        }
    }
}

/// The value of `name="..."` in the text of an XML start tag.
fn quoted<'a>(start_tag: &'a str, name: &str) -> Option<&'a str> {
    let at = start_tag.find(&format!(" {name}="))? + name.len() + 2;
    let quote = start_tag[at..].chars().next()?;
    start_tag[at + 1..].split(quote).next()
}

/// Elements around the messages, and the one for a tag without a name.
const NO_TAG: &[&str] = &["KMIP", "KmipTestCase", "TTLV"];

/// How many names were looked at, so that a test that saw nothing does not pass.
#[derive(Debug, Default)]
struct Seen {
    tags: usize,
    values: usize,
    bits: usize,
}

/// What in a test case the vocabulary does not know, one line each.
fn unknown_names(text: &str, seen: &mut Seen) -> Vec<String> {
    let mut unknown = Vec::new();
    let mut attribute = None;
    for start_tag in text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let start_tag = start_tag.replace(['\n', '\r', '\t'], " ");
        let element = start_tag.split([' ', '/']).next().unwrap_or_default();
        // Not a name: an end tag, a comment, or a hexadecimal dump of the HTTPS cases.
        if !element.starts_with(|first: char| first.is_ascii_alphabetic()) || NO_TAG.contains(&element) {
            continue;
        }
        let Some(tag) = Kmip.tag(element) else {
            unknown.push(format!("tag: <{start_tag}>"));
            continue;
        };
        seen.tags += 1;
        let Some(value) = quoted(&start_tag, "value") else { continue };
        if tag == tag::ATTRIBUTE_NAME {
            attribute = Kmip.attribute_tag(value);
            if attribute.is_none() && !value.starts_with("x-") && !value.starts_with("y-") {
                unknown.push(format!("attribute: {value}"));
            }
        }
        let named_by = if tag == tag::ATTRIBUTE_VALUE { attribute.unwrap_or(tag) } else { tag };
        match quoted(&start_tag, "type") {
            Some("Enumeration") if !value.starts_with("0x") => {
                seen.values += 1;
                let number = Kmip.enumeration_number(named_by, value);
                // The name that is written is the one that was read.
                if number.and_then(|number| Kmip.enumeration_name(named_by, number)) != Some(value) {
                    unknown.push(format!("value: <{start_tag}>"));
                }
            }
            Some("Integer") if value.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                let known = Kmip.mask_bits(named_by).unwrap_or_default();
                for name in value.split_whitespace() {
                    seen.bits += 1;
                    if !known.iter().any(|&(bit, _)| bit == name) {
                        unknown.push(format!("bit {name}: <{start_tag}>"));
                    }
                }
            }
            _ => {}
        }
    }
    unknown
}

#[test]
fn every_name_in_the_published_test_cases_is_known() {
    let Some(folder) = vectors() else {
        println!("skipped: no published test cases here; set KMIP_VECTORS to their folder");
        return;
    };
    let mut files = Vec::new();
    xml_files(&folder, &mut files);
    let mut seen = Seen::default();
    let mut unknown = Vec::new();
    for file in &files {
        let bytes = std::fs::read(file).expect("the file is readable");
        for line in unknown_names(&String::from_utf8_lossy(&bytes), &mut seen) {
            unknown.push(format!("{}: {line}", file.display()));
        }
    }
    println!("{} files: {seen:?}", files.len());
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(seen.tags > 0 && seen.values > 0 && seen.bits > 0, "{seen:?}");
}
