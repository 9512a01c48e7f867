//! One request and one response of each operation, with every field that it has.

use kmip::attribute::{Name, RevocationReason};
use kmip::enumeration::*;
use kmip::mask::{CryptographicUsageMask, StorageStatusMask};
use kmip::message::Nonce;
use kmip::object::{KeyBlock, KeyWrappingSpecification, WrappingKeyInformation};
use kmip::operations::*;
use kmip::{
    Attribute, AttributeName, ManagedObject, ProtocolVersion, RequestMessage, RequestPayload, ResponseHeader,
    ResponseItem, ResponseMessage, ResponsePayload, Secret, StandardAttribute, TemplateAttribute, tag,
};
use ttlv::{Node, Value};

pub(crate) const ID: &str = "9d7d7f5e-5f3a-4a0b-8a2e-2f0c3f1f4b11";
/// Bytes that stand out wherever they are shown.
pub(crate) const KEY: [u8; 32] = [0xa7; 32];

pub(crate) fn key_block() -> KeyBlock {
    KeyBlock::plain(KeyFormatType::Raw, Secret::from(&KEY[..]), Some(CryptographicAlgorithm::Aes), Some(256))
}

pub(crate) fn state() -> Attribute {
    Attribute::new(StandardAttribute::State, Value::Enumeration(State::PreActive.number()))
}

fn template() -> TemplateAttribute {
    TemplateAttribute {
        names: vec![Name::text("t01")],
        attributes: vec![
            Attribute::new(
                StandardAttribute::CryptographicAlgorithm,
                Value::Enumeration(CryptographicAlgorithm::Aes.number()),
            ),
            Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
            Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(12)),
            Attribute::new(StandardAttribute::Name, Name::text("k01").to_value()),
            Attribute::new(
                AttributeName::new("x-Component"),
                Value::TextString("Virtual Machine".to_owned()),
            ),
            Attribute::new(StandardAttribute::Sensitive, Value::Boolean(true)),
        ],
    }
}

/// Cryptographic Parameters with a field of 1.0, of 1.2, and of 1.4.
pub(crate) fn cryptographic_parameters() -> Value {
    Value::Structure(vec![
        Node::new(tag::BLOCK_CIPHER_MODE, Value::Enumeration(BlockCipherMode::Cbc.number())),
        Node::new(tag::CRYPTOGRAPHIC_ALGORITHM, Value::Enumeration(CryptographicAlgorithm::Aes.number())),
        Node::new(tag::RANDOM_IV, Value::Boolean(true)),
        Node::new(tag::SALT_LENGTH, Value::Integer(20)),
    ])
}

fn pair_templates() -> PairTemplates {
    PairTemplates { common: Some(template()), private_key: Some(template()), public_key: Some(template()) }
}

fn new_pair() -> NewPair {
    NewPair {
        private_key_unique_identifier: ID.to_owned(),
        public_key_unique_identifier: "2".to_owned(),
        private_key_template_attribute: Some(template()),
        public_key_template_attribute: Some(template()),
    }
}

fn id() -> Option<String> {
    Some(ID.to_owned())
}

fn secret() -> Option<Secret> {
    Some(Secret::from(&KEY[..]))
}

fn part() -> Part {
    Part { correlation_value: Some(vec![7; 4]), init_indicator: Some(false), final_indicator: Some(true) }
}

