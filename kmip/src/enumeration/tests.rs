//! The tables against the counts of the specifications, and each against itself.

use std::collections::BTreeSet;

use super::*;

/// Each enumeration once, though some have two carriers.
fn all() -> Vec<&'static Enumeration> {
    let mut seen = BTreeSet::new();
    carriers().map(|(_, enumeration)| enumeration).filter(|one| seen.insert(one.name)).collect()
}

fn count(enumeration: &Enumeration, version: ProtocolVersion) -> usize {
    enumeration.numbers.iter().filter(|&&number| (enumeration.introduced)(number) <= Some(version)).count()
}

#[test]
fn each_version_has_as_many_enumerations_and_values_as_its_specification_lists() {
    let counts = |version| {
        let sizes: Vec<_> = all().into_iter().map(|enumeration| count(enumeration, version)).collect();
        // Opaque Data Type is there from 1.0 without a value.
        (sizes.iter().filter(|&&size| size > 0).count() + 1, sizes.iter().sum::<usize>())
    };
    assert_eq!(counts(ProtocolVersion::V1_0), (30, 245));
    assert_eq!(counts(ProtocolVersion::V1_1), (33, 271));
    assert_eq!(counts(ProtocolVersion::V1_2), (36, 361));
    assert_eq!(counts(ProtocolVersion::V1_3), (47, 536));
    assert_eq!(counts(ProtocolVersion::V1_4), (49, 608));
}

#[test]
fn the_enumerations_that_grew_have_each_versions_count() {
    #[rustfmt::skip]
    let expected = [
        // table                                 1.0 1.1 1.2 1.3  1.4
        (CredentialType::TABLE,                [  1,  2,  3,  3,   3]),
        (KeyFormatType::TABLE,                 [ 19, 19, 19, 21,  22]),
        (RecommendedCurve::TABLE,              [ 15, 15, 68, 68,  68]),
        (DigitalSignatureAlgorithm::TABLE,     [  0, 16, 16, 16,  19]),
        (SplitKeyMethod::TABLE,                [  3,  3,  4,  4,   4]),
        (ObjectType::TABLE,                    [  8,  8,  9,  9,   9]),
        (CryptographicAlgorithm::TABLE,        [ 25, 25, 26, 27,  40]),
        (BlockCipherMode::TABLE,               [ 17, 17, 17, 17,  18]),
        (HashingAlgorithm::TABLE,              [ 11, 11, 13, 13,  17]),
        (KeyRoleType::TABLE,                   [ 21, 21, 21, 21,  24]),
        (LinkType::TABLE,                      [  7,  7, 11, 11,  13]),
        (DerivationMethod::TABLE,              [  7,  7,  7,  7,   8]),
        (QueryFunction::TABLE,                 [  4,  6,  7, 12,  12]),
        (Operation::TABLE,                     [ 28, 30, 41, 41,  43]),
        (ResultReason::TABLE,                  [ 18, 19, 22, 22,  25]),
        (ProfileName::TABLE,                   [  0,  0,  0, 120, 156]),
    ];
    for (table, counts) in expected {
        let found: Vec<_> =
            ProtocolVersion::ALL.iter().rev().map(|&version| count(&table, version)).collect();
        assert_eq!(found, counts, "{}", table.name);
    }
}

#[test]
fn no_two_values_of_an_enumeration_share_a_number_or_a_name() {
    for table in all() {
        let numbers: BTreeSet<_> = table.numbers.iter().collect();
        let names: BTreeSet<_> = table.numbers.iter().map(|&number| (table.name_of)(number)).collect();
        assert_eq!(numbers.len(), table.numbers.len(), "{}", table.name);
        assert_eq!(names.len(), table.numbers.len(), "{}", table.name);
        assert!(!names.contains(&None), "{}", table.name);
    }
}

#[test]
fn every_value_is_found_by_its_name_and_its_number() {
    for table in all() {
        for &number in table.numbers {
            assert_eq!((table.name_of)(number).and_then(table.number_of), Some(number), "{}", table.name);
        }
    }
    for &operation in Operation::ALL {
        assert_eq!(Operation::from(u32::from(operation)), operation);
    }
}

#[test]
fn an_unknown_value_survives_and_has_no_name() {
    for table in all() {
        for number in [0x7fff_ffff, 0x8000_0001, u32::MAX] {
            assert_eq!((table.name_of)(number), None, "{}", table.name);
            assert_eq!((table.introduced)(number), None, "{}", table.name);
        }
        assert_eq!((table.number_of)("NoSuchName"), None, "{}", table.name);
    }
    assert_eq!(OpaqueDataType::from_number(0x8000_0001).number(), 0x8000_0001);
    assert_eq!(ObjectType::from_number(0x8000_0001), ObjectType::Unknown(0x8000_0001));
    assert_eq!(ObjectType::from_number(0x8000_0001).to_string(), "0x80000001");
    assert_eq!(ObjectType::PgpKey.to_string(), "PGPKey");
}

#[test]
fn longer_names_of_the_normalising_rules_are_read_and_the_shorter_written() {
    let short = DigitalSignatureAlgorithm::Sha256WithRsaEncryption;
    assert_eq!(short.name(), Some("SHA_256WithRSAEncryption"));
    assert_eq!(DigitalSignatureAlgorithm::from_name("SHA_256WithRSAEncryptionPKCS_1V1_5"), Some(short));
    assert_eq!(
        SplitKeyMethod::from_name("PolynomialSharingGF28"),
        Some(SplitKeyMethod::PolynomialSharingGf2_8)
    );
}

#[test]
fn carriers_ascend_and_are_found() {
    assert!(carriers().is_sorted_by(|(a, _), (b, _)| a < b));
    for (tag, enumeration) in carriers() {
        assert_eq!(of(tag).map(|found| found.name), Some(enumeration.name));
    }
    assert_eq!(of(tag::MASK_GENERATOR_HASHING_ALGORITHM).map(|found| found.name), Some("HashingAlgorithm"));
    assert!(of(tag::UNIQUE_IDENTIFIER).is_none());
}

#[test]
fn an_enumeration_is_as_old_as_the_tag_that_carries_it() {
    for (tag, enumeration) in carriers() {
        let first = enumeration.numbers.iter().filter_map(|&number| (enumeration.introduced)(number)).min();
        if enumeration.name != "OpaqueDataType" && tag != tag::MASK_GENERATOR_HASHING_ALGORITHM {
            assert_eq!(first, tag::introduced(tag), "{}", enumeration.name);
        }
    }
}
