//! Enumerations of what is kept: objects, their key blocks and their names.

use super::enumeration;

#[rustfmt::skip]
enumeration! {
    /// What a Credential holds.
    ///
    /// KMIP 1.4 section 9.1.3.2.1.
    CredentialType {
        UsernameAndPassword 0x00000001 1.0 "UsernameAndPassword"
        Device              0x00000002 1.1 "Device"
        Attestation         0x00000003 1.2 "Attestation"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How the points of an elliptic curve key are written.
    ///
    /// KMIP 1.4 section 9.1.3.2.2.
    KeyCompressionType {
        EcPublicKeyTypeUncompressed         0x00000001 1.0 "ECPublicKeyTypeUncompressed"
        EcPublicKeyTypeX9_62CompressedPrime 0x00000002 1.0 "ECPublicKeyTypeX9_62CompressedPrime"
        EcPublicKeyTypeX9_62CompressedChar2 0x00000003 1.0 "ECPublicKeyTypeX9_62CompressedChar2"
        EcPublicKeyTypeX9_62Hybrid          0x00000004 1.0 "ECPublicKeyTypeX9_62Hybrid"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How key material is laid out in a Key Block.
    ///
    /// KMIP 1.4 section 9.1.3.2.3.
    KeyFormatType {
        Raw                        0x00000001 1.0 "Raw"
        Opaque                     0x00000002 1.0 "Opaque"
        Pkcs1                      0x00000003 1.0 "PKCS_1"
        Pkcs8                      0x00000004 1.0 "PKCS_8"
        X509                       0x00000005 1.0 "X_509"
        EcPrivateKey               0x00000006 1.0 "ECPrivateKey"
        TransparentSymmetricKey    0x00000007 1.0 "TransparentSymmetricKey"
        TransparentDsaPrivateKey   0x00000008 1.0 "TransparentDSAPrivateKey"
        TransparentDsaPublicKey    0x00000009 1.0 "TransparentDSAPublicKey"
        TransparentRsaPrivateKey   0x0000000a 1.0 "TransparentRSAPrivateKey"
        TransparentRsaPublicKey    0x0000000b 1.0 "TransparentRSAPublicKey"
        TransparentDhPrivateKey    0x0000000c 1.0 "TransparentDHPrivateKey"
        TransparentDhPublicKey     0x0000000d 1.0 "TransparentDHPublicKey"
        TransparentEcdsaPrivateKey 0x0000000e 1.0 "TransparentECDSAPrivateKey"
        TransparentEcdsaPublicKey  0x0000000f 1.0 "TransparentECDSAPublicKey"
        TransparentEcdhPrivateKey  0x00000010 1.0 "TransparentECDHPrivateKey"
        TransparentEcdhPublicKey   0x00000011 1.0 "TransparentECDHPublicKey"
        TransparentEcmqvPrivateKey 0x00000012 1.0 "TransparentECMQVPrivateKey"
        TransparentEcmqvPublicKey  0x00000013 1.0 "TransparentECMQVPublicKey"
        TransparentEcPrivateKey    0x00000014 1.3 "TransparentECPrivateKey"
        TransparentEcPublicKey     0x00000015 1.3 "TransparentECPublicKey"
        Pkcs12                     0x00000016 1.4 "PKCS_12"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What was done to wrapped key material, in which order.
    ///
    /// KMIP 1.4 section 9.1.3.2.4.
    WrappingMethod {
        Encrypt            0x00000001 1.0 "Encrypt"
        MacSign            0x00000002 1.0 "MACSign"
        EncryptThenMacSign 0x00000003 1.0 "EncryptThenMACSign"
        MacSignThenEncrypt 0x00000004 1.0 "MACSignThenEncrypt"
        Tr31               0x00000005 1.0 "TR_31"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a Certificate object holds; PGP is deprecated since 1.2.
    ///
    /// KMIP 1.4 section 9.1.3.2.6.
    CertificateType {
        X509 0x00000001 1.0 "X_509"
        Pgp  0x00000002 1.0 "PGP"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How a key was split into parts.
    ///
    /// KMIP 1.4 section 9.1.3.2.8.
    SplitKeyMethod {
        Xor                         0x00000001 1.0 "XOR"
        PolynomialSharingGf2_16     0x00000002 1.0 "PolynomialSharingGF2_16" | "PolynomialSharingGF216"
        PolynomialSharingPrimeField 0x00000003 1.0 "PolynomialSharingPrimeField"
        PolynomialSharingGf2_8      0x00000004 1.2 "PolynomialSharingGF2_8" | "PolynomialSharingGF28"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a Secret Data object holds.
    ///
    /// KMIP 1.4 section 9.1.3.2.9.
    SecretDataType {
        Password 0x00000001 1.0 "Password"
        Seed     0x00000002 1.0 "Seed"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What an Opaque Object holds; the specification names nothing, extensions only.
    ///
    /// KMIP 1.4 section 9.1.3.2.10.
    OpaqueDataType {
    }
}

#[rustfmt::skip]
enumeration! {
    /// What the value of a Name is.
    ///
    /// KMIP 1.4 section 9.1.3.2.11.
    NameType {
        UninterpretedTextString 0x00000001 1.0 "UninterpretedTextString"
        Uri                     0x00000002 1.0 "URI"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a managed object is; Template is deprecated since 1.3.
    ///
    /// KMIP 1.4 section 9.1.3.2.12.
    ObjectType {
        Certificate  0x00000001 1.0 "Certificate"
        SymmetricKey 0x00000002 1.0 "SymmetricKey"
        PublicKey    0x00000003 1.0 "PublicKey"
        PrivateKey   0x00000004 1.0 "PrivateKey"
        SplitKey     0x00000005 1.0 "SplitKey"
        Template     0x00000006 1.0 "Template"
        SecretData   0x00000007 1.0 "SecretData"
        OpaqueObject 0x00000008 1.0 "OpaqueObject"
        PgpKey       0x00000009 1.2 "PGPKey"
    }
}

#[rustfmt::skip]
enumeration! {
    /// A banking key's role, in the terms of TR-31.
    ///
    /// KMIP 1.4 section 9.1.3.2.17.
    KeyRoleType {
        Bdk      0x00000001 1.0 "BDK"
        Cvk      0x00000002 1.0 "CVK"
        Dek      0x00000003 1.0 "DEK"
        Mkac     0x00000004 1.0 "MKAC"
        Mksmc    0x00000005 1.0 "MKSMC"
        Mksmi    0x00000006 1.0 "MKSMI"
        Mkdac    0x00000007 1.0 "MKDAC"
        Mkdn     0x00000008 1.0 "MKDN"
        Mkcp     0x00000009 1.0 "MKCP"
        Mkoth    0x0000000a 1.0 "MKOTH"
        Kek      0x0000000b 1.0 "KEK"
        Mac16609 0x0000000c 1.0 "MAC16609"
        Mac97971 0x0000000d 1.0 "MAC97971"
        Mac97972 0x0000000e 1.0 "MAC97972"
        Mac97973 0x0000000f 1.0 "MAC97973"
        Mac97974 0x00000010 1.0 "MAC97974"
        Mac97975 0x00000011 1.0 "MAC97975"
        Zpk      0x00000012 1.0 "ZPK"
        Pvkibm   0x00000013 1.0 "PVKIBM"
        Pvkpvv   0x00000014 1.0 "PVKPVV"
        Pvkoth   0x00000015 1.0 "PVKOTH"
        Dukpt    0x00000016 1.4 "DUKPT"
        Iv       0x00000017 1.4 "IV"
        Trkbk    0x00000018 1.4 "TRKBK"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Where an object is in its life (KMIP 1.4 section 3.22).
    ///
    /// KMIP 1.4 section 9.1.3.2.18.
    State {
        PreActive            0x00000001 1.0 "PreActive"
        Active               0x00000002 1.0 "Active"
        Deactivated          0x00000003 1.0 "Deactivated"
        Compromised          0x00000004 1.0 "Compromised"
        Destroyed            0x00000005 1.0 "Destroyed"
        DestroyedCompromised 0x00000006 1.0 "DestroyedCompromised"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Why an object was revoked.
    ///
    /// KMIP 1.4 section 9.1.3.2.19.
    RevocationReasonCode {
        Unspecified          0x00000001 1.0 "Unspecified"
        KeyCompromise        0x00000002 1.0 "KeyCompromise"
        CaCompromise         0x00000003 1.0 "CACompromise"
        AffiliationChanged   0x00000004 1.0 "AffiliationChanged"
        Superseded           0x00000005 1.0 "Superseded"
        CessationOfOperation 0x00000006 1.0 "CessationOfOperation"
        PrivilegeWithdrawn   0x00000007 1.0 "PrivilegeWithdrawn"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What the other object of a Link is to this one. The numbers start at 0x101.
    ///
    /// KMIP 1.4 section 9.1.3.2.20.
    LinkType {
        CertificateLink          0x00000101 1.0 "CertificateLink"
        PublicKeyLink            0x00000102 1.0 "PublicKeyLink"
        PrivateKeyLink           0x00000103 1.0 "PrivateKeyLink"
        DerivationBaseObjectLink 0x00000104 1.0 "DerivationBaseObjectLink"
        DerivedKeyLink           0x00000105 1.0 "DerivedKeyLink"
        ReplacementObjectLink    0x00000106 1.0 "ReplacementObjectLink"
        ReplacedObjectLink       0x00000107 1.0 "ReplacedObjectLink"
        ParentLink               0x00000108 1.2 "ParentLink"
        ChildLink                0x00000109 1.2 "ChildLink"
        PreviousLink             0x0000010a 1.2 "PreviousLink"
        NextLink                 0x0000010b 1.2 "NextLink"
        Pkcs12CertificateLink    0x0000010c 1.4 "PKCS_12CertificateLink"
        Pkcs12PasswordLink       0x0000010d 1.4 "PKCS_12PasswordLink"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a certificate request is written in; PGP is deprecated since 1.1.
    ///
    /// KMIP 1.4 section 9.1.3.2.22.
    CertificateRequestType {
        Crmf   0x00000001 1.0 "CRMF"
        Pkcs10 0x00000002 1.0 "PKCS_10"
        Pem    0x00000003 1.0 "PEM"
        Pgp    0x00000004 1.0 "PGP"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What Usage Limits count.
    ///
    /// KMIP 1.4 section 9.1.3.2.31.
    UsageLimitsUnit {
        Byte   0x00000001 1.0 "Byte"
        Object 0x00000002 1.0 "Object"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What was wrapped: the bare key material, or the Key Value with its TTLV around it.
    ///
    /// KMIP 1.4 section 9.1.3.2.32.
    EncodingOption {
        NoEncoding   0x00000001 1.1 "NoEncoding"
        TtlvEncoding 0x00000002 1.1 "TTLVEncoding"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Which members of a group Locate looks for.
    ///
    /// KMIP 1.4 section 9.1.3.2.33.
    ObjectGroupMember {
        GroupMemberFresh   0x00000001 1.1 "GroupMemberFresh"
        GroupMemberDefault 0x00000002 1.1 "GroupMemberDefault"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What the value of an Alternative Name is.
    ///
    /// KMIP 1.4 section 9.1.3.2.34.
    AlternativeNameType {
        UninterpretedTextString 0x00000001 1.2 "UninterpretedTextString"
        Uri                     0x00000002 1.2 "URI"
        ObjectSerialNumber      0x00000003 1.2 "ObjectSerialNumber"
        EmailAddress            0x00000004 1.2 "EmailAddress"
        DnsName                 0x00000005 1.2 "DNSName"
        X500DistinguishedName   0x00000006 1.2 "X_500DistinguishedName"
        IpAddress               0x00000007 1.2 "IPAddress"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What the value of a Key Value Location is.
    ///
    /// KMIP 1.4 section 9.1.3.2.35.
    KeyValueLocationType {
        UninterpretedTextString 0x00000001 1.2 "UninterpretedTextString"
        Uri                     0x00000002 1.2 "URI"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Whether a wrapped key is delivered as it was registered.
    ///
    /// KMIP 1.4 section 9.1.3.2.48.
    KeyWrapType {
        NotWrapped   0x00000001 1.4 "NotWrapped"
        AsRegistered 0x00000002 1.4 "AsRegistered"
    }
}