/// One request of each operation.
pub(crate) fn requests() -> Vec<RequestPayload> {
    let object_type = ObjectType::SymmetricKey;
    let information = WrappingKeyInformation {
        unique_identifier: ID.to_owned(),
        cryptographic_parameters: Some(cryptographic_parameters()),
    };
    vec![
        create::Request { object_type, template_attribute: template() }.into(),
        create_key_pair::Request { templates: pair_templates() }.into(),
        register::Request {
            object_type,
            template_attribute: template(),
            object: Some(Box::new(ManagedObject::SymmetricKey(key_block()))),
        }
        .into(),
        re_key::Request { unique_identifier: id(), offset: Some(60), template_attribute: Some(template()) }
            .into(),
        re_key_key_pair::Request {
            private_key_unique_identifier: id(),
            offset: Some(60),
            templates: pair_templates(),
        }
        .into(),
        derive_key::Request {
            object_type,
            unique_identifiers: vec![ID.to_owned(), "2".to_owned()],
            derivation_method: DerivationMethod::Pbkdf2,
            derivation_parameters: derive_key::DerivationParameters {
                cryptographic_parameters: Some(cryptographic_parameters()),
                initialization_vector: Some(vec![1, 2]),
                derivation_data: Some(Secret::from(&KEY[..])),
                salt: Some(vec![3, 4]),
                iteration_count: Some(4096),
            },
            template_attribute: template(),
        }
        .into(),
        certify::Request {
            unique_identifier: id(),
            certificate_request_type: Some(CertificateRequestType::Pkcs10),
            certificate_request: Some(vec![0x30, 0x00]),
            template_attribute: Some(template()),
        }
        .into(),
        re_certify::Request {
            unique_identifier: id(),
            certificate_request_type: Some(CertificateRequestType::Pem),
            certificate_request: Some(vec![0x2d]),
            offset: Some(60),
            template_attribute: Some(template()),
        }
        .into(),
        locate::Request {
            maximum_items: Some(10),
            offset_items: Some(20),
            storage_status_mask: Some(StorageStatusMask::ON_LINE_STORAGE),
            object_group_member: Some(ObjectGroupMember::GroupMemberFresh),
            attributes: template().attributes,
        }
        .into(),
        check::Request {
            unique_identifier: id(),
            usage_limits_count: Some(1),
            cryptographic_usage_mask: Some(CryptographicUsageMask::ENCRYPT),
            lease_time: Some(60),
        }
        .into(),
        get::Request {
            unique_identifier: id(),
            key_format_type: Some(KeyFormatType::Raw),
            key_wrap_type: Some(KeyWrapType::NotWrapped),
            key_compression_type: None,
            key_wrapping_specification: Some(Box::new(KeyWrappingSpecification {
                wrapping_method: WrappingMethod::Encrypt,
                encryption_key_information: Some(information),
                mac_signature_key_information: None,
                attribute_names: vec!["Cryptographic Usage Mask".to_owned()],
                encoding_option: Some(EncodingOption::NoEncoding),
            })),
        }
        .into(),
        get_attributes::Request {
            unique_identifier: id(),
            attribute_names: vec![StandardAttribute::State.into(), AttributeName::new("x-Name")],
        }
        .into(),
        get_attribute_list::Request { unique_identifier: id() }.into(),
        add_attribute::Request { unique_identifier: id(), attribute: state() }.into(),
        modify_attribute::Request { unique_identifier: id(), attribute: state() }.into(),
        delete_attribute::Request {
            unique_identifier: id(),
            attribute_name: AttributeName::new("x-Name"),
            attribute_index: Some(1),
        }
        .into(),
        obtain_lease::Request { unique_identifier: id() }.into(),
        get_usage_allocation::Request { unique_identifier: id(), usage_limits_count: 500 }.into(),
        activate::Request { unique_identifier: id() }.into(),
        revoke::Request {
            unique_identifier: id(),
            revocation_reason: RevocationReason {
                code: RevocationReasonCode::KeyCompromise,
                message: Some("lost".to_owned()),
            },
            compromise_occurrence_date: Some(1_700_000_000),
        }
        .into(),
        destroy::Request { unique_identifier: id() }.into(),
        validate::Request {
            certificates: vec![ManagedObject::Certificate {
                certificate_type: CertificateType::X509,
                certificate_value: vec![0x30, 0x00],
            }],
            unique_identifiers: vec![ID.to_owned()],
            validity_date: Some(1_700_000_000),
        }
        .into(),
        archive::Request { unique_identifier: id() }.into(),
        recover::Request { unique_identifier: id() }.into(),
        cancel::Request { asynchronous_correlation_value: vec![9; 16] }.into(),
        poll::Request { asynchronous_correlation_value: vec![9; 16] }.into(),
        query::Request { query_functions: vec![QueryFunction::QueryOperations] }.into(),
        discover_versions::Request { protocol_versions: vec![ProtocolVersion::V1_1] }.into(),
        encrypt::Request {
            unique_identifier: id(),
            cryptographic_parameters: Some(cryptographic_parameters()),
            data: secret(),
            iv_counter_nonce: Some(vec![1; 16]),
            part: part(),
            authenticated_encryption_additional_data: Some(vec![2; 3]),
        }
        .into(),
        decrypt::Request {
            unique_identifier: id(),
            cryptographic_parameters: Some(cryptographic_parameters()),
            data: secret(),
            iv_counter_nonce: Some(vec![1; 16]),
            part: part(),
            authenticated_encryption_additional_data: Some(vec![2; 3]),
            authenticated_encryption_tag: Some(vec![3; 16]),
        }
        .into(),
        sign::Request {
            unique_identifier: id(),
            cryptographic_parameters: Some(cryptographic_parameters()),
            data: secret(),
            digested_data: Some(vec![4; 32]),
            part: part(),
        }
        .into(),
        signature_verify::Request {
            unique_identifier: id(),
            cryptographic_parameters: Some(cryptographic_parameters()),
            data: secret(),
            digested_data: Some(vec![4; 32]),
            signature_data: Some(vec![5; 8]),
            part: part(),
        }
        .into(),
        mac::Request {
            unique_identifier: id(),
            cryptographic_parameters: Some(cryptographic_parameters()),
            data: secret(),
            part: part(),
        }
        .into(),
        mac_verify::Request {
            unique_identifier: id(),
            cryptographic_parameters: Some(cryptographic_parameters()),
            data: secret(),
            mac_data: Some(vec![6; 32]),
            part: part(),
        }
        .into(),
        rng_retrieve::Request { data_length: 32 }.into(),
        rng_seed::Request { data: Secret::from(&KEY[..]) }.into(),
        hash::Request { cryptographic_parameters: cryptographic_parameters(), data: secret(), part: part() }
            .into(),
        create_split_key::Request {
            object_type: ObjectType::SplitKey,
            unique_identifier: id(),
            split_key_parts: 5,
            split_key_threshold: 3,
            split_key_method: SplitKeyMethod::PolynomialSharingPrimeField,
            prime_field_size: Some(vec![0, 0, 0, 0, 0, 0, 1, 1]),
            template_attribute: Some(template()),
        }
        .into(),
        join_split_key::Request {
            object_type: ObjectType::SecretData,
            unique_identifiers: vec![ID.to_owned(), "2".to_owned()],
            secret_data_type: Some(SecretDataType::Seed),
            template_attribute: Some(template()),
        }
        .into(),
        import::Request {
            unique_identifier: ID.to_owned(),
            replace_existing: Some(true),
            key_wrap_type: Some(KeyWrapType::AsRegistered),
            attributes: template().attributes,
            object: Some(Box::new(ManagedObject::SymmetricKey(key_block()))),
        }
        .into(),
        export::Request {
            get: get::Request {
                unique_identifier: id(),
                key_format_type: Some(KeyFormatType::Raw),
                key_wrap_type: Some(KeyWrapType::NotWrapped),
                ..get::Request::default()
            },
        }
        .into(),
    ]
}

