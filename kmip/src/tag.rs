//! Every tag of KMIP 1.0 to 1.4 with its names and the version that brought it (KMIP 1.4 section 9.1.3.1).
//!
//! A tag has two names: the one the specification prints, which is also the attribute's name on the wire
//! ("Unique Identifier"), and the one of the XML and JSON encodings (`UniqueIdentifier`).

use std::sync::LazyLock;

pub use ttlv::Tag;

use crate::ProtocolVersion;
use crate::version::version;

/// What is known of one tag.
struct Row {
    tag: Tag,
    name: &'static str,
    text: &'static str,
    introduced: ProtocolVersion,
}

/// The name of `tag` in the XML encoding: `UniqueIdentifier`; `None` for extensions and tags of later versions.
pub fn name(tag: Tag) -> Option<&'static str> {
    row(tag).map(|row| row.name)
}

/// The tag with this name in the XML encoding. Case counts.
pub fn from_name(name: &str) -> Option<Tag> {
    static BY_NAME: LazyLock<Vec<&'static Row>> = LazyLock::new(|| sorted_by(|row| row.name));
    find(&BY_NAME, name, |row| row.name)
}

/// The name of `tag` as the specification prints it: "Unique Identifier". For an attribute this is its name on
/// the wire.
pub fn text(tag: Tag) -> Option<&'static str> {
    row(tag).map(|row| row.text)
}

/// The tag that the specification prints like this. Case and blanks count.
pub fn from_text(text: &str) -> Option<Tag> {
    static BY_TEXT: LazyLock<Vec<&'static Row>> = LazyLock::new(|| sorted_by(|row| row.text));
    find(&BY_TEXT, text, |row| row.text)
}

/// The first version whose table holds `tag`; `None` for extensions and tags of later versions.
pub fn introduced(tag: Tag) -> Option<ProtocolVersion> {
    row(tag).map(|row| row.introduced)
}

/// Every tag, ascending.
pub fn all() -> impl ExactSizeIterator<Item = Tag> {
    TABLE.iter().map(|row| row.tag)
}

/// The tag of the table's first row; the rows follow one another without a gap.
const FIRST: u32 = 0x420001;

fn row(tag: Tag) -> Option<&'static Row> {
    TABLE.get(tag.number().checked_sub(FIRST)? as usize)
}

