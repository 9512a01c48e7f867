//! The attributes of KMIP 1.4 chapter 3 and the rules that stand in a table below each: one row an attribute, in the
//! order of the specification, one column a row of its table, then the version that brought it and the section.

use ttlv::{ItemType, Tag};

use crate::enumeration::{ObjectType, Operation};
use crate::{ProtocolVersion, tag};

/// Who gives an attribute its first value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// The server alone.
    Server,
    /// The client alone.
    Client,
    /// The client, or the server where the client did not.
    Either,
}

/// Whether, and until when, an attribute may be changed or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifiable {
    /// Never.
    No,
    /// At any time.
    Yes,
    /// While the object is Pre-Active.
    PreActive,
    /// While the object is Pre-Active or Active.
    PreActiveOrActive,
    /// While the object is Pre-Active or Active and the date it holds lies ahead.
    UntilReached,
    /// Until the first Get Usage Allocation.
    Unallocated,
    /// Only where the client left it, or a part of it, out.
    IfOmitted,
}

/// Which object types an attribute applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the specification's own list")]
pub enum AppliesTo {
    All,
    Cryptographic,
    CryptographicOpaque,
    CryptographicTemplates,
    KeysTemplates,
    KeysCertificatesTemplates,
    AsymmetricKeysTemplates,
    SymmetricSplitTemplates,
    KeyValueHolders,
    Certificates,
    X509Certificates,
    CertificatesPgpKeys,
}

impl AppliesTo {
    /// Whether objects of this type carry the attribute. A type of the extension range carries all.
    #[rustfmt::skip]
    pub fn includes(self, object_type: ObjectType) -> bool {
        use ObjectType as T;
        if matches!(object_type, T::Unknown(_)) {
            return true;
        }
        let key = matches!(object_type, T::SymmetricKey | T::PublicKey | T::PrivateKey | T::SplitKey | T::PgpKey);
        let certificate = object_type == T::Certificate;
        let template = object_type == T::Template;
        let cryptographic = key || certificate || object_type == T::SecretData;
        match self {
            Self::All                       => true,
            Self::Cryptographic             => cryptographic,
            Self::CryptographicOpaque       => cryptographic || object_type == T::OpaqueObject,
            Self::CryptographicTemplates    => cryptographic || template,
            Self::KeysTemplates             => key || template,
            Self::KeysCertificatesTemplates => key || certificate || template,
            Self::AsymmetricKeysTemplates   => matches!(object_type, T::PublicKey | T::PrivateKey) || template,
            Self::SymmetricSplitTemplates   => matches!(object_type, T::SymmetricKey | T::SplitKey) || template,
            Self::KeyValueHolders           => matches!(object_type, T::SymmetricKey | T::PrivateKey | T::SplitKey | T::SecretData),
            Self::Certificates              => certificate,
            Self::X509Certificates          => certificate,
            Self::CertificatesPgpKeys       => certificate || object_type == T::PgpKey,
        }
    }
}

/// The rules of one attribute (KMIP 1.4 chapter 3, the second table of each section).
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The attribute.
    pub attribute: StandardAttribute,
    /// Its name on the wire.
    pub name: &'static str,
    /// The tag that its value's names go by.
    pub tag: Tag,
    /// The type of its value.
    pub item_type: ItemType,
    /// "SHALL always have a value", for the object types it applies to.
    pub always: bool,
    /// "Initially set by".
    pub set_by: SetBy,
    /// "Modifiable by server".
    pub server_modifies: Modifiable,
    /// "Modifiable by client".
    pub client_modifies: Modifiable,
    /// "Deletable by client".
    pub client_deletes: Modifiable,
    /// "Multiple instances permitted".
    pub multiple: bool,
    /// "Applies to Object Types".
    pub applies_to: AppliesTo,
    /// The version that brought it; older clients never see it.
    pub introduced: ProtocolVersion,
    /// The section of the 1.4 specification.
    pub section: &'static str,
    /// "When implicitly set".
    pub implicitly_set: &'static [Operation],
}