/// One response of each operation, with whatever any version has.
pub(crate) fn responses() -> Vec<ResponsePayload> {
    let object_type = ObjectType::SymmetricKey;
    let unique_identifier = || ID.to_owned();
    let template_attribute = || Some(template());
    let profile = |name: ProfileName| {
        Value::Structure(vec![Node::new(tag::PROFILE_NAME, Value::Enumeration(name.number()))])
    };
    vec![
        create::Response {
            object_type,
            unique_identifier: unique_identifier(),
            template_attribute: template_attribute(),
        }
        .into(),
        create_key_pair::Response { pair: new_pair() }.into(),
        register::Response {
            unique_identifier: unique_identifier(),
            template_attribute: template_attribute(),
        }
        .into(),
        re_key::Response { unique_identifier: unique_identifier(), template_attribute: template_attribute() }
            .into(),
        re_key_key_pair::Response { pair: new_pair() }.into(),
        derive_key::Response {
            unique_identifier: unique_identifier(),
            template_attribute: template_attribute(),
        }
        .into(),
        certify::Response {
            unique_identifier: unique_identifier(),
            template_attribute: template_attribute(),
        }
        .into(),
        re_certify::Response {
            unique_identifier: unique_identifier(),
            template_attribute: template_attribute(),
        }
        .into(),
        locate::Response {
            located_items: Some(2),
            unique_identifiers: vec![unique_identifier(), "2".to_owned()],
        }
        .into(),
        check::Response {
            unique_identifier: id(),
            usage_limits_count: Some(1),
            cryptographic_usage_mask: Some(CryptographicUsageMask::ENCRYPT),
            lease_time: Some(60),
        }
        .into(),
        get::Response {
            object_type,
            unique_identifier: unique_identifier(),
            object: ManagedObject::SymmetricKey(key_block()),
        }
        .into(),
        get_attributes::Response {
            unique_identifier: unique_identifier(),
            attributes: template().attributes,
        }
        .into(),
        get_attribute_list::Response {
            unique_identifier: unique_identifier(),
            attribute_names: kmip::attribute::RULES.iter().map(|rule| rule.attribute.into()).collect(),
        }
        .into(),
        add_attribute::Response { unique_identifier: unique_identifier(), attribute: state() }.into(),
        modify_attribute::Response { unique_identifier: unique_identifier(), attribute: state() }.into(),
        delete_attribute::Response { unique_identifier: unique_identifier(), attribute: state() }.into(),
        obtain_lease::Response {
            unique_identifier: unique_identifier(),
            lease_time: 3600,
            last_change_date: 1_700_000_000,
        }
        .into(),
        get_usage_allocation::Response { unique_identifier: unique_identifier() }.into(),
        activate::Response { unique_identifier: unique_identifier() }.into(),
        revoke::Response { unique_identifier: unique_identifier() }.into(),
        destroy::Response { unique_identifier: unique_identifier() }.into(),
        validate::Response { validity_indicator: ValidityIndicator::Valid }.into(),
        archive::Response { unique_identifier: unique_identifier() }.into(),
        recover::Response { unique_identifier: unique_identifier() }.into(),
        cancel::Response {
            asynchronous_correlation_value: vec![9; 16],
            cancellation_result: CancellationResult::Canceled,
        }
        .into(),
        poll::Response {}.into(),
        query::Response {
            operations: Operation::ALL.to_vec(),
            object_types: ObjectType::ALL.to_vec(),
            vendor_identification: Some("test01".to_owned()),
            server_information: Some(Value::Structure(Vec::new())),
            application_namespaces: vec!["ns01".to_owned()],
            extension_information: vec![Value::Structure(vec![
                Node::new(tag::EXTENSION_NAME, Value::TextString("e01".to_owned())),
                Node::new(tag::EXTENSION_TAG, Value::Integer(0x0054_0001)),
            ])],
            attestation_types: AttestationType::ALL.to_vec(),
            rng_parameters: vec![Value::Structure(vec![Node::new(
                tag::RNG_ALGORITHM,
                Value::Enumeration(RngAlgorithm::Drbg.number()),
            )])],
            profile_information: ProfileName::ALL.iter().map(|&name| profile(name)).collect(),
            validation_information: Vec::new(),
            capability_information: vec![Value::Structure(vec![
                Node::new(tag::STREAMING_CAPABILITY, Value::Boolean(false)),
                Node::new(tag::BATCH_UNDO_CAPABILITY, Value::Boolean(true)),
            ])],
            client_registration_methods: ClientRegistrationMethod::ALL.to_vec(),
        }
        .into(),
        discover_versions::Response { protocol_versions: ProtocolVersion::ALL.to_vec() }.into(),
        encrypt::Response {
            unique_identifier: unique_identifier(),
            data: secret(),
            iv_counter_nonce: Some(vec![1; 16]),
            correlation_value: Some(vec![7; 4]),
            authenticated_encryption_tag: Some(vec![3; 16]),
        }
        .into(),
        decrypt::Response {
            unique_identifier: unique_identifier(),
            data: secret(),
            correlation_value: Some(vec![7; 4]),
        }
        .into(),
        sign::Response {
            unique_identifier: unique_identifier(),
            signature_data: Some(vec![5; 8]),
            correlation_value: Some(vec![7; 4]),
        }
        .into(),
        signature_verify::Response {
            unique_identifier: unique_identifier(),
            validity_indicator: Some(ValidityIndicator::Valid),
            data: secret(),
            correlation_value: Some(vec![7; 4]),
        }
        .into(),
        mac::Response {
            unique_identifier: unique_identifier(),
            mac_data: Some(vec![6; 32]),
            correlation_value: Some(vec![7; 4]),
        }
        .into(),
        mac_verify::Response {
            unique_identifier: unique_identifier(),
            validity_indicator: Some(ValidityIndicator::Invalid),
            correlation_value: Some(vec![7; 4]),
        }
        .into(),
        rng_retrieve::Response { data: Secret::from(&KEY[..]) }.into(),
        rng_seed::Response { data_length: 0 }.into(),
        hash::Response { data: Some(vec![8; 32]), correlation_value: Some(vec![7; 4]) }.into(),
        create_split_key::Response {
            unique_identifiers: vec![unique_identifier(), "2".to_owned()],
            template_attribute: template_attribute(),
        }
        .into(),
        join_split_key::Response {
            unique_identifier: unique_identifier(),
            template_attribute: template_attribute(),
        }
        .into(),
        import::Response { unique_identifier: unique_identifier() }.into(),
        export::Response {
            object_type,
            unique_identifier: unique_identifier(),
            attributes: template().attributes,
            object: Some(Box::new(ManagedObject::SymmetricKey(key_block()))),
        }
        .into(),
    ]
}

