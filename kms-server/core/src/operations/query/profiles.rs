//! The profiles that the server meets: a row a profile, with the operations that its conditions ask for. A profile is
//! told of when all of them are there.
//!
//! Not told of are the profiles that are named after how clients connect (Baseline, Complete, Suite B, HTTPS, JSON, XML):
//! that is the listener's affair, which is not known here.

use kmip::ProtocolVersion;
use kmip::enumeration::{Operation, ProfileName};
use kmip::tag;
use ttlv::{Node, Value};

use Operation as O;
use ProfileName as P;

/// What all profiles ask for: the Baseline Server.
const BASELINE: &[O] = &[
    O::Locate,
    O::Check,
    O::Get,
    O::GetAttributes,
    O::GetAttributeList,
    O::AddAttribute,
    O::ModifyAttribute,
    O::DeleteAttribute,
    O::Activate,
    O::Revoke,
    O::Destroy,
    O::Query,
    O::DiscoverVersions,
];

// What each asks for beside that: its own conditions, and what its mandatory test cases use.
const TAPE_LIBRARY: &[O] = &[O::Create];
const SYMMETRIC_LIFECYCLE: &[O] = &[O::Create];
const ASYMMETRIC_LIFECYCLE: &[O] = &[O::CreateKeyPair];
const BASIC: &[O] = &[O::Encrypt, O::Decrypt];
const ADVANCED: &[O] = &[
    O::Encrypt,
    O::Decrypt,
    O::Sign,
    O::SignatureVerify,
    O::Mac,
    O::MacVerify,
    O::RngRetrieve,
    O::RngSeed,
    O::Hash,
];
const RNG: &[O] = &[O::RngRetrieve, O::RngSeed];
const FOUNDRY: &[O] = &[O::Create];
const OPAQUE: &[O] = &[O::Register];
const DRIVES: &[O] = &[O::Register];

#[rustfmt::skip]
const PROFILES: &[(ProfileName, &[Operation])] = &[
    (P::TapeLibraryServerKmipV1_0,                         TAPE_LIBRARY),
    (P::TapeLibraryServerKmipV1_1,                         TAPE_LIBRARY),
    (P::TapeLibraryServerKmipV1_2,                         TAPE_LIBRARY),
    (P::TapeLibraryServerKmipV1_3,                         TAPE_LIBRARY),
    (P::TapeLibraryServerKmipV1_4,                         TAPE_LIBRARY),
    (P::SymmetricKeyLifecycleServerKmipV1_0,               SYMMETRIC_LIFECYCLE),
    (P::SymmetricKeyLifecycleServerKmipV1_1,               SYMMETRIC_LIFECYCLE),
    (P::SymmetricKeyLifecycleServerKmipV1_2,               SYMMETRIC_LIFECYCLE),
    (P::SymmetricKeyLifecycleServerKmipV1_3,               SYMMETRIC_LIFECYCLE),
    (P::SymmetricKeyLifecycleServerKmipV1_4,               SYMMETRIC_LIFECYCLE),
    (P::AsymmetricKeyLifecycleServerKmipV1_0,              ASYMMETRIC_LIFECYCLE),
    (P::AsymmetricKeyLifecycleServerKmipV1_1,              ASYMMETRIC_LIFECYCLE),
    (P::AsymmetricKeyLifecycleServerKmipV1_2,              ASYMMETRIC_LIFECYCLE),
    (P::AsymmetricKeyLifecycleServerKmipV1_3,              ASYMMETRIC_LIFECYCLE),
    (P::AsymmetricKeyLifecycleServerKmipV1_4,              ASYMMETRIC_LIFECYCLE),
    (P::BasicCryptographicServerKmipV1_2,                  BASIC),
    (P::BasicCryptographicServerKmipV1_3,                  BASIC),
    (P::BasicCryptographicServerKmipV1_4,                  BASIC),
    (P::AdvancedCryptographicServerKmipV1_2,               ADVANCED),
    (P::AdvancedCryptographicServerKmipV1_3,               ADVANCED),
    (P::AdvancedCryptographicServerKmipV1_4,               ADVANCED),
    (P::RngCryptographicServerKmipV1_2,                    RNG),
    (P::RngCryptographicServerKmipV1_3,                    RNG),
    (P::RngCryptographicServerKmipV1_4,                    RNG),
    (P::SymmetricKeyFoundryServerKmipV1_0,                 FOUNDRY),
    (P::SymmetricKeyFoundryServerKmipV1_1,                 FOUNDRY),
    (P::SymmetricKeyFoundryServerKmipV1_2,                 FOUNDRY),
    (P::SymmetricKeyFoundryServerKmipV1_3,                 FOUNDRY),
    (P::SymmetricKeyFoundryServerKmipV1_4,                 FOUNDRY),
    (P::OpaqueManagedObjectStoreServerKmipV1_0,            OPAQUE),
    (P::OpaqueManagedObjectStoreServerKmipV1_1,            OPAQUE),
    (P::OpaqueManagedObjectStoreServerKmipV1_2,            OPAQUE),
    (P::OpaqueManagedObjectStoreServerKmipV1_3,            OPAQUE),
    (P::OpaqueManagedObjectStoreServerKmipV1_4,            OPAQUE),
    (P::StorageArrayWithSelfEncryptingDriveServerKmipV1_0, DRIVES),
    (P::StorageArrayWithSelfEncryptingDriveServerKmipV1_1, DRIVES),
    (P::StorageArrayWithSelfEncryptingDriveServerKmipV1_2, DRIVES),
    (P::StorageArrayWithSelfEncryptingDriveServerKmipV1_3, DRIVES),
    (P::StorageArrayWithSelfEncryptingDriveServerKmipV1_4, DRIVES),
];

/// The Profile Information of each profile that a server with these operations meets and a client of `version` knows.
pub(super) fn met(operations: &[Operation], version: ProtocolVersion) -> Vec<Value> {
    let has = |asked: &[Operation]| asked.iter().all(|operation| operations.contains(operation));
    let rows = PROFILES.iter().filter(|(name, asked)| name.introduced() <= version && has(asked));
    let rows = rows.filter(|_| has(BASELINE));
    rows.map(|(name, _)| {
        Value::Structure(vec![Node::new(tag::PROFILE_NAME, Value::Enumeration(name.number()))])
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_met_by_all_of_its_operations_and_by_no_less() {
        for (name, asked) in PROFILES {
            let all: Vec<Operation> = BASELINE.iter().chain(*asked).copied().collect();
            let met_by = |operations: &[Operation]| {
                let profile = Node::new(tag::PROFILE_NAME, Value::Enumeration(name.number()));
                met(operations, ProtocolVersion::V1_4).contains(&Value::Structure(vec![profile]))
            };
            assert!(met_by(&all), "{name}");
            for missing in &all {
                let less: Vec<Operation> = all.iter().filter(|known| *known != missing).copied().collect();
                assert!(!met_by(&less), "{name} without {missing}");
            }
        }
    }

    #[test]
    fn a_client_is_told_of_profiles_that_its_version_names() {
        let all: Vec<Operation> = Operation::ALL.to_vec();
        assert_eq!(met(&all, ProtocolVersion::V1_4).len(), PROFILES.len());
        assert_eq!(met(&all, ProtocolVersion::V1_2), []);
        let later = PROFILES.iter().filter(|(name, _)| name.introduced() == ProtocolVersion::V1_4).count();
        assert!(later > 0);
        assert_eq!(met(&all, ProtocolVersion::V1_3).len(), PROFILES.len() - later);
    }
}
