//! Enumerations of what is computed: algorithms, modes, curves and generators.

use super::enumeration;

#[rustfmt::skip]
enumeration! {
    /// The named elliptic curve of a key.
    ///
    /// KMIP 1.4 section 9.1.3.2.5.
    RecommendedCurve {
        P192             0x00000001 1.0 "P_192"
        K163             0x00000002 1.0 "K_163"
        B163             0x00000003 1.0 "B_163"
        P224             0x00000004 1.0 "P_224"
        K233             0x00000005 1.0 "K_233"
        B233             0x00000006 1.0 "B_233"
        P256             0x00000007 1.0 "P_256"
        K283             0x00000008 1.0 "K_283"
        B283             0x00000009 1.0 "B_283"
        P384             0x0000000a 1.0 "P_384"
        K409             0x0000000b 1.0 "K_409"
        B409             0x0000000c 1.0 "B_409"
        P521             0x0000000d 1.0 "P_521"
        K571             0x0000000e 1.0 "K_571"
        B571             0x0000000f 1.0 "B_571"
        Secp112r1        0x00000010 1.2 "SECP112R1"
        Secp112r2        0x00000011 1.2 "SECP112R2"
        Secp128r1        0x00000012 1.2 "SECP128R1"
        Secp128r2        0x00000013 1.2 "SECP128R2"
        Secp160k1        0x00000014 1.2 "SECP160K1"
        Secp160r1        0x00000015 1.2 "SECP160R1"
        Secp160r2        0x00000016 1.2 "SECP160R2"
        Secp192k1        0x00000017 1.2 "SECP192K1"
        Secp224k1        0x00000018 1.2 "SECP224K1"
        Secp256k1        0x00000019 1.2 "SECP256K1"
        Sect113r1        0x0000001a 1.2 "SECT113R1"
        Sect113r2        0x0000001b 1.2 "SECT113R2"
        Sect131r1        0x0000001c 1.2 "SECT131R1"
        Sect131r2        0x0000001d 1.2 "SECT131R2"
        Sect163r1        0x0000001e 1.2 "SECT163R1"
        Sect193r1        0x0000001f 1.2 "SECT193R1"
        Sect193r2        0x00000020 1.2 "SECT193R2"
        Sect239k1        0x00000021 1.2 "SECT239K1"
        AnsiX9p192v2     0x00000022 1.2 "ANSIX9P192V2"
        AnsiX9p192v3     0x00000023 1.2 "ANSIX9P192V3"
        AnsiX9p239v1     0x00000024 1.2 "ANSIX9P239V1"
        AnsiX9p239v2     0x00000025 1.2 "ANSIX9P239V2"
        AnsiX9p239v3     0x00000026 1.2 "ANSIX9P239V3"
        AnsiX9c2pnb163v1 0x00000027 1.2 "ANSIX9C2PNB163V1"
        AnsiX9c2pnb163v2 0x00000028 1.2 "ANSIX9C2PNB163V2"
        AnsiX9c2pnb163v3 0x00000029 1.2 "ANSIX9C2PNB163V3"
        AnsiX9c2pnb176v1 0x0000002a 1.2 "ANSIX9C2PNB176V1"
        AnsiX9c2tnb191v1 0x0000002b 1.2 "ANSIX9C2TNB191V1"
        AnsiX9c2tnb191v2 0x0000002c 1.2 "ANSIX9C2TNB191V2"
        AnsiX9c2tnb191v3 0x0000002d 1.2 "ANSIX9C2TNB191V3"
        AnsiX9c2pnb208w1 0x0000002e 1.2 "ANSIX9C2PNB208W1"
        AnsiX9c2tnb239v1 0x0000002f 1.2 "ANSIX9C2TNB239V1"
        AnsiX9c2tnb239v2 0x00000030 1.2 "ANSIX9C2TNB239V2"
        AnsiX9c2tnb239v3 0x00000031 1.2 "ANSIX9C2TNB239V3"
        AnsiX9c2pnb272w1 0x00000032 1.2 "ANSIX9C2PNB272W1"
        AnsiX9c2pnb304w1 0x00000033 1.2 "ANSIX9C2PNB304W1"
        AnsiX9c2tnb359v1 0x00000034 1.2 "ANSIX9C2TNB359V1"
        AnsiX9c2pnb368w1 0x00000035 1.2 "ANSIX9C2PNB368W1"
        AnsiX9c2tnb431r1 0x00000036 1.2 "ANSIX9C2TNB431R1"
        BrainpoolP160r1  0x00000037 1.2 "BRAINPOOLP160R1"
        BrainpoolP160t1  0x00000038 1.2 "BRAINPOOLP160T1"
        BrainpoolP192r1  0x00000039 1.2 "BRAINPOOLP192R1"
        BrainpoolP192t1  0x0000003a 1.2 "BRAINPOOLP192T1"
        BrainpoolP224r1  0x0000003b 1.2 "BRAINPOOLP224R1"
        BrainpoolP224t1  0x0000003c 1.2 "BRAINPOOLP224T1"
        BrainpoolP256r1  0x0000003d 1.2 "BRAINPOOLP256R1"
        BrainpoolP256t1  0x0000003e 1.2 "BRAINPOOLP256T1"
        BrainpoolP320r1  0x0000003f 1.2 "BRAINPOOLP320R1"
        BrainpoolP320t1  0x00000040 1.2 "BRAINPOOLP320T1"
        BrainpoolP384r1  0x00000041 1.2 "BRAINPOOLP384R1"
        BrainpoolP384t1  0x00000042 1.2 "BRAINPOOLP384T1"
        BrainpoolP512r1  0x00000043 1.2 "BRAINPOOLP512R1"
        BrainpoolP512t1  0x00000044 1.2 "BRAINPOOLP512T1"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How a signature is made: digest, algorithm, padding.
    ///
    /// KMIP 1.4 section 9.1.3.2.7.
    DigitalSignatureAlgorithm {
        Md2WithRsaEncryption      0x00000001 1.1 "MD2WithRSAEncryption" | "MD2WithRSAEncryptionPKCS_1V1_5"
        Md5WithRsaEncryption      0x00000002 1.1 "MD5WithRSAEncryption" | "MD5WithRSAEncryptionPKCS_1V1_5"
        Sha1WithRsaEncryption     0x00000003 1.1 "SHA_1WithRSAEncryption" | "SHA_1WithRSAEncryptionPKCS_1V1_5"
        Sha224WithRsaEncryption   0x00000004 1.1 "SHA_224WithRSAEncryption" | "SHA_224WithRSAEncryptionPKCS_1V1_5"
        Sha256WithRsaEncryption   0x00000005 1.1 "SHA_256WithRSAEncryption" | "SHA_256WithRSAEncryptionPKCS_1V1_5"
        Sha384WithRsaEncryption   0x00000006 1.1 "SHA_384WithRSAEncryption" | "SHA_384WithRSAEncryptionPKCS_1V1_5"
        Sha512WithRsaEncryption   0x00000007 1.1 "SHA_512WithRSAEncryption" | "SHA_512WithRSAEncryptionPKCS_1V1_5"
        RsassaPss                 0x00000008 1.1 "RSASSA_PSS" | "RSASSA_PSSPKCS_1V2_1"
        DsaWithSha1               0x00000009 1.1 "DSAWithSHA_1"
        DsaWithSha224             0x0000000a 1.1 "DSAWithSHA224"
        DsaWithSha256             0x0000000b 1.1 "DSAWithSHA256"
        EcdsaWithSha1             0x0000000c 1.1 "ECDSAWithSHA_1"
        EcdsaWithSha224           0x0000000d 1.1 "ECDSAWithSHA224"
        EcdsaWithSha256           0x0000000e 1.1 "ECDSAWithSHA256"
        EcdsaWithSha384           0x0000000f 1.1 "ECDSAWithSHA384"
        EcdsaWithSha512           0x00000010 1.1 "ECDSAWithSHA512"
        Sha3_256WithRsaEncryption 0x00000011 1.4 "SHA3_256WithRSAEncryption"
        Sha3_384WithRsaEncryption 0x00000012 1.4 "SHA3_384WithRSAEncryption"
        Sha3_512WithRsaEncryption 0x00000013 1.4 "SHA3_512WithRSAEncryption"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a key is for, or what is computed.
    ///
    /// KMIP 1.4 section 9.1.3.2.13.
    CryptographicAlgorithm {
        Des              0x00000001 1.0 "DES"
        TripleDes        0x00000002 1.0 "DES3"
        Aes              0x00000003 1.0 "AES"
        Rsa              0x00000004 1.0 "RSA"
        Dsa              0x00000005 1.0 "DSA"
        Ecdsa            0x00000006 1.0 "ECDSA"
        HmacSha1         0x00000007 1.0 "HMAC_SHA1"
        HmacSha224       0x00000008 1.0 "HMAC_SHA224"
        HmacSha256       0x00000009 1.0 "HMAC_SHA256"
        HmacSha384       0x0000000a 1.0 "HMAC_SHA384"
        HmacSha512       0x0000000b 1.0 "HMAC_SHA512"
        HmacMd5          0x0000000c 1.0 "HMAC_MD5"
        Dh               0x0000000d 1.0 "DH"
        Ecdh             0x0000000e 1.0 "ECDH"
        Ecmqv            0x0000000f 1.0 "ECMQV"
        Blowfish         0x00000010 1.0 "Blowfish"
        Camellia         0x00000011 1.0 "Camellia"
        Cast5            0x00000012 1.0 "CAST5"
        Idea             0x00000013 1.0 "IDEA"
        Mars             0x00000014 1.0 "MARS"
        Rc2              0x00000015 1.0 "RC2"
        Rc4              0x00000016 1.0 "RC4"
        Rc5              0x00000017 1.0 "RC5"
        Skipjack         0x00000018 1.0 "SKIPJACK"
        Twofish          0x00000019 1.0 "Twofish"
        Ec               0x0000001a 1.2 "EC"
        OneTimePad       0x0000001b 1.3 "OneTimePad"
        ChaCha20         0x0000001c 1.4 "ChaCha20"
        Poly1305         0x0000001d 1.4 "Poly1305"
        ChaCha20Poly1305 0x0000001e 1.4 "ChaCha20Poly1305"
        Sha3_224         0x0000001f 1.4 "SHA3_224"
        Sha3_256         0x00000020 1.4 "SHA3_256"
        Sha3_384         0x00000021 1.4 "SHA3_384"
        Sha3_512         0x00000022 1.4 "SHA3_512"
        HmacSha3_224     0x00000023 1.4 "HMAC_SHA3_224"
        HmacSha3_256     0x00000024 1.4 "HMAC_SHA3_256"
        HmacSha3_384     0x00000025 1.4 "HMAC_SHA3_384"
        HmacSha3_512     0x00000026 1.4 "HMAC_SHA3_512"
        Shake128         0x00000027 1.4 "SHAKE_128"
        Shake256         0x00000028 1.4 "SHAKE_256"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How a block cipher is chained or wraps.
    ///
    /// KMIP 1.4 section 9.1.3.2.14.
    BlockCipherMode {
        Cbc               0x00000001 1.0 "CBC"
        Ecb               0x00000002 1.0 "ECB"
        Pcbc              0x00000003 1.0 "PCBC"
        Cfb               0x00000004 1.0 "CFB"
        Ofb               0x00000005 1.0 "OFB"
        Ctr               0x00000006 1.0 "CTR"
        Cmac              0x00000007 1.0 "CMAC"
        Ccm               0x00000008 1.0 "CCM"
        Gcm               0x00000009 1.0 "GCM"
        CbcMac            0x0000000a 1.0 "CBC_MAC"
        Xts               0x0000000b 1.0 "XTS"
        AesKeyWrapPadding 0x0000000c 1.0 "AESKeyWrapPadding"
        NistKeyWrap       0x0000000d 1.0 "NISTKeyWrap"
        X9_102Aeskw       0x0000000e 1.0 "X9_102AESKW"
        X9_102Tdkw        0x0000000f 1.0 "X9_102TDKW"
        X9_102Akw1        0x00000010 1.0 "X9_102AKW1"
        X9_102Akw2        0x00000011 1.0 "X9_102AKW2"
        Aead              0x00000012 1.4 "AEAD"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How a message is filled up to whole blocks, or framed for RSA.
    ///
    /// KMIP 1.4 section 9.1.3.2.15.
    PaddingMethod {
        None      0x00000001 1.0 "None"
        Oaep      0x00000002 1.0 "OAEP"
        Pkcs5     0x00000003 1.0 "PKCS5"
        Ssl3      0x00000004 1.0 "SSL3"
        Zeros     0x00000005 1.0 "Zeros"
        AnsiX9_23 0x00000006 1.0 "ANSIX9_23"
        Iso10126  0x00000007 1.0 "ISO10126"
        Pkcs1V1_5 0x00000008 1.0 "PKCS1V1_5"
        X9_31     0x00000009 1.0 "X9_31"
        Pss       0x0000000a 1.0 "PSS"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How a digest is computed.
    ///
    /// KMIP 1.4 section 9.1.3.2.16.
    HashingAlgorithm {
        Md2        0x00000001 1.0 "MD2"
        Md4        0x00000002 1.0 "MD4"
        Md5        0x00000003 1.0 "MD5"
        Sha1       0x00000004 1.0 "SHA_1"
        Sha224     0x00000005 1.0 "SHA_224"
        Sha256     0x00000006 1.0 "SHA_256"
        Sha384     0x00000007 1.0 "SHA_384"
        Sha512     0x00000008 1.0 "SHA_512"
        Ripemd160  0x00000009 1.0 "RIPEMD_160"
        Tiger      0x0000000a 1.0 "Tiger"
        Whirlpool  0x0000000b 1.0 "Whirlpool"
        Sha512_224 0x0000000c 1.2 "SHA_512_224"
        Sha512_256 0x0000000d 1.2 "SHA_512_256"
        Sha3_224   0x0000000e 1.4 "SHA_3_224"
        Sha3_256   0x0000000f 1.4 "SHA_3_256"
        Sha3_384   0x00000010 1.4 "SHA_3_384"
        Sha3_512   0x00000011 1.4 "SHA_3_512"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How a key is derived.
    ///
    /// KMIP 1.4 section 9.1.3.2.21.
    DerivationMethod {
        Pbkdf2         0x00000001 1.0 "PBKDF2"
        Hash           0x00000002 1.0 "HASH"
        Hmac           0x00000003 1.0 "HMAC"
        Encrypt        0x00000004 1.0 "ENCRYPT"
        Nist800_108C   0x00000005 1.0 "NIST800_108_C"
        Nist800_108F   0x00000006 1.0 "NIST800_108_F"
        Nist800_108Dpi 0x00000007 1.0 "NIST800_108_DPI"
        AsymmetricKey  0x00000008 1.4 "AsymmetricKey"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a random number generator is.
    ///
    /// KMIP 1.4 section 9.1.3.2.37.
    RngAlgorithm {
        Unspecified 0x00000001 1.3 "Unspecified"
        Fips186_2   0x00000002 1.3 "FIPS186_2"
        Drbg        0x00000003 1.3 "DRBG"
        Nrbg        0x00000004 1.3 "NRBG"
        AnsiX9_31   0x00000005 1.3 "ANSIX9_31"
        AnsiX9_62   0x00000006 1.3 "ANSIX9_62"
    }
}

#[rustfmt::skip]
enumeration! {
    /// What a deterministic random bit generator is built from.
    ///
    /// KMIP 1.4 section 9.1.3.2.38.
    DrbgAlgorithm {
        Unspecified 0x00000001 1.3 "Unspecified"
        DualEc      0x00000002 1.3 "Dual_EC"
        Hash        0x00000003 1.3 "Hash"
        Hmac        0x00000004 1.3 "HMAC"
        Ctr         0x00000005 1.3 "CTR"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Which variation of the FIPS 186-2 generator.
    ///
    /// KMIP 1.4 section 9.1.3.2.39.
    Fips186Variation {
        Unspecified     0x00000001 1.3 "Unspecified"
        GpXOriginal     0x00000002 1.3 "GPXOriginal"
        GpXChangeNotice 0x00000003 1.3 "GPXChangeNotice"
        XOriginal       0x00000004 1.3 "XOriginal"
        XChangeNotice   0x00000005 1.3 "XChangeNotice"
        KOriginal       0x00000006 1.3 "KOriginal"
        KChangeNotice   0x00000007 1.3 "KChangeNotice"
    }
}

#[rustfmt::skip]
enumeration! {
    /// Whether clients share a random number generator.
    ///
    /// KMIP 1.4 section 9.1.3.2.46.
    RngMode {
        Unspecified            0x00000001 1.3 "Unspecified"
        SharedInstantiation    0x00000002 1.3 "SharedInstantiation"
        NonSharedInstantiation 0x00000003 1.3 "NonSharedInstantiation"
    }
}

#[rustfmt::skip]
enumeration! {
    /// How OAEP and PSS make their mask.
    ///
    /// KMIP 1.4 section 9.1.3.2.49.
    MaskGenerator {
        Mgf1 0x00000001 1.4 "MGF1"
    }
}