/// A request with everything that its header may hold.
pub(crate) fn request(version: ProtocolVersion, payload: RequestPayload) -> RequestMessage {
    let mut request = RequestMessage::new(version, [payload]);
    let header = &mut request.header;
    header.maximum_response_size = Some(4096);
    header.client_correlation_value = Some("c01".to_owned());
    header.server_correlation_value = Some("s01".to_owned());
    header.asynchronous_indicator = Some(false);
    header.attestation_capable_indicator = Some(true);
    header.attestation_types = vec![AttestationType::TcgIntegrityReport];
    header.batch_order_option = Some(true);
    header.batch_error_continuation_option = Some(BatchErrorContinuationOption::Stop);
    header.time_stamp = Some(1_700_000_000);
    request.items[0].unique_batch_item_id = Some(vec![1, 2, 3]);
    request
}

/// A response with everything that its header may hold.
pub(crate) fn response(version: ProtocolVersion, item: ResponseItem) -> ResponseMessage {
    let mut header = ResponseHeader::new(version, 1_700_000_000, 1);
    header.nonce = Some(Nonce { id: vec![1], value: vec![2; 16] });
    header.attestation_types = vec![AttestationType::TcgIntegrityReport];
    header.client_correlation_value = Some("c01".to_owned());
    header.server_correlation_value = Some("s01".to_owned());
    ResponseMessage { header, items: vec![item] }
}

pub(crate) fn request_bytes(request: &RequestMessage) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode(&mut out);
    out
}

pub(crate) fn response_bytes(response: &ResponseMessage) -> Vec<u8> {
    let mut out = Vec::new();
    response.encode(&mut out);
    out
}
