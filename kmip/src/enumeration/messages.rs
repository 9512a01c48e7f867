//! Enumerations of what is said: operations, results, and what Query tells of a server.

use super::enumeration;

#[rustfmt::skip]
enumeration! {
    /// The outcome of a check of a signature, a MAC or a chain of certificates. `Undetermined` is the
    /// specification's "Unknown", a name that every enumeration here needs for itself.
    ///
    /// KMIP 1.4 section 9.1.3.2.23.
    ValidityIndicator {
        Valid        0x00000001 1.0 "Valid"
        Invalid      0x00000002 1.0 "Invalid"
        Undetermined 0x00000003 1.0 "Unknown"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a Query asks about.
    ///
    /// KMIP 1.4 section 9.1.3.2.24.
    QueryFunction {
        QueryOperations                0x00000001 1.0 "QueryOperations"
        QueryObjects                   0x00000002 1.0 "QueryObjects"
        QueryServerInformation         0x00000003 1.0 "QueryServerInformation"
        QueryApplicationNamespaces     0x00000004 1.0 "QueryApplicationNamespaces"
        QueryExtensionList             0x00000005 1.1 "QueryExtensionList"
        QueryExtensionMap              0x00000006 1.1 "QueryExtensionMap"
        QueryAttestationTypes          0x00000007 1.2 "QueryAttestationTypes"
        QueryRngs                      0x00000008 1.3 "QueryRNGs"
        QueryValidations               0x00000009 1.3 "QueryValidations"
        QueryProfiles                  0x0000000a 1.3 "QueryProfiles"
        QueryCapabilities              0x0000000b 1.3 "QueryCapabilities"
        QueryClientRegistrationMethods 0x0000000c 1.3 "QueryClientRegistrationMethods"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What became of the operation that Cancel named.
    ///
    /// KMIP 1.4 section 9.1.3.2.25.
    CancellationResult {
        Canceled       0x00000001 1.0 "Canceled"
        UnableToCancel 0x00000002 1.0 "UnableToCancel"
        Completed      0x00000003 1.0 "Completed"
        Failed         0x00000004 1.0 "Failed"
        Unavailable    0x00000005 1.0 "Unavailable"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Whether a Put brings a new object or replaces one.
    ///
    /// KMIP 1.4 section 9.1.3.2.26.
    PutFunction {
        New     0x00000001 1.0 "New"
        Replace 0x00000002 1.0 "Replace"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a batch item asks for.
    ///
    /// KMIP 1.4 section 9.1.3.2.27.
    Operation {
        Create             0x00000001 1.0 "Create"
        CreateKeyPair      0x00000002 1.0 "CreateKeyPair"
        Register           0x00000003 1.0 "Register"
        ReKey              0x00000004 1.0 "ReKey"
        DeriveKey          0x00000005 1.0 "DeriveKey"
        Certify            0x00000006 1.0 "Certify"
        ReCertify          0x00000007 1.0 "ReCertify"
        Locate             0x00000008 1.0 "Locate"
        Check              0x00000009 1.0 "Check"
        Get                0x0000000a 1.0 "Get"
        GetAttributes      0x0000000b 1.0 "GetAttributes"
        GetAttributeList   0x0000000c 1.0 "GetAttributeList"
        AddAttribute       0x0000000d 1.0 "AddAttribute"
        ModifyAttribute    0x0000000e 1.0 "ModifyAttribute"
        DeleteAttribute    0x0000000f 1.0 "DeleteAttribute"
        ObtainLease        0x00000010 1.0 "ObtainLease"
        GetUsageAllocation 0x00000011 1.0 "GetUsageAllocation"
        Activate           0x00000012 1.0 "Activate"
        Revoke             0x00000013 1.0 "Revoke"
        Destroy            0x00000014 1.0 "Destroy"
        Archive            0x00000015 1.0 "Archive"
        Recover            0x00000016 1.0 "Recover"
        Validate           0x00000017 1.0 "Validate"
        Query              0x00000018 1.0 "Query"
        Cancel             0x00000019 1.0 "Cancel"
        Poll               0x0000001a 1.0 "Poll"
        Notify             0x0000001b 1.0 "Notify"
        Put                0x0000001c 1.0 "Put"
        ReKeyKeyPair       0x0000001d 1.1 "ReKeyKeyPair"
        DiscoverVersions   0x0000001e 1.1 "DiscoverVersions"
        Encrypt            0x0000001f 1.2 "Encrypt"
        Decrypt            0x00000020 1.2 "Decrypt"
        Sign               0x00000021 1.2 "Sign"
        SignatureVerify    0x00000022 1.2 "SignatureVerify"
        Mac                0x00000023 1.2 "MAC"
        MacVerify          0x00000024 1.2 "MACVerify"
        RngRetrieve        0x00000025 1.2 "RNGRetrieve"
        RngSeed            0x00000026 1.2 "RNGSeed"
        Hash               0x00000027 1.2 "Hash"
        CreateSplitKey     0x00000028 1.2 "CreateSplitKey"
        JoinSplitKey       0x00000029 1.2 "JoinSplitKey"
        Import             0x0000002a 1.4 "Import"
        Export             0x0000002b 1.4 "Export"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How a batch item ended. The only enumeration that starts at 0.
    ///
    /// KMIP 1.4 section 9.1.3.2.28.
    ResultStatus {
        Success          0x00000000 1.0 "Success"
        OperationFailed  0x00000001 1.0 "OperationFailed"
        OperationPending 0x00000002 1.0 "OperationPending"
        OperationUndone  0x00000003 1.0 "OperationUndone"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Why a batch item failed.
    ///
    /// KMIP 1.4 section 9.1.3.2.29.
    ResultReason {
        ItemNotFound                     0x00000001 1.0 "ItemNotFound"
        ResponseTooLarge                 0x00000002 1.0 "ResponseTooLarge"
        AuthenticationNotSuccessful      0x00000003 1.0 "AuthenticationNotSuccessful"
        InvalidMessage                   0x00000004 1.0 "InvalidMessage"
        OperationNotSupported            0x00000005 1.0 "OperationNotSupported"
        MissingData                      0x00000006 1.0 "MissingData"
        InvalidField                     0x00000007 1.0 "InvalidField"
        FeatureNotSupported              0x00000008 1.0 "FeatureNotSupported"
        OperationCanceledByRequester     0x00000009 1.0 "OperationCanceledByRequester"
        CryptographicFailure             0x0000000a 1.0 "CryptographicFailure"
        IllegalOperation                 0x0000000b 1.0 "IllegalOperation"
        PermissionDenied                 0x0000000c 1.0 "PermissionDenied"
        ObjectArchived                   0x0000000d 1.0 "ObjectArchived"
        IndexOutOfBounds                 0x0000000e 1.0 "IndexOutOfBounds"
        ApplicationNamespaceNotSupported 0x0000000f 1.0 "ApplicationNamespaceNotSupported"
        KeyFormatTypeNotSupported        0x00000010 1.0 "KeyFormatTypeNotSupported"
        KeyCompressionTypeNotSupported   0x00000011 1.0 "KeyCompressionTypeNotSupported"
        EncodingOptionError              0x00000012 1.1 "EncodingOptionError"
        KeyValueNotPresent               0x00000013 1.2 "KeyValueNotPresent"
        AttestationRequired              0x00000014 1.2 "AttestationRequired"
        AttestationFailed                0x00000015 1.2 "AttestationFailed"
        Sensitive                        0x00000016 1.4 "Sensitive"
        NotExtractable                   0x00000017 1.4 "NotExtractable"
        ObjectAlreadyExists              0x00000018 1.4 "ObjectAlreadyExists"
        GeneralFailure                   0x00000100 1.0 "GeneralFailure"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What happens to the rest of a batch after a failure.
    ///
    /// KMIP 1.4 section 9.1.3.2.30.
    BatchErrorContinuationOption {
        Continue 0x00000001 1.0 "Continue"
        Stop     0x00000002 1.0 "Stop"
        Undo     0x00000003 1.0 "Undo"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How an Attestation credential is made.
    ///
    /// KMIP 1.4 section 9.1.3.2.36.
    AttestationType {
        TpmQuote           0x00000001 1.2 "TPMQuote"
        TcgIntegrityReport 0x00000002 1.2 "TCGIntegrityReport"
        SamlAssertion      0x00000003 1.2 "SAMLAssertion"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Who validated a product.
    ///
    /// KMIP 1.4 section 9.1.3.2.40.
    ValidationAuthorityType {
        Unspecified    0x00000001 1.3 "Unspecified"
        NistCmvp       0x00000002 1.3 "NISTCMVP"
        CommonCriteria 0x00000003 1.3 "CommonCriteria"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What of a product was validated.
    ///
    /// KMIP 1.4 section 9.1.3.2.41.
    ValidationType {
        Unspecified 0x00000001 1.3 "Unspecified"
        Hardware    0x00000002 1.3 "Hardware"
        Software    0x00000003 1.3 "Software"
        Firmware    0x00000004 1.3 "Firmware"
        Hybrid      0x00000005 1.3 "Hybrid"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Whether a server processes the wrapped keys it is given, as its capabilities tell.
    ///
    /// KMIP 1.4 section 9.1.3.2.43.
    UnwrapMode {
        Unspecified  0x00000001 1.3 "Unspecified"
        Processed    0x00000002 1.3 "Processed"
        NotProcessed 0x00000003 1.3 "NotProcessed"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What Destroy does to an object.
    ///
    /// KMIP 1.4 section 9.1.3.2.44.
    DestroyAction {
        Unspecified         0x00000001 1.3 "Unspecified"
        KeyMaterialDeleted  0x00000002 1.3 "KeyMaterialDeleted"
        KeyMaterialShredded 0x00000003 1.3 "KeyMaterialShredded"
        MetaDataDeleted     0x00000004 1.3 "MetaDataDeleted"
        MetaDataShredded    0x00000005 1.3 "MetaDataShredded"
        Deleted             0x00000006 1.3 "Deleted"
        Shredded            0x00000007 1.3 "Shredded"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How destroyed material is made unreadable.
    ///
    /// KMIP 1.4 section 9.1.3.2.45.
    ShreddingAlgorithm {
        Unspecified   0x00000001 1.3 "Unspecified"
        Cryptographic 0x00000002 1.3 "Cryptographic"
        Unsupported   0x00000003 1.3 "Unsupported"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How clients become known to a server.
    ///
    /// KMIP 1.4 section 9.1.3.2.47.
    ClientRegistrationMethod {
        Unspecified        0x00000001 1.3 "Unspecified"
        ServerPreGenerated 0x00000002 1.3 "ServerPreGenerated"
        ServerOnDemand     0x00000003 1.3 "ServerOnDemand"
        ClientGenerated    0x00000004 1.3 "ClientGenerated"
        ClientRegistered   0x00000005 1.3 "ClientRegistered"
    }
}
