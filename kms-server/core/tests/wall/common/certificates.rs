//! Certificates to register, in hexadecimal as the text form has them. Made for these tests, with OpenSSL; each is signed by
//! its own key.

use std::str::FromStr;

use kmip::enumeration::HashingAlgorithm;
use kms_core::cryptography::{AsymmetricForm, AsymmetricKey, Cryptography, Signed, Signing};
use x509_cert::der::asn1::{Any, BitString, SetOfVec};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq};
use x509_cert::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::toy::Toy;

/// RSA of 1,024 bits, SHA-256, a name of seven parts, alternative names of subject and issuer.
pub const RSA: &str = "0x\
    3082031a30820283a0030201020209009bba23d1b6a48f97300d06092a864886f70d01010b05003078310b30090603550406\
    13024e4c31173015060355040a0c0e4578616d706c652c205465737473310c300a060355040b0c034f6e65310c300a060355\
    040b0c0354776f3113301106035504030c0a6b657920736572766572311f301d06092a864886f70d01090116106b65797340\
    6578616d706c652e6f7267301e170d3236313132353031313030325a170d3336313132323031313030325a3078310b300906\
    0355040613024e4c31173015060355040a0c0e4578616d706c652c205465737473310c300a060355040b0c034f6e65310c30\
    0a060355040b0c0354776f3113301106035504030c0a6b657920736572766572311f301d06092a864886f70d01090116106b\
    657973406578616d706c652e6f726730819f300d06092a864886f70d010101050003818d0030818902818100a9b1667731ff\
    31f0e3fd285099891912d8f8210a36ad7ad4be240422d687680e62016e0bbfd02967bb19cf306fbfd20836508fe90864bef4\
    e201a12e56db2e6bc678dc302f12080b94b45697daa75cc8aae023fd285f75e8aa8fd5a69fcb90132bb5f0a7b12d408180c7\
    c43bcc1bf8a8dc5485231cd25965c630313f5adac54b0203010001a381ab3081a8301d0603551d0e041604141d58f5dbb6fe\
    0906400fcf281f01a2b246892ee8301f0603551d230418301680141d58f5dbb6fe0906400fcf281f01a2b246892ee8300f06\
    03551d130101ff040530030101ff30320603551d11042b3029820f6b6d732e6578616d706c652e6f72678704c00002018110\
    6b657973406578616d706c652e6f726730210603551d12041a3018861668747470733a2f2f6578616d706c652e6f72672f63\
    61300d06092a864886f70d01010b05000381810042c49424914d0278e92e752c4a2ad9dc08a2e9cf433f631e0ec694d4c9cd\
    8d18b5ceae1a3cf0ecfbe3d2532f9f2aee7a8749ef59743954a9b01d1bd4750d2e8cb47a4e226c6b2d960b9f46b4af25af46\
    f3d4abf8917f77be8790361059d17ff1f47d146451f2d7cb07918bee35771d2325e76a412751cbec79c0dd4503191087";

/// P-384, SHA-384, `CN=curve`, serial number 1.
pub const EC: &str = "0x\
    308201a030820125a003020102020101300a06082a8648ce3d0403033010310e300c06035504030c056375727665301e170d\
    3236313132353031313030325a170d3336313132323031313030325a3010310e300c06035504030c05637572766530763010\
    06072a8648ce3d020106052b8104002203620004f082f13eebce165e589f379a0d14e14297dbf9fdef2a8635ff3a33a349ac\
    5d2911f91be0c96573df4f60eb0e2c25368c5c8c450f14257d42fe4ba7cd4c78b549b2c5eaba0486ae481497d489a5c50267\
    b84bf5eb30f2f45bba180b9e5cd4a5b9a3533051301d0603551d0e04160414c32d7152d545db984856ae190f1fe52ca85837\
    17301f0603551d23041830168014c32d7152d545db984856ae190f1fe52ca8583717300f0603551d130101ff040530030101\
    ff300a06082a8648ce3d0403030369003066023100bb6f3b67dd539a555abe8db61afbe009b9e0acdbf7af0b155caa5097c8\
    2efe33112b530e9f34f5b0b83d9e8f90dab639023100ad030e189a450f1220b521b825551f6fa4b2e97678f51607d0fb971f\
    75f473f3e3af7d8ebed3ba6f4383d810d2b067d1";

/// Ed25519, which KMIP 1.4 has no words for, `CN=edwards`.
pub const EDWARDS: &str = "0x\
    308201253081d8a003020102020102300506032b657030123110300e06035504030c0765647761726473301e170d32363131\
    32353031313030325a170d3336313132323031313030325a30123110300e06035504030c0765647761726473302a30050603\
    2b65700321003a9b52f133b61da51a1aa9ee4b4edadce1776acdda8c4e6574e57676f5d2efa7a3533051301d0603551d0e04\
    160414f8ced5f8c16771787a67fc66278abd77037a9051301f0603551d23041830168014f8ced5f8c16771787a67fc66278a\
    bd77037a9051300f0603551d130101ff040530030101ff300506032b6570034100b0a2d3622561ff9fb2b4810f8b1816be5d\
    eeafbf34ae3dd248bb436bd81fbd71e7604e12c9b2da4d86e23bc04f1ac09e27fef02a4720525e608e8b65a0fbda0d";

/// A PKCS#10 request for `CN=subject`, of the key, signed with it, in DER.
pub fn request(subject: &str, key: &[u8], extensions: Vec<Extension>) -> Vec<u8> {
    let mut attributes = SetOfVec::new();
    if !extensions.is_empty() {
        attributes.insert(ExtensionReq(extensions).try_into().unwrap()).unwrap();
    }
    let info = CertReqInfo {
        version: x509_cert::request::Version::V1,
        subject: Name::from_str(&format!("CN={subject}")).unwrap(),
        public_key: SubjectPublicKeyInfo::from_der(key).unwrap(),
        attributes,
    };
    let form = AsymmetricForm::SubjectPublicKeyInfo;
    let signing = Signing::RsaPkcs1V1_5(HashingAlgorithm::Sha256);
    let signed = info.to_der().unwrap();
    let signature = Toy.sign(&AsymmetricKey { form, der: key }, &signing, Signed::Data(&signed)).unwrap();
    let algorithm = AlgorithmIdentifier {
        oid: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
        parameters: Some(Any::null()),
    };
    CertReq { info, algorithm, signature: BitString::from_bytes(&signature).unwrap() }.to_der().unwrap()
}

/// SubjectPublicKeyInfo of an RSA key of 64 bits.
const RSA_KEY: &[u8] = b"\x30\x24\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\
    \x03\x13\x00\x30\x10\x02\x09\x00\xc1\x02\x03\x04\x05\x06\x07\x09\x02\x03\x01\x00\x01";

/// One of many public keys, as SubjectPublicKeyInfo.
pub fn key(number: u8) -> Vec<u8> {
    let mut key = RSA_KEY.to_vec();
    key[30] = number;
    key
}

/// As the text form has it.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