fn sorted_by(key: fn(&Row) -> &'static str) -> Vec<&'static Row> {
    let mut rows: Vec<_> = TABLE.iter().collect();
    rows.sort_unstable_by_key(|row| key(row));
    rows
}

fn find(rows: &[&'static Row], wanted: &str, key: fn(&Row) -> &'static str) -> Option<Tag> {
    let at = rows.binary_search_by(|row| key(row).cmp(wanted)).ok()?;
    rows.get(at).map(|row| row.tag)
}

macro_rules! tags {
    ($($constant:ident $number:literal $version:tt $name:literal $text:literal)*) => {
        $(#[doc = $text] pub const $constant: Tag = Tag::new($number);)*

        static TABLE: [Row; [$($number),*].len()] = [$(
            Row { tag: $constant, name: $name, text: $text, introduced: version!($version) },
        )*];
    };
}

// A row out of place does not compile: `row` finds by position.
const _: () = {
    let mut at = 0;
    while at < TABLE.len() {
        assert!(TABLE[at].tag.number() == FIRST + at as u32);
        at += 1;
    }
};

#[rustfmt::skip]
tags! {
//  constant                                 tag      since XML name                              printed name
    ACTIVATION_DATE                          0x420001 1.0 "ActivationDate"                        "Activation Date"
    APPLICATION_DATA                         0x420002 1.0 "ApplicationData"                       "Application Data"
    APPLICATION_NAMESPACE                    0x420003 1.0 "ApplicationNamespace"                  "Application Namespace"
    APPLICATION_SPECIFIC_INFORMATION         0x420004 1.0 "ApplicationSpecificInformation"        "Application Specific Information"
    ARCHIVE_DATE                             0x420005 1.0 "ArchiveDate"                           "Archive Date"
    ASYNCHRONOUS_CORRELATION_VALUE           0x420006 1.0 "AsynchronousCorrelationValue"          "Asynchronous Correlation Value"
    ASYNCHRONOUS_INDICATOR                   0x420007 1.0 "AsynchronousIndicator"                 "Asynchronous Indicator"
    ATTRIBUTE                                0x420008 1.0 "Attribute"                             "Attribute"
    ATTRIBUTE_INDEX                          0x420009 1.0 "AttributeIndex"                        "Attribute Index"
    ATTRIBUTE_NAME                           0x42000a 1.0 "AttributeName"                         "Attribute Name"
    ATTRIBUTE_VALUE                          0x42000b 1.0 "AttributeValue"                        "Attribute Value"
    AUTHENTICATION                           0x42000c 1.0 "Authentication"                        "Authentication"
    BATCH_COUNT                              0x42000d 1.0 "BatchCount"                            "Batch Count"
    BATCH_ERROR_CONTINUATION_OPTION          0x42000e 1.0 "BatchErrorContinuationOption"          "Batch Error Continuation Option"
    BATCH_ITEM                               0x42000f 1.0 "BatchItem"                             "Batch Item"
    BATCH_ORDER_OPTION                       0x420010 1.0 "BatchOrderOption"                      "Batch Order Option"
    BLOCK_CIPHER_MODE                        0x420011 1.0 "BlockCipherMode"                       "Block Cipher Mode"
    CANCELLATION_RESULT                      0x420012 1.0 "CancellationResult"                    "Cancellation Result"
    CERTIFICATE                              0x420013 1.0 "Certificate"                           "Certificate"
    CERTIFICATE_IDENTIFIER                   0x420014 1.0 "CertificateIdentifier"                 "Certificate Identifier"
    CERTIFICATE_ISSUER                       0x420015 1.0 "CertificateIssuer"                     "Certificate Issuer"
    CERTIFICATE_ISSUER_ALTERNATIVE_NAME      0x420016 1.0 "CertificateIssuerAlternativeName"      "Certificate Issuer Alternative Name"
    CERTIFICATE_ISSUER_DISTINGUISHED_NAME    0x420017 1.0 "CertificateIssuerDistinguishedName"    "Certificate Issuer Distinguished Name"
    CERTIFICATE_REQUEST                      0x420018 1.0 "CertificateRequest"                    "Certificate Request"
    CERTIFICATE_REQUEST_TYPE                 0x420019 1.0 "CertificateRequestType"                "Certificate Request Type"
    CERTIFICATE_SUBJECT                      0x42001a 1.0 "CertificateSubject"                    "Certificate Subject"
    CERTIFICATE_SUBJECT_ALTERNATIVE_NAME     0x42001b 1.0 "CertificateSubjectAlternativeName"     "Certificate Subject Alternative Name"
    CERTIFICATE_SUBJECT_DISTINGUISHED_NAME   0x42001c 1.0 "CertificateSubjectDistinguishedName"   "Certificate Subject Distinguished Name"
    CERTIFICATE_TYPE                         0x42001d 1.0 "CertificateType"                       "Certificate Type"
    CERTIFICATE_VALUE                        0x42001e 1.0 "CertificateValue"                      "Certificate Value"
    COMMON_TEMPLATE_ATTRIBUTE                0x42001f 1.0 "CommonTemplateAttribute"               "Common Template-Attribute"
    COMPROMISE_DATE                          0x420020 1.0 "CompromiseDate"                        "Compromise Date"
    COMPROMISE_OCCURRENCE_DATE               0x420021 1.0 "CompromiseOccurrenceDate"              "Compromise Occurrence Date"
    CONTACT_INFORMATION                      0x420022 1.0 "ContactInformation"                    "Contact Information"
    CREDENTIAL                               0x420023 1.0 "Credential"                            "Credential"
    CREDENTIAL_TYPE                          0x420024 1.0 "CredentialType"                        "Credential Type"
    CREDENTIAL_VALUE                         0x420025 1.0 "CredentialValue"                       "Credential Value"
    CRITICALITY_INDICATOR                    0x420026 1.0 "CriticalityIndicator"                  "Criticality Indicator"
    CRT_COEFFICIENT                          0x420027 1.0 "CRTCoefficient"                        "CRT Coefficient"
    CRYPTOGRAPHIC_ALGORITHM                  0x420028 1.0 "CryptographicAlgorithm"                "Cryptographic Algorithm"
    CRYPTOGRAPHIC_DOMAIN_PARAMETERS          0x420029 1.0 "CryptographicDomainParameters"         "Cryptographic Domain Parameters"
    CRYPTOGRAPHIC_LENGTH                     0x42002a 1.0 "CryptographicLength"                   "Cryptographic Length"
    CRYPTOGRAPHIC_PARAMETERS                 0x42002b 1.0 "CryptographicParameters"               "Cryptographic Parameters"
    CRYPTOGRAPHIC_USAGE_MASK                 0x42002c 1.0 "CryptographicUsageMask"                "Cryptographic Usage Mask"
    CUSTOM_ATTRIBUTE                         0x42002d 1.0 "CustomAttribute"                       "Custom Attribute"
    D                                        0x42002e 1.0 "D"                                     "D"
    DEACTIVATION_DATE                        0x42002f 1.0 "DeactivationDate"                      "Deactivation Date"
    DERIVATION_DATA                          0x420030 1.0 "DerivationData"                        "Derivation Data"
    DERIVATION_METHOD                        0x420031 1.0 "DerivationMethod"                      "Derivation Method"
    DERIVATION_PARAMETERS                    0x420032 1.0 "DerivationParameters"                  "Derivation Parameters"
    DESTROY_DATE                             0x420033 1.0 "DestroyDate"                           "Destroy Date"
    DIGEST                                   0x420034 1.0 "Digest"                                "Digest"
    DIGEST_VALUE                             0x420035 1.0 "DigestValue"                           "Digest Value"
    ENCRYPTION_KEY_INFORMATION               0x420036 1.0 "EncryptionKeyInformation"              "Encryption Key Information"
    G                                        0x420037 1.0 "G"                                     "G"
    HASHING_ALGORITHM                        0x420038 1.0 "HashingAlgorithm"                      "Hashing Algorithm"
    INITIAL_DATE                             0x420039 1.0 "InitialDate"                           "Initial Date"
    INITIALIZATION_VECTOR                    0x42003a 1.0 "InitializationVector"                  "Initialization Vector"
    ISSUER                                   0x42003b 1.0 "Issuer"                                "Issuer"
    ITERATION_COUNT                          0x42003c 1.0 "IterationCount"                        "Iteration Count"
    IV_COUNTER_NONCE                         0x42003d 1.0 "IVCounterNonce"                        "IV/Counter/Nonce"
    J                                        0x42003e 1.0 "J"                                     "J"
    KEY                                      0x42003f 1.0 "Key"                                   "Key"
    KEY_BLOCK                                0x420040 1.0 "KeyBlock"                              "Key Block"
    KEY_COMPRESSION_TYPE                     0x420041 1.0 "KeyCompressionType"                    "Key Compression Type"
    KEY_FORMAT_TYPE                          0x420042 1.0 "KeyFormatType"                         "Key Format Type"
    KEY_MATERIAL                             0x420043 1.0 "KeyMaterial"                           "Key Material"
    KEY_PART_IDENTIFIER                      0x420044 1.0 "KeyPartIdentifier"                     "Key Part Identifier"
    KEY_VALUE                                0x420045 1.0 "KeyValue"                              "Key Value"
    KEY_WRAPPING_DATA                        0x420046 1.0 "KeyWrappingData"                       "Key Wrapping Data"
    KEY_WRAPPING_SPECIFICATION               0x420047 1.0 "KeyWrappingSpecification"              "Key Wrapping Specification"
    LAST_CHANGE_DATE                         0x420048 1.0 "LastChangeDate"                        "Last Change Date"
    LEASE_TIME                               0x420049 1.0 "LeaseTime"                             "Lease Time"
    LINK                                     0x42004a 1.0 "Link"                                  "Link"
    LINK_TYPE                                0x42004b 1.0 "LinkType"                              "Link Type"
    LINKED_OBJECT_IDENTIFIER                 0x42004c 1.0 "LinkedObjectIdentifier"                "Linked Object Identifier"
    MAC_SIGNATURE                            0x42004d 1.0 "MACSignature"                          "MAC/Signature"
    MAC_SIGNATURE_KEY_INFORMATION            0x42004e 1.0 "MACSignatureKeyInformation"            "MAC/Signature Key Information"
    MAXIMUM_ITEMS                            0x42004f 1.0 "MaximumItems"                          "Maximum Items"
    MAXIMUM_RESPONSE_SIZE                    0x420050 1.0 "MaximumResponseSize"                   "Maximum Response Size"
    MESSAGE_EXTENSION                        0x420051 1.0 "MessageExtension"                      "Message Extension"
    MODULUS                                  0x420052 1.0 "Modulus"                               "Modulus"
    NAME                                     0x420053 1.0 "Name"                                  "Name"
    NAME_TYPE                                0x420054 1.0 "NameType"                              "Name Type"
    NAME_VALUE                               0x420055 1.0 "NameValue"                             "Name Value"
    OBJECT_GROUP                             0x420056 1.0 "ObjectGroup"                           "Object Group"
    OBJECT_TYPE                              0x420057 1.0 "ObjectType"                            "Object Type"
    OFFSET                                   0x420058 1.0 "Offset"                                "Offset"
    OPAQUE_DATA_TYPE                         0x420059 1.0 "OpaqueDataType"                        "Opaque Data Type"
    OPAQUE_DATA_VALUE                        0x42005a 1.0 "OpaqueDataValue"                       "Opaque Data Value"
    OPAQUE_OBJECT                            0x42005b 1.0 "OpaqueObject"                          "Opaque Object"
    OPERATION                                0x42005c 1.0 "Operation"                             "Operation"
    OPERATION_POLICY_NAME                    0x42005d 1.0 "OperationPolicyName"                   "Operation Policy Name"
    P                                        0x42005e 1.0 "P"                                     "P"
    PADDING_METHOD                           0x42005f 1.0 "PaddingMethod"                         "Padding Method"
    PRIME_EXPONENT_P                         0x420060 1.0 "PrimeExponentP"                        "Prime Exponent P"
    PRIME_EXPONENT_Q                         0x420061 1.0 "PrimeExponentQ"                        "Prime Exponent Q"
    PRIME_FIELD_SIZE                         0x420062 1.0 "PrimeFieldSize"                        "Prime Field Size"
    PRIVATE_EXPONENT                         0x420063 1.0 "PrivateExponent"                       "Private Exponent"
    PRIVATE_KEY                              0x420064 1.0 "PrivateKey"                            "Private Key"
    PRIVATE_KEY_TEMPLATE_ATTRIBUTE           0x420065 1.0 "PrivateKeyTemplateAttribute"           "Private Key Template-Attribute"
    PRIVATE_KEY_UNIQUE_IDENTIFIER            0x420066 1.0 "PrivateKeyUniqueIdentifier"            "Private Key Unique Identifier"
    PROCESS_START_DATE                       0x420067 1.0 "ProcessStartDate"                      "Process Start Date"
    PROTECT_STOP_DATE                        0x420068 1.0 "ProtectStopDate"                       "Protect Stop Date"
    PROTOCOL_VERSION                         0x420069 1.0 "ProtocolVersion"                       "Protocol Version"
    PROTOCOL_VERSION_MAJOR                   0x42006a 1.0 "ProtocolVersionMajor"                  "Protocol Version Major"
    PROTOCOL_VERSION_MINOR                   0x42006b 1.0 "ProtocolVersionMinor"                  "Protocol Version Minor"
    PUBLIC_EXPONENT                          0x42006c 1.0 "PublicExponent"                        "Public Exponent"
    PUBLIC_KEY                               0x42006d 1.0 "PublicKey"                             "Public Key"
    PUBLIC_KEY_TEMPLATE_ATTRIBUTE            0x42006e 1.0 "PublicKeyTemplateAttribute"            "Public Key Template-Attribute"
    PUBLIC_KEY_UNIQUE_IDENTIFIER             0x42006f 1.0 "PublicKeyUniqueIdentifier"             "Public Key Unique Identifier"
    PUT_FUNCTION                             0x420070 1.0 "PutFunction"                           "Put Function"
    Q                                        0x420071 1.0 "Q"                                     "Q"
    Q_STRING                                 0x420072 1.0 "QString"                               "Q String"
    QLENGTH                                  0x420073 1.0 "Qlength"                               "Qlength"
    QUERY_FUNCTION                           0x420074 1.0 "QueryFunction"                         "Query Function"
    RECOMMENDED_CURVE                        0x420075 1.0 "RecommendedCurve"                      "Recommended Curve"
    REPLACED_UNIQUE_IDENTIFIER               0x420076 1.0 "ReplacedUniqueIdentifier"              "Replaced Unique Identifier"
    REQUEST_HEADER                           0x420077 1.0 "RequestHeader"                         "Request Header"
    REQUEST_MESSAGE                          0x420078 1.0 "RequestMessage"                        "Request Message"
    REQUEST_PAYLOAD                          0x420079 1.0 "RequestPayload"                        "Request Payload"
    RESPONSE_HEADER                          0x42007a 1.0 "ResponseHeader"                        "Response Header"
    RESPONSE_MESSAGE                         0x42007b 1.0 "ResponseMessage"                       "Response Message"
    RESPONSE_PAYLOAD                         0x42007c 1.0 "ResponsePayload"                       "Response Payload"
    RESULT_MESSAGE                           0x42007d 1.0 "ResultMessage"                         "Result Message"
    RESULT_REASON                            0x42007e 1.0 "ResultReason"                          "Result Reason"
    RESULT_STATUS                            0x42007f 1.0 "ResultStatus"                          "Result Status"
    REVOCATION_MESSAGE                       0x420080 1.0 "RevocationMessage"                     "Revocation Message"
    REVOCATION_REASON                        0x420081 1.0 "RevocationReason"                      "Revocation Reason"
    REVOCATION_REASON_CODE                   0x420082 1.0 "RevocationReasonCode"                  "Revocation Reason Code"
    KEY_ROLE_TYPE                            0x420083 1.0 "KeyRoleType"                           "Key Role Type"
    SALT                                     0x420084 1.0 "Salt"                                  "Salt"
    SECRET_DATA                              0x420085 1.0 "SecretData"                            "Secret Data"
    SECRET_DATA_TYPE                         0x420086 1.0 "SecretDataType"                        "Secret Data Type"
    SERIAL_NUMBER                            0x420087 1.0 "SerialNumber"                          "Serial Number"
    SERVER_INFORMATION                       0x420088 1.0 "ServerInformation"                     "Server Information"
    SPLIT_KEY                                0x420089 1.0 "SplitKey"                              "Split Key"
    SPLIT_KEY_METHOD                         0x42008a 1.0 "SplitKeyMethod"                        "Split Key Method"
    SPLIT_KEY_PARTS                          0x42008b 1.0 "SplitKeyParts"                         "Split Key Parts"
    SPLIT_KEY_THRESHOLD                      0x42008c 1.0 "SplitKeyThreshold"                     "Split Key Threshold"
    STATE                                    0x42008d 1.0 "State"                                 "State"
    STORAGE_STATUS_MASK                      0x42008e 1.0 "StorageStatusMask"                     "Storage Status Mask"
    SYMMETRIC_KEY                            0x42008f 1.0 "SymmetricKey"                          "Symmetric Key"
    TEMPLATE                                 0x420090 1.0 "Template"                              "Template"
    TEMPLATE_ATTRIBUTE                       0x420091 1.0 "TemplateAttribute"                     "Template-Attribute"
    TIME_STAMP                               0x420092 1.0 "TimeStamp"                             "Time Stamp"
    UNIQUE_BATCH_ITEM_ID                     0x420093 1.0 "UniqueBatchItemID"                     "Unique Batch Item ID"
    UNIQUE_IDENTIFIER                        0x420094 1.0 "UniqueIdentifier"                      "Unique Identifier"
    USAGE_LIMITS                             0x420095 1.0 "UsageLimits"                           "Usage Limits"
    USAGE_LIMITS_COUNT                       0x420096 1.0 "UsageLimitsCount"                      "Usage Limits Count"
    USAGE_LIMITS_TOTAL                       0x420097 1.0 "UsageLimitsTotal"                      "Usage Limits Total"
    USAGE_LIMITS_UNIT                        0x420098 1.0 "UsageLimitsUnit"                       "Usage Limits Unit"
    USERNAME                                 0x420099 1.0 "Username"                              "Username"
    VALIDITY_DATE                            0x42009a 1.0 "ValidityDate"                          "Validity Date"
    VALIDITY_INDICATOR                       0x42009b 1.0 "ValidityIndicator"                     "Validity Indicator"
    VENDOR_EXTENSION                         0x42009c 1.0 "VendorExtension"                       "Vendor Extension"
    VENDOR_IDENTIFICATION                    0x42009d 1.0 "VendorIdentification"                  "Vendor Identification"
    WRAPPING_METHOD                          0x42009e 1.0 "WrappingMethod"                        "Wrapping Method"
    X                                        0x42009f 1.0 "X"                                     "X"
    Y                                        0x4200a0 1.0 "Y"                                     "Y"
    PASSWORD                                 0x4200a1 1.0 "Password"                              "Password"
    DEVICE_IDENTIFIER                        0x4200a2 1.1 "DeviceIdentifier"                      "Device Identifier"
    ENCODING_OPTION                          0x4200a3 1.1 "EncodingOption"                        "Encoding Option"
    EXTENSION_INFORMATION                    0x4200a4 1.1 "ExtensionInformation"                  "Extension Information"
    EXTENSION_NAME                           0x4200a5 1.1 "ExtensionName"                         "Extension Name"
    EXTENSION_TAG                            0x4200a6 1.1 "ExtensionTag"                          "Extension Tag"
    EXTENSION_TYPE                           0x4200a7 1.1 "ExtensionType"                         "Extension Type"
    FRESH                                    0x4200a8 1.1 "Fresh"                                 "Fresh"
    MACHINE_IDENTIFIER                       0x4200a9 1.1 "MachineIdentifier"                     "Machine Identifier"
    MEDIA_IDENTIFIER                         0x4200aa 1.1 "MediaIdentifier"                       "Media Identifier"
    NETWORK_IDENTIFIER                       0x4200ab 1.1 "NetworkIdentifier"                     "Network Identifier"
    OBJECT_GROUP_MEMBER                      0x4200ac 1.1 "ObjectGroupMember"                     "Object Group Member"
    CERTIFICATE_LENGTH                       0x4200ad 1.1 "CertificateLength"                     "Certificate Length"
    DIGITAL_SIGNATURE_ALGORITHM              0x4200ae 1.1 "DigitalSignatureAlgorithm"             "Digital Signature Algorithm"
    CERTIFICATE_SERIAL_NUMBER                0x4200af 1.1 "CertificateSerialNumber"               "Certificate Serial Number"
    DEVICE_SERIAL_NUMBER                     0x4200b0 1.1 "DeviceSerialNumber"                    "Device Serial Number"
    ISSUER_ALTERNATIVE_NAME                  0x4200b1 1.1 "IssuerAlternativeName"                 "Issuer Alternative Name"
    ISSUER_DISTINGUISHED_NAME                0x4200b2 1.1 "IssuerDistinguishedName"               "Issuer Distinguished Name"
    SUBJECT_ALTERNATIVE_NAME                 0x4200b3 1.1 "SubjectAlternativeName"                "Subject Alternative Name"
    SUBJECT_DISTINGUISHED_NAME               0x4200b4 1.1 "SubjectDistinguishedName"              "Subject Distinguished Name"
    X509_CERTIFICATE_IDENTIFIER              0x4200b5 1.1 "X_509CertificateIdentifier"            "X.509 Certificate Identifier"
    X509_CERTIFICATE_ISSUER                  0x4200b6 1.1 "X_509CertificateIssuer"                "X.509 Certificate Issuer"
    X509_CERTIFICATE_SUBJECT                 0x4200b7 1.1 "X_509CertificateSubject"               "X.509 Certificate Subject"
    KEY_VALUE_LOCATION                       0x4200b8 1.2 "KeyValueLocation"                      "Key Value Location"
    KEY_VALUE_LOCATION_VALUE                 0x4200b9 1.2 "KeyValueLocationValue"                 "Key Value Location Value"
    KEY_VALUE_LOCATION_TYPE                  0x4200ba 1.2 "KeyValueLocationType"                  "Key Value Location Type"
    KEY_VALUE_PRESENT                        0x4200bb 1.2 "KeyValuePresent"                       "Key Value Present"
    ORIGINAL_CREATION_DATE                   0x4200bc 1.2 "OriginalCreationDate"                  "Original Creation Date"
    PGP_KEY                                  0x4200bd 1.2 "PGPKey"                                "PGP Key"
    PGP_KEY_VERSION                          0x4200be 1.2 "PGPKeyVersion"                         "PGP Key Version"
    ALTERNATIVE_NAME                         0x4200bf 1.2 "AlternativeName"                       "Alternative Name"
    ALTERNATIVE_NAME_VALUE                   0x4200c0 1.2 "AlternativeNameValue"                  "Alternative Name Value"
    ALTERNATIVE_NAME_TYPE                    0x4200c1 1.2 "AlternativeNameType"                   "Alternative Name Type"
    DATA                                     0x4200c2 1.2 "Data"                                  "Data"
    SIGNATURE_DATA                           0x4200c3 1.2 "SignatureData"                         "Signature Data"
    DATA_LENGTH                              0x4200c4 1.2 "DataLength"                            "Data Length"
    RANDOM_IV                                0x4200c5 1.2 "RandomIV"                              "Random IV"
    MAC_DATA                                 0x4200c6 1.2 "MACData"                               "MAC Data"
    ATTESTATION_TYPE                         0x4200c7 1.2 "AttestationType"                       "Attestation Type"
    NONCE                                    0x4200c8 1.2 "Nonce"                                 "Nonce"
    NONCE_ID                                 0x4200c9 1.2 "NonceID"                               "Nonce ID"
    NONCE_VALUE                              0x4200ca 1.2 "NonceValue"                            "Nonce Value"
    ATTESTATION_MEASUREMENT                  0x4200cb 1.2 "AttestationMeasurement"                "Attestation Measurement"
    ATTESTATION_ASSERTION                    0x4200cc 1.2 "AttestationAssertion"                  "Attestation Assertion"
    IV_LENGTH                                0x4200cd 1.2 "IVLength"                              "IV Length"
    TAG_LENGTH                               0x4200ce 1.2 "TagLength"                             "Tag Length"
    FIXED_FIELD_LENGTH                       0x4200cf 1.2 "FixedFieldLength"                      "Fixed Field Length"
    COUNTER_LENGTH                           0x4200d0 1.2 "CounterLength"                         "Counter Length"
    INITIAL_COUNTER_VALUE                    0x4200d1 1.2 "InitialCounterValue"                   "Initial Counter Value"
    INVOCATION_FIELD_LENGTH                  0x4200d2 1.2 "InvocationFieldLength"                 "Invocation Field Length"
    ATTESTATION_CAPABLE_INDICATOR            0x4200d3 1.2 "AttestationCapableIndicator"           "Attestation Capable Indicator"
    OFFSET_ITEMS                             0x4200d4 1.3 "OffsetItems"                           "Offset Items"
    LOCATED_ITEMS                            0x4200d5 1.3 "LocatedItems"                          "Located Items"
    CORRELATION_VALUE                        0x4200d6 1.3 "CorrelationValue"                      "Correlation Value"
    INIT_INDICATOR                           0x4200d7 1.3 "InitIndicator"                         "Init Indicator"
    FINAL_INDICATOR                          0x4200d8 1.3 "FinalIndicator"                        "Final Indicator"
    RNG_PARAMETERS                           0x4200d9 1.3 "RNGParameters"                         "RNG Parameters"
    RNG_ALGORITHM                            0x4200da 1.3 "RNGAlgorithm"                          "RNG Algorithm"
    DRBG_ALGORITHM                           0x4200db 1.3 "DRBGAlgorithm"                         "DRBG Algorithm"
    FIPS186_VARIATION                        0x4200dc 1.3 "FIPS186Variation"                      "FIPS186 Variation"
    PREDICTION_RESISTANCE                    0x4200dd 1.3 "PredictionResistance"                  "Prediction Resistance"
    RANDOM_NUMBER_GENERATOR                  0x4200de 1.3 "RandomNumberGenerator"                 "Random Number Generator"
    VALIDATION_INFORMATION                   0x4200df 1.3 "ValidationInformation"                 "Validation Information"
    VALIDATION_AUTHORITY_TYPE                0x4200e0 1.3 "ValidationAuthorityType"               "Validation Authority Type"
    VALIDATION_AUTHORITY_COUNTRY             0x4200e1 1.3 "ValidationAuthorityCountry"            "Validation Authority Country"
    VALIDATION_AUTHORITY_URI                 0x4200e2 1.3 "ValidationAuthorityURI"                "Validation Authority URI"
    VALIDATION_VERSION_MAJOR                 0x4200e3 1.3 "ValidationVersionMajor"                "Validation Version Major"
    VALIDATION_VERSION_MINOR                 0x4200e4 1.3 "ValidationVersionMinor"                "Validation Version Minor"
    VALIDATION_TYPE                          0x4200e5 1.3 "ValidationType"                        "Validation Type"
    VALIDATION_LEVEL                         0x4200e6 1.3 "ValidationLevel"                       "Validation Level"
    VALIDATION_CERTIFICATE_IDENTIFIER        0x4200e7 1.3 "ValidationCertificateIdentifier"       "Validation Certificate Identifier"
    VALIDATION_CERTIFICATE_URI               0x4200e8 1.3 "ValidationCertificateURI"              "Validation Certificate URI"
    VALIDATION_VENDOR_URI                    0x4200e9 1.3 "ValidationVendorURI"                   "Validation Vendor URI"
    VALIDATION_PROFILE                       0x4200ea 1.3 "ValidationProfile"                     "Validation Profile"
    PROFILE_INFORMATION                      0x4200eb 1.3 "ProfileInformation"                    "Profile Information"
    PROFILE_NAME                             0x4200ec 1.3 "ProfileName"                           "Profile Name"
    SERVER_URI                               0x4200ed 1.3 "ServerURI"                             "Server URI"
    SERVER_PORT                              0x4200ee 1.3 "ServerPort"                            "Server Port"
    STREAMING_CAPABILITY                     0x4200ef 1.3 "StreamingCapability"                   "Streaming Capability"
    ASYNCHRONOUS_CAPABILITY                  0x4200f0 1.3 "AsynchronousCapability"                "Asynchronous Capability"
    ATTESTATION_CAPABILITY                   0x4200f1 1.3 "AttestationCapability"                 "Attestation Capability"
    UNWRAP_MODE                              0x4200f2 1.3 "UnwrapMode"                            "Unwrap Mode"
    DESTROY_ACTION                           0x4200f3 1.3 "DestroyAction"                         "Destroy Action"
    SHREDDING_ALGORITHM                      0x4200f4 1.3 "ShreddingAlgorithm"                    "Shredding Algorithm"
    RNG_MODE                                 0x4200f5 1.3 "RNGMode"                               "RNG Mode"
    CLIENT_REGISTRATION_METHOD               0x4200f6 1.3 "ClientRegistrationMethod"              "Client Registration Method"
    CAPABILITY_INFORMATION                   0x4200f7 1.3 "CapabilityInformation"                 "Capability Information"
    KEY_WRAP_TYPE                            0x4200f8 1.4 "KeyWrapType"                           "Key Wrap Type"
    BATCH_UNDO_CAPABILITY                    0x4200f9 1.4 "BatchUndoCapability"                   "Batch Undo Capability"
    BATCH_CONTINUE_CAPABILITY                0x4200fa 1.4 "BatchContinueCapability"               "Batch Continue Capability"
    PKCS12_FRIENDLY_NAME                     0x4200fb 1.4 "PKCS_12FriendlyName"                   "PKCS#12 Friendly Name"
    DESCRIPTION                              0x4200fc 1.4 "Description"                           "Description"
    COMMENT                                  0x4200fd 1.4 "Comment"                               "Comment"
    AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA 0x4200fe 1.4 "AuthenticatedEncryptionAdditionalData" "Authenticated Encryption Additional Data"
    AUTHENTICATED_ENCRYPTION_TAG             0x4200ff 1.4 "AuthenticatedEncryptionTag"            "Authenticated Encryption Tag"
    SALT_LENGTH                              0x420100 1.4 "SaltLength"                            "Salt Length"
    MASK_GENERATOR                           0x420101 1.4 "MaskGenerator"                         "Mask Generator"
    MASK_GENERATOR_HASHING_ALGORITHM         0x420102 1.4 "MaskGeneratorHashingAlgorithm"         "Mask Generator Hashing Algorithm"
    P_SOURCE                                 0x420103 1.4 "PSource"                               "P Source"
    TRAILER_FIELD                            0x420104 1.4 "TrailerField"                          "Trailer Field"
    CLIENT_CORRELATION_VALUE                 0x420105 1.4 "ClientCorrelationValue"                "Client Correlation Value"
    SERVER_CORRELATION_VALUE                 0x420106 1.4 "ServerCorrelationValue"                "Server Correlation Value"
    DIGESTED_DATA                            0x420107 1.4 "DigestedData"                          "Digested Data"
    CERTIFICATE_SUBJECT_CN                   0x420108 1.4 "CertificateSubjectCN"                  "Certificate Subject CN"
    CERTIFICATE_SUBJECT_O                    0x420109 1.4 "CertificateSubjectO"                   "Certificate Subject O"
    CERTIFICATE_SUBJECT_OU                   0x42010a 1.4 "CertificateSubjectOU"                  "Certificate Subject OU"
    CERTIFICATE_SUBJECT_EMAIL                0x42010b 1.4 "CertificateSubjectEmail"               "Certificate Subject Email"
    CERTIFICATE_SUBJECT_C                    0x42010c 1.4 "CertificateSubjectC"                   "Certificate Subject C"
    CERTIFICATE_SUBJECT_ST                   0x42010d 1.4 "CertificateSubjectST"                  "Certificate Subject ST"
    CERTIFICATE_SUBJECT_L                    0x42010e 1.4 "CertificateSubjectL"                   "Certificate Subject L"
    CERTIFICATE_SUBJECT_UID                  0x42010f 1.4 "CertificateSubjectUID"                 "Certificate Subject UID"
    CERTIFICATE_SUBJECT_SERIAL_NUMBER        0x420110 1.4 "CertificateSubjectSerialNumber"        "Certificate Subject Serial Number"
    CERTIFICATE_SUBJECT_TITLE                0x420111 1.4 "CertificateSubjectTitle"               "Certificate Subject Title"
    CERTIFICATE_SUBJECT_DC                   0x420112 1.4 "CertificateSubjectDC"                  "Certificate Subject DC"
    CERTIFICATE_SUBJECT_DN_QUALIFIER         0x420113 1.4 "CertificateSubjectDNQualifier"         "Certificate Subject DN Qualifier"
    CERTIFICATE_ISSUER_CN                    0x420114 1.4 "CertificateIssuerCN"                   "Certificate Issuer CN"
    CERTIFICATE_ISSUER_O                     0x420115 1.4 "CertificateIssuerO"                    "Certificate Issuer O"
    CERTIFICATE_ISSUER_OU                    0x420116 1.4 "CertificateIssuerOU"                   "Certificate Issuer OU"
    CERTIFICATE_ISSUER_EMAIL                 0x420117 1.4 "CertificateIssuerEmail"                "Certificate Issuer Email"
    CERTIFICATE_ISSUER_C                     0x420118 1.4 "CertificateIssuerC"                    "Certificate Issuer C"
    CERTIFICATE_ISSUER_ST                    0x420119 1.4 "CertificateIssuerST"                   "Certificate Issuer ST"
    CERTIFICATE_ISSUER_L                     0x42011a 1.4 "CertificateIssuerL"                    "Certificate Issuer L"
    CERTIFICATE_ISSUER_UID                   0x42011b 1.4 "CertificateIssuerUID"                  "Certificate Issuer UID"
    CERTIFICATE_ISSUER_SERIAL_NUMBER         0x42011c 1.4 "CertificateIssuerSerialNumber"         "Certificate Issuer Serial Number"
    CERTIFICATE_ISSUER_TITLE                 0x42011d 1.4 "CertificateIssuerTitle"                "Certificate Issuer Title"
    CERTIFICATE_ISSUER_DC                    0x42011e 1.4 "CertificateIssuerDC"                   "Certificate Issuer DC"
    CERTIFICATE_ISSUER_DN_QUALIFIER          0x42011f 1.4 "CertificateIssuerDNQualifier"          "Certificate Issuer DN Qualifier"
    SENSITIVE                                0x420120 1.4 "Sensitive"                             "Sensitive"
    ALWAYS_SENSITIVE                         0x420121 1.4 "AlwaysSensitive"                       "Always Sensitive"
    EXTRACTABLE                              0x420122 1.4 "Extractable"                           "Extractable"
    NEVER_EXTRACTABLE                        0x420123 1.4 "NeverExtractable"                      "Never Extractable"
    REPLACE_EXISTING                         0x420124 1.4 "ReplaceExisting"                       "Replace Existing"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_version_has_as_many_tags_as_its_specification_lists() {
        let count = |version| all().filter(|&tag| introduced(tag) <= Some(version)).count();
        assert_eq!(count(ProtocolVersion::V1_0), 161); // to 4200a1
        assert_eq!(count(ProtocolVersion::V1_1), 183); // to 4200b7
        assert_eq!(count(ProtocolVersion::V1_2), 211); // to 4200d3
        assert_eq!(count(ProtocolVersion::V1_3), 247); // to 4200f7
        assert_eq!(count(ProtocolVersion::V1_4), 292); // to 420124
    }

    #[test]
    fn later_versions_only_append() {
        assert!(all().map(introduced).is_sorted());
    }

    #[test]
    fn no_two_tags_share_a_name() {
        assert_eq!(TABLE.iter().map(|row| row.name).collect::<BTreeSet<_>>().len(), TABLE.len());
        assert_eq!(TABLE.iter().map(|row| row.text).collect::<BTreeSet<_>>().len(), TABLE.len());
    }

    #[test]
    fn every_tag_is_found_by_each_of_its_names() {
        for tag in all() {
            assert_eq!(name(tag).and_then(from_name), Some(tag));
            assert_eq!(text(tag).and_then(from_text), Some(tag));
        }
    }

    #[test]
    fn names_are_spelled_as_the_profiles_spell_them() {
        assert_eq!(name(UNIQUE_BATCH_ITEM_ID), Some("UniqueBatchItemID"));
        assert_eq!(name(IV_COUNTER_NONCE), Some("IVCounterNonce"));
        assert_eq!(name(X509_CERTIFICATE_IDENTIFIER), Some("X_509CertificateIdentifier"));
        assert_eq!(text(X509_CERTIFICATE_IDENTIFIER), Some("X.509 Certificate Identifier"));
        assert_eq!(text(PKCS12_FRIENDLY_NAME), Some("PKCS#12 Friendly Name"));
    }

    #[test]
    fn a_tag_outside_the_table_has_no_name() {
        for number in [0, 0x420000, 0x420125, 0x42ffff, 0x540001, 0xffffff] {
            assert_eq!(name(Tag::new(number)), None);
            assert_eq!(introduced(Tag::new(number)), None);
        }
        assert_eq!(from_name("Unique Identifier"), None);
        assert_eq!(from_text("x-Component"), None);
    }
}