macro_rules! yes {
    (Yes) => {
        true
    };
    (No) => {
        false
    };
}

macro_rules! attributes {
    ($($attribute:ident, $name:literal, $tag:ident, $type:ident, $always:ident, $set:ident, $server:ident,
       $client:ident, $delete:ident, $multiple:ident, $applies:ident, $version:ident, $section:literal,
       [$($operation:ident),*];)*) => {
        /// An attribute that the specification defines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the specification's own names")]
        #[repr(u8)]
        pub enum StandardAttribute { $($attribute),* }

        /// The rules of all attributes, in the order of [`StandardAttribute`].
        pub const RULES: &[Rule] = &[$(Rule {
            attribute: StandardAttribute::$attribute,
            name: $name,
            tag: tag::$tag,
            item_type: ItemType::$type,
            always: yes!($always),
            set_by: SetBy::$set,
            server_modifies: Modifiable::$server,
            client_modifies: Modifiable::$client,
            client_deletes: Modifiable::$delete,
            multiple: yes!($multiple),
            applies_to: AppliesTo::$applies,
            introduced: ProtocolVersion::$version,
            section: stringify!($section),
            implicitly_set: &[$(Operation::$operation),*],
        }),*];

    };
}

// Departs from KMIP 1.4 3.16: a certificate could hold one Digital Signature Algorithm only, a PGP key several; the
// column says Yes, as the table speaks for both.
// Departs from KMIP 1.4 3.20: a Template has a Lease Time too, as the public test cases want it.
#[rustfmt::skip]
attributes! {
//  attribute                       name                                tag                               type         always set-by server-modifies  client-modifies    deletes      multi applies to                 since section implicitly set by
    UniqueIdentifier,               "Unique Identifier",                UNIQUE_IDENTIFIER,                TextString,  Yes, Server, No,                No,                No,          No,  All,                       V1_0, 3.1,  [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    Name,                           "Name",                             NAME,                             Structure,   No,  Client, Yes,               Yes,               Yes,         Yes, All,                       V1_0, 3.2,  [ReKey, ReKeyKeyPair, ReCertify];
    ObjectType,                     "Object Type",                      OBJECT_TYPE,                      Enumeration, Yes, Server, No,                No,                No,          No,  All,                       V1_0, 3.3,  [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    CryptographicAlgorithm,         "Cryptographic Algorithm",          CRYPTOGRAPHIC_ALGORITHM,          Enumeration, Yes, Server, No,                No,                No,          No,  KeysCertificatesTemplates, V1_0, 3.4,  [Certify, Create, CreateKeyPair, ReCertify, Register, DeriveKey, ReKey, ReKeyKeyPair];
    CryptographicLength,            "Cryptographic Length",             CRYPTOGRAPHIC_LENGTH,             Integer,     Yes, Server, No,                No,                No,          No,  KeysCertificatesTemplates, V1_0, 3.5,  [Certify, Create, CreateKeyPair, ReCertify, Register, DeriveKey, ReKey, ReKeyKeyPair];
    CryptographicParameters,        "Cryptographic Parameters",         CRYPTOGRAPHIC_PARAMETERS,         Structure,   No,  Client, No,                Yes,               Yes,         Yes, KeysCertificatesTemplates, V1_0, 3.6,  [ReKey, ReKeyKeyPair, ReCertify];
    CryptographicDomainParameters,  "Cryptographic Domain Parameters",  CRYPTOGRAPHIC_DOMAIN_PARAMETERS,  Structure,   No,  Client, No,                No,                No,          No,  AsymmetricKeysTemplates,   V1_0, 3.7,  [ReKey, ReKeyKeyPair];
    CertificateType,                "Certificate Type",                 CERTIFICATE_TYPE,                 Enumeration, Yes, Server, No,                No,                No,          No,  Certificates,              V1_0, 3.8,  [Register, Certify, ReCertify];
    CertificateLength,              "Certificate Length",               CERTIFICATE_LENGTH,               Integer,     Yes, Server, No,                No,                No,          No,  Certificates,              V1_1, 3.9,  [Register, Certify, ReCertify];
    X509CertificateIdentifier,      "X.509 Certificate Identifier",     X509_CERTIFICATE_IDENTIFIER,     Structure,   Yes, Server, No,                No,                No,          No,  X509Certificates,          V1_1, 3.10, [Register, Certify, ReCertify];
    X509CertificateSubject,         "X.509 Certificate Subject",        X509_CERTIFICATE_SUBJECT,        Structure,   Yes, Server, No,                No,                No,          No,  X509Certificates,          V1_1, 3.11, [Register, Certify, ReCertify];
    X509CertificateIssuer,          "X.509 Certificate Issuer",         X509_CERTIFICATE_ISSUER,         Structure,   Yes, Server, No,                No,                No,          No,  X509Certificates,          V1_1, 3.12, [Register, Certify, ReCertify];
    CertificateIdentifier,          "Certificate Identifier",           CERTIFICATE_IDENTIFIER,           Structure,   Yes, Server, No,                No,                No,          No,  Certificates,              V1_0, 3.13, [Register, Certify, ReCertify];
    CertificateSubject,             "Certificate Subject",              CERTIFICATE_SUBJECT,              Structure,   Yes, Server, No,                No,                No,          No,  Certificates,              V1_0, 3.14, [Register, Certify, ReCertify];
    CertificateIssuer,              "Certificate Issuer",               CERTIFICATE_ISSUER,               Structure,   Yes, Server, No,                No,                No,          No,  Certificates,              V1_0, 3.15, [Register, Certify, ReCertify];
    DigitalSignatureAlgorithm,      "Digital Signature Algorithm",      DIGITAL_SIGNATURE_ALGORITHM,      Enumeration, Yes, Server, No,                No,                No,          Yes, CertificatesPgpKeys,       V1_1, 3.16, [Certify, ReCertify, Register];
    Digest,                         "Digest",                           DIGEST,                           Structure,   Yes, Server, No,                No,                No,          Yes, CryptographicOpaque,       V1_0, 3.17, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    OperationPolicyName,            "Operation Policy Name",            OPERATION_POLICY_NAME,            TextString,  No,  Either, Yes,               No,                No,          No,  All,                       V1_0, 3.18, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    CryptographicUsageMask,         "Cryptographic Usage Mask",         CRYPTOGRAPHIC_USAGE_MASK,         Integer,     Yes, Either, Yes,               No,                No,          No,  CryptographicTemplates,    V1_0, 3.19, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    LeaseTime,                      "Lease Time",                       LEASE_TIME,                       Interval,    No,  Server, Yes,               No,                No,          No,  CryptographicTemplates,    V1_0, 3.20, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    UsageLimits,                    "Usage Limits",                     USAGE_LIMITS,                     Structure,   No,  Either, Yes,               Unallocated,       Unallocated, No,  KeysTemplates,             V1_0, 3.21, [Create, CreateKeyPair, Register, DeriveKey, ReKey, ReKeyKeyPair, GetUsageAllocation];
    State,                          "State",                            STATE,                            Enumeration, Yes, Server, Yes,               No,                No,          No,  Cryptographic,             V1_0, 3.22, [Create, CreateKeyPair, Register, DeriveKey, Activate, Revoke, Destroy, Certify, ReCertify, ReKey, ReKeyKeyPair];
    InitialDate,                    "Initial Date",                     INITIAL_DATE,                     DateTime,    Yes, Server, No,                No,                No,          No,  All,                       V1_0, 3.23, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    ActivationDate,                 "Activation Date",                  ACTIVATION_DATE,                  DateTime,    No,  Either, PreActive,         PreActive,         No,          No,  CryptographicTemplates,    V1_0, 3.24, [Create, CreateKeyPair, Register, DeriveKey, Activate, Certify, ReCertify, ReKey, ReKeyKeyPair];
    ProcessStartDate,               "Process Start Date",               PROCESS_START_DATE,               DateTime,    No,  Either, UntilReached,      UntilReached,      No,          No,  SymmetricSplitTemplates,   V1_0, 3.25, [Create, Register, DeriveKey, ReKey];
    ProtectStopDate,                "Protect Stop Date",                PROTECT_STOP_DATE,                DateTime,    No,  Either, UntilReached,      UntilReached,      No,          No,  SymmetricSplitTemplates,   V1_0, 3.26, [Create, Register, DeriveKey, ReKey];
    DeactivationDate,               "Deactivation Date",                DEACTIVATION_DATE,                DateTime,    No,  Either, PreActiveOrActive, PreActiveOrActive, No,          No,  CryptographicTemplates,    V1_0, 3.27, [Create, CreateKeyPair, Register, DeriveKey, Revoke, Certify, ReCertify, ReKey, ReKeyKeyPair];
    DestroyDate,                    "Destroy Date",                     DESTROY_DATE,                     DateTime,    No,  Server, No,                No,                No,          No,  CryptographicOpaque,       V1_0, 3.28, [Destroy];
    CompromiseOccurrenceDate,       "Compromise Occurrence Date",       COMPROMISE_OCCURRENCE_DATE,       DateTime,    No,  Server, No,                No,                No,          No,  CryptographicOpaque,       V1_0, 3.29, [Revoke];
    CompromiseDate,                 "Compromise Date",                  COMPROMISE_DATE,                  DateTime,    No,  Server, No,                No,                No,          No,  CryptographicOpaque,       V1_0, 3.30, [Revoke];
    RevocationReason,               "Revocation Reason",                REVOCATION_REASON,                Structure,   No,  Server, Yes,               No,                No,          No,  CryptographicOpaque,       V1_0, 3.31, [Revoke];
    ArchiveDate,                    "Archive Date",                     ARCHIVE_DATE,                     DateTime,    No,  Server, No,                No,                No,          No,  All,                       V1_0, 3.32, [Archive];
    ObjectGroup,                    "Object Group",                     OBJECT_GROUP,                     TextString,  No,  Either, Yes,               Yes,               Yes,         Yes, All,                       V1_0, 3.33, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    Fresh,                          "Fresh",                            FRESH,                            Boolean,     No,  Either, Yes,               No,                No,          No,  Cryptographic,             V1_1, 3.34, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    Link,                           "Link",                             LINK,                             Structure,   No,  Either, Yes,               Yes,               Yes,         Yes, Cryptographic,             V1_0, 3.35, [CreateKeyPair, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    ApplicationSpecificInformation, "Application Specific Information", APPLICATION_SPECIFIC_INFORMATION, Structure,   No,  Either, IfOmitted,         Yes,               Yes,         Yes, All,                       V1_0, 3.36, [ReKey, ReKeyKeyPair, ReCertify];
    ContactInformation,             "Contact Information",              CONTACT_INFORMATION,              TextString,  No,  Either, Yes,               Yes,               Yes,         No,  All,                       V1_0, 3.37, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    LastChangeDate,                 "Last Change Date",                 LAST_CHANGE_DATE,                 DateTime,    Yes, Server, Yes,               No,                No,          No,  All,                       V1_0, 3.38, [Create, CreateKeyPair, Register, DeriveKey, Activate, Revoke, Destroy, Archive, Recover, Certify, ReCertify, ReKey, ReKeyKeyPair, AddAttribute, ModifyAttribute, DeleteAttribute, GetUsageAllocation];
    AlternativeName,                "Alternative Name",                 ALTERNATIVE_NAME,                 Structure,   No,  Client, IfOmitted,         Yes,               Yes,         Yes, All,                       V1_2, 3.40, [];
    KeyValuePresent,                "Key Value Present",                KEY_VALUE_PRESENT,                Boolean,     No,  Server, No,                No,                No,          No,  KeyValueHolders,           V1_2, 3.41, [Register];
    KeyValueLocation,               "Key Value Location",               KEY_VALUE_LOCATION,               Structure,   No,  Client, No,                Yes,               Yes,         Yes, KeyValueHolders,           V1_2, 3.42, [];
    OriginalCreationDate,           "Original Creation Date",           ORIGINAL_CREATION_DATE,           DateTime,    No,  Either, No,                No,                No,          No,  All,                       V1_2, 3.43, [Create, CreateKeyPair, DeriveKey, ReKey, ReKeyKeyPair];
    RandomNumberGenerator,          "Random Number Generator",          RANDOM_NUMBER_GENERATOR,          Structure,   No,  Either, No,                No,                No,          No,  Cryptographic,             V1_3, 3.44, [Create, CreateKeyPair, DeriveKey, ReKey, ReKeyKeyPair];
    Pkcs12FriendlyName,             "PKCS#12 Friendly Name",            PKCS12_FRIENDLY_NAME,            TextString,  No,  Either, No,                Yes,               Yes,         No,  Cryptographic,             V1_4, 3.45, [];
    Description,                    "Description",                      DESCRIPTION,                      TextString,  No,  Either, Yes,               Yes,               Yes,         No,  All,                       V1_4, 3.46, [];
    Comment,                        "Comment",                          COMMENT,                          TextString,  No,  Either, Yes,               Yes,               Yes,         No,  All,                       V1_4, 3.47, [];
    Sensitive,                      "Sensitive",                        SENSITIVE,                        Boolean,     Yes, Either, Yes,               Yes,               No,          No,  All,                       V1_4, 3.48, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    AlwaysSensitive,                "Always Sensitive",                 ALWAYS_SENSITIVE,                 Boolean,     Yes, Server, Yes,               No,                No,          No,  All,                       V1_4, 3.49, [Create, CreateKeyPair, Register, DeriveKey, ReKey, ReKeyKeyPair, ModifyAttribute];
    Extractable,                    "Extractable",                      EXTRACTABLE,                      Boolean,     Yes, Either, Yes,               Yes,               No,          No,  All,                       V1_4, 3.50, [Create, CreateKeyPair, Register, DeriveKey, Certify, ReCertify, ReKey, ReKeyKeyPair];
    NeverExtractable,               "Never Extractable",                NEVER_EXTRACTABLE,                Boolean,     Yes, Server, Yes,               No,                No,          No,  All,                       V1_4, 3.51, [Create, CreateKeyPair, Register, DeriveKey, ReKey, ReKeyKeyPair, ModifyAttribute];
//  Those whose names the tag table of 1.4 brings, without a section of their own in chapter 3.
    CertificateSubjectCn,           "Certificate Subject CN",           CERTIFICATE_SUBJECT_CN,           TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectO,            "Certificate Subject O",            CERTIFICATE_SUBJECT_O,            TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectOu,           "Certificate Subject OU",           CERTIFICATE_SUBJECT_OU,           TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectEmail,        "Certificate Subject Email",        CERTIFICATE_SUBJECT_EMAIL,        TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectC,            "Certificate Subject C",            CERTIFICATE_SUBJECT_C,            TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectSt,           "Certificate Subject ST",           CERTIFICATE_SUBJECT_ST,           TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectL,            "Certificate Subject L",            CERTIFICATE_SUBJECT_L,            TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectUid,          "Certificate Subject UID",          CERTIFICATE_SUBJECT_UID,          TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectSerialNumber, "Certificate Subject Serial Number", CERTIFICATE_SUBJECT_SERIAL_NUMBER, TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectTitle,        "Certificate Subject Title",        CERTIFICATE_SUBJECT_TITLE,        TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectDc,           "Certificate Subject DC",           CERTIFICATE_SUBJECT_DC,           TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateSubjectDnQualifier,  "Certificate Subject DN Qualifier", CERTIFICATE_SUBJECT_DN_QUALIFIER, TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerCn,            "Certificate Issuer CN",            CERTIFICATE_ISSUER_CN,            TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerO,             "Certificate Issuer O",             CERTIFICATE_ISSUER_O,             TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerOu,            "Certificate Issuer OU",            CERTIFICATE_ISSUER_OU,            TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerEmail,         "Certificate Issuer Email",         CERTIFICATE_ISSUER_EMAIL,         TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerC,             "Certificate Issuer C",             CERTIFICATE_ISSUER_C,             TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerSt,            "Certificate Issuer ST",            CERTIFICATE_ISSUER_ST,            TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerL,             "Certificate Issuer L",             CERTIFICATE_ISSUER_L,             TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerUid,           "Certificate Issuer UID",           CERTIFICATE_ISSUER_UID,           TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerSerialNumber,  "Certificate Issuer Serial Number", CERTIFICATE_ISSUER_SERIAL_NUMBER, TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerTitle,         "Certificate Issuer Title",         CERTIFICATE_ISSUER_TITLE,         TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerDc,            "Certificate Issuer DC",            CERTIFICATE_ISSUER_DC,            TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
    CertificateIssuerDnQualifier,   "Certificate Issuer DN Qualifier",  CERTIFICATE_ISSUER_DN_QUALIFIER,  TextString,  No,  Server, No,                No,                No,          Yes, X509Certificates,          V1_4, 9.1,  [Register, Certify, ReCertify];
}

/// Where to look first for a name: slots of a hash table made at compile time, each a place in [`RULES`] or empty.
/// Names are looked up for every attribute of every request.
static SLOTS: [u8; SLOT_COUNT] = {
    let mut slots = [EMPTY; SLOT_COUNT];
    let mut place = 0;
    while place < RULES.len() {
        let mut at = first_slot(RULES[place].name.as_bytes());
        while slots[at] != EMPTY {
            at = (at + 1) % SLOT_COUNT;
        }
        slots[at] = place as u8;
        place += 1;
    }
    slots
};
const SLOT_COUNT: usize = 256;
const EMPTY: u8 = u8::MAX;
// Always an empty slot, or a search would not end, and none that looks like a place.
const _: () = assert!(RULES.len() < SLOT_COUNT / 2 && RULES.len() < EMPTY as usize);

/// Length, first, middle and last byte tell the names well enough apart.
const fn first_slot(name: &[u8]) -> usize {
    let length = name.len();
    if length == 0 {
        return 0;
    }
    (length * 7 + name[0] as usize * 31 + name[length / 2] as usize * 13 + name[length - 1] as usize * 3)
        % SLOT_COUNT
}

impl StandardAttribute {
    /// The attribute with this name, exactly as the specification writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut at = first_slot(name.as_bytes());
        loop {
            let rule = RULES.get(usize::from(SLOTS[at]))?;
            if rule.name == name {
                return Some(rule.attribute);
            }
            at = (at + 1) % SLOT_COUNT;
        }
    }

    /// The rules of this attribute.
    pub fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.rule().name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_stands_at_its_attributes_place() {
        for (place, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.attribute as usize, place, "{}", rule.name);
            assert_eq!(StandardAttribute::from_name(rule.name), Some(rule.attribute));
        }
    }

    #[test]
    fn a_name_that_is_not_quite_one_is_none() {
        for name in ["", "S", "state", "State ", "Statf", "Cryptographic Algorithn", "x-State"] {
            assert_eq!(StandardAttribute::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn names_share_few_slots() {
        let slots: std::collections::BTreeSet<_> =
            RULES.iter().map(|rule| first_slot(rule.name.as_bytes())).collect();
        assert!(slots.len() + 10 >= RULES.len(), "{} slots for {} names", slots.len(), RULES.len());
    }

    #[test]
    fn each_version_has_as_many_attributes_as_its_specification_lists() {
        // Sections of chapter 3 less the one on Custom Attributes.
        let listed = || RULES.iter().filter(|rule| rule.section.starts_with("3."));
        let known = |version| listed().filter(|rule| rule.introduced <= version).count();
        assert_eq!(known(ProtocolVersion::V1_0), 32);
        assert_eq!(known(ProtocolVersion::V1_1), 38);
        assert_eq!(known(ProtocolVersion::V1_2), 42);
        assert_eq!(known(ProtocolVersion::V1_3), 43);
        assert_eq!(known(ProtocolVersion::V1_4), 50);
    }
}
