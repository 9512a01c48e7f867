"""PyKMIP's two clients against a KMIP server, step by step, at every KMIP 1.x version.

One JSON object a line goes to standard output for each step and version:
{"version": "1.2", "step": "create", "outcome": "ok" | "failed" | "absent", "detail": "..."}
`absent` means that PyKMIP, or that version of KMIP, has no such thing; `detail` then says which. The judgement is the
caller's: this program ends with 0 when it could try every step.

Usage: client_table.py HOST PORT CERTIFICATE KEY CA
"""

import datetime
import json
import logging
import sys
import time
import traceback
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from kmip.core import enums, objects, secrets
from kmip.core.attributes import Name
from kmip.core.factories.attributes import AttributeFactory
from kmip.core.misc import KeyFormatType
from kmip.pie import objects as pie
from kmip.pie.client import ProxyKmipClient
from kmip.pie.exceptions import KmipOperationFailure
from kmip.services.kmip_client import KMIPProxy

VERSIONS = {
    "1.0": enums.KMIPVersion.KMIP_1_0,
    "1.1": enums.KMIPVersion.KMIP_1_1,
    "1.2": enums.KMIPVersion.KMIP_1_2,
    "1.3": enums.KMIPVersion.KMIP_1_3,
    "1.4": enums.KMIPVersion.KMIP_1_4,
}
STEPS = []
AES = enums.CryptographicAlgorithm.AES
USE = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
KEY_BYTES = bytes(range(32))


class Absent(Exception):
    """PyKMIP or this version of KMIP has no such thing."""


def step(name):
    """Makes a function a row of the table; rows run in the order they stand here."""

    def add(function):
        STEPS.append((name, function))
        return function

    return add


def expect(condition, sentence):
    if not condition:
        raise AssertionError(sentence)


def equal(got, wanted, what):
    expect(got == wanted, f"{what}: expected {wanted!r}, got {got!r}")


class Run:
    """One version's pass: its connections, and what earlier rows made."""

    def __init__(self, version, connect):
        self.version = version
        self.tag = f"interop {version} {time.time_ns()}"
        self.attributes = AttributeFactory()
        self.pie = ProxyKmipClient(
            connect["host"], connect["port"], connect["cert"], connect["key"], connect["ca"],
            "PROTOCOL_TLSv1_2", kmip_version=VERSIONS[version],
        )
        # PyKMIP's own choice of TLS version: the newest that both know.
        self.proxy = KMIPProxy(
            connect["host"], connect["port"], connect["key"], connect["cert"], "CERT_REQUIRED",
            "PROTOCOL_SSLv23", connect["ca"], kmip_version=VERSIONS[version],
        )
        self.pie.open()
        self.proxy.open()

    def name(self, what):
        return f"{self.tag} {what}"

    def attribute(self, kind, value, index=None):
        return self.attributes.create_attribute(kind, value, index)

    def locate(self, *pairs, **more):
        return self.pie.locate(attributes=[self.attribute(kind, value) for kind, value in pairs], **more)

    def value(self, identifier, name):
        """The first value of an attribute, or None."""
        _, found = self.pie.get_attributes(identifier, [name])
        return found[0].attribute_value if found else None

    def state(self, identifier):
        return self.value(identifier, "State").value

    def keep(self, managed_object, what):
        """Registers an object, reads it back, and wants the same."""
        identifier = self.pie.register(managed_object)
        read = self.pie.get(identifier)
        equal(type(read), type(managed_object), f"the type of {what}")
        equal(read.value, managed_object.value, f"the value of {what}")
        return identifier


def refused(reason, call):
    """Wants the call to be refused with this Result Reason."""
    try:
        call()
    except KmipOperationFailure as failure:
        equal(failure.reason, reason, "the Result Reason")
        expect(failure.message, "a refusal has no Result Message")
        return
    raise AssertionError(f"expected {reason.name}, and it was carried out")


def succeeded(result):
    equal(result.result_status.value, enums.ResultStatus.SUCCESS, f"{result.result_reason} {result.result_message}")
    return result


@step("Query")
def query(run):
    asked = [
        enums.QueryFunction.QUERY_OPERATIONS,
        enums.QueryFunction.QUERY_OBJECTS,
        enums.QueryFunction.QUERY_SERVER_INFORMATION,
        enums.QueryFunction.QUERY_APPLICATION_NAMESPACES,
    ]
    result = succeeded(run.proxy.query(query_functions=asked))
    for wanted in (enums.Operation.CREATE, enums.Operation.GET, enums.Operation.LOCATE, enums.Operation.DESTROY):
        expect(wanted in result.operations, f"{wanted.name} is not among the operations")
    expect(result.object_types, "no object types")
    expect(result.vendor_identification, "no vendor identification")


@step("Discover Versions")
def discover_versions(run):
    # KMIP 1.0 has no Discover Versions; a client that starts low is answered all the same.
    found = [str(v) for v in succeeded(run.proxy.discover_versions()).protocol_versions]
    equal(found, ["1.4", "1.3", "1.2", "1.1", "1.0"], "the versions, best first")


@step("Create")
def create(run):
    run.key = run.pie.create(AES, 256, name=run.name("key"), cryptographic_usage_mask=USE)
    equal(run.state(run.key), enums.State.PRE_ACTIVE, "the State")


@step("Create (KMIPProxy)")
def create_low(run):
    template = objects.TemplateAttribute(attributes=[
        run.attribute(enums.AttributeType.CRYPTOGRAPHIC_ALGORITHM, AES),
        run.attribute(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 128),
        run.attribute(enums.AttributeType.CRYPTOGRAPHIC_USAGE_MASK, USE),
        run.attribute(enums.AttributeType.NAME, run.name("low")),
        run.attribute(enums.AttributeType.OPERATION_POLICY_NAME, "default"),
        run.attribute(enums.AttributeType.CONTACT_INFORMATION, "keys@example.test"),
        run.attribute(enums.AttributeType.OBJECT_GROUP, run.name("group")),
        run.attribute(enums.AttributeType.APPLICATION_SPECIFIC_INFORMATION,
                      {"application_namespace": "test01", "application_data": run.tag}),
    ])
    run.low = succeeded(run.proxy.create(enums.ObjectType.SYMMETRIC_KEY, template)).uuid


@step("Get")
def get(run):
    key = run.pie.get(run.key)
    equal(type(key), pie.SymmetricKey, "the object")
    equal((key.cryptographic_algorithm, key.cryptographic_length, len(key.value)), (AES, 256, 32), "the key")
    equal(run.pie.get(run.key).value, key.value, "the second Get")


@step("Get in a Key Format Type (KMIPProxy)")
def get_format(run):
    raw = enums.KeyFormatType.RAW
    result = succeeded(run.proxy.get(run.low, key_format_type=KeyFormatType(raw)))
    equal(result.secret.key_block.key_format_type.value, raw, "the Key Format Type")
    equal(len(result.secret.key_block.key_value.key_material.value), 16, "the bytes of the key")


@step("Get of an unknown identifier")
def get_unknown(run):
    refused(enums.ResultReason.ITEM_NOT_FOUND, lambda: run.pie.get("unknown"))


@step("Register a symmetric key")
def register_key(run):
    key = pie.SymmetricKey(AES, 256, KEY_BYTES, masks=USE, name=run.name("registered"))
    run.registered = run.keep(key, "the key")


@step("Register secret data")
def register_secret(run):
    secret = pie.SecretData(b"a passphrase", enums.SecretDataType.PASSWORD, name=run.name("secret"))
    run.secret = run.keep(secret, "the secret")


@step("Register an opaque object")
def register_opaque(run):
    opaque = pie.OpaqueObject(b"\x00\x01\xfe\xff", enums.OpaqueDataType.NONE, name=run.name("opaque"))
    run.opaque = run.keep(opaque, "the opaque object")


@step("Register a certificate")
def register_certificate(run):
    certificate = pie.X509Certificate(PAIR["certificate"], name=run.name("certificate"))
    run.certificate = run.keep(certificate, "the certificate")


@step("Register a public key")
def register_public(run):
    key = pie.PublicKey(enums.CryptographicAlgorithm.RSA, 2048, PAIR["public"], enums.KeyFormatType.PKCS_1,
                        [enums.CryptographicUsageMask.VERIFY], run.name("public"))
    run.public = run.keep(key, "the public key")


@step("Register a private key")
def register_private(run):
    key = pie.PrivateKey(enums.CryptographicAlgorithm.RSA, 2048, PAIR["private"], enums.KeyFormatType.PKCS_8,
                         [enums.CryptographicUsageMask.SIGN], run.name("private"))
    run.private = run.keep(key, "the private key")


@step("Register a template (KMIPProxy)")
def register_template(run):
    name = run.attribute(enums.AttributeType.NAME, run.name("template"))
    template = secrets.Template([
        run.attribute(enums.AttributeType.CRYPTOGRAPHIC_ALGORITHM, AES),
        run.attribute(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 192),
        run.attribute(enums.AttributeType.CRYPTOGRAPHIC_USAGE_MASK, USE),
    ])
    own = objects.TemplateAttribute(attributes=[name])
    run.template = succeeded(run.proxy.register(enums.ObjectType.TEMPLATE, own, template)).uuid
    result = succeeded(run.proxy.get(run.template))
    equal(len(result.secret.attributes), 3, "the attributes of the template")


@step("Create from a template (KMIPProxy)")
def create_from_template(run):
    name = Name.create(run.name("template"), enums.NameType.UNINTERPRETED_TEXT_STRING)
    named = objects.TemplateAttribute(names=[name])
    result = succeeded(run.proxy.create(enums.ObjectType.SYMMETRIC_KEY, named))
    run.templated = result.uuid
    equal(run.value(run.templated, "Cryptographic Length").value, 192, "the length the template says")


@step("Locate by Name")
def locate_name(run):
    equal(run.locate((enums.AttributeType.NAME, run.name("key"))), [run.key], "the key of that name")
    equal(run.locate((enums.AttributeType.NAME, run.name("nothing"))), [], "nothing of that name")


@step("Locate by type, algorithm and length")
def locate_kind(run):
    found = run.locate((enums.AttributeType.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY),
                       (enums.AttributeType.CRYPTOGRAPHIC_ALGORITHM, AES),
                       (enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 256))
    expect(run.key in found and run.registered in found, "a key of 256 bits is missing")
    expect(run.low not in found and run.secret not in found, "something else was found")


@step("Locate by state and usage mask")
def locate_state(run):
    found = run.locate((enums.AttributeType.STATE, enums.State.PRE_ACTIVE),
                       (enums.AttributeType.CRYPTOGRAPHIC_USAGE_MASK, [enums.CryptographicUsageMask.DECRYPT]))
    expect(run.key in found and run.low in found, "a key that decrypts is missing")
    expect(run.private not in found, "a key that signs was found")


@step("Locate by dates")
def locate_dates(run):
    made = run.value(run.key, "Initial Date").value
    expect(run.key in run.locate((enums.AttributeType.INITIAL_DATE, made)), "its own Initial Date does not find it")
    between = ((enums.AttributeType.INITIAL_DATE, made - 5), (enums.AttributeType.INITIAL_DATE, made + 5))
    expect(run.key in run.locate(*between), "a range around its Initial Date does not find it")
    before = ((enums.AttributeType.INITIAL_DATE, 0), (enums.AttributeType.INITIAL_DATE, made - 1))
    expect(run.key not in run.locate(*before), "a range before its Initial Date finds it")


@step("Locate by group, contact and application")
def locate_group(run):
    application = {"application_namespace": "test01", "application_data": run.tag}
    equal(run.locate((enums.AttributeType.OBJECT_GROUP, run.name("group")),
                     (enums.AttributeType.CONTACT_INFORMATION, "keys@example.test"),
                     (enums.AttributeType.APPLICATION_SPECIFIC_INFORMATION, application)), [run.low], "the key")


@step("Locate by Unique Identifier")
def locate_identifier(run):
    equal(run.locate((enums.AttributeType.UNIQUE_IDENTIFIER, run.key)), [run.key], "the key")


@step("Locate with Maximum Items")
def locate_maximum(run):
    kind = (enums.AttributeType.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY)
    equal(len(run.locate(kind, maximum_items=2)), 2, "the number of identifiers")


@step("Locate with Offset Items")
def locate_offset(run):
    if run.version < "1.3":
        raise Absent("Offset Items came with KMIP 1.3")
    kind = (enums.AttributeType.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY)
    everything = run.locate(kind)
    equal(run.locate(kind, maximum_items=2, offset_items=1), everything[1:3], "the second and third")


@step("Get Attribute List")
def get_attribute_list(run):
    names = run.pie.get_attribute_list(run.key)
    for wanted in ("Name", "Object Type", "State", "Unique Identifier", "Initial Date", "Cryptographic Usage Mask"):
        expect(wanted in names, f"{wanted} is not in the list {names}")
    equal(len(names), len(set(names)), "names that are there once")


@step("Get Attributes, named")
def get_attributes_named(run):
    _, found = run.pie.get_attributes(run.low, ["Name", "Cryptographic Length", "Object Group", "Lease Time"])
    values = {a.attribute_name.value: a.attribute_value for a in found}
    equal(values["Name"].name_value.value, run.name("low"), "the Name")
    equal(values["Cryptographic Length"].value, 128, "the Cryptographic Length")
    equal(values["Object Group"].value, run.name("group"), "the Object Group")


@step("Get Attributes, each that is listed")
def get_attributes_each(run):
    # Those that PyKMIP cannot read: it wants the Key Format Type of KMIP 1.1 in a Digest of 1.0 too, and has no class
    # for Random Number Generator.
    unreadable = {"1.0": {"Digest"}, "1.3": {"Random Number Generator"}, "1.4": {"Random Number Generator"}}
    names = set(run.pie.get_attribute_list(run.key)) - unreadable.get(run.version, set())
    _, found = run.pie.get_attributes(run.key, sorted(names))
    equal({a.attribute_name.value for a in found}, names, "the attributes listed, and those got")


@step("Get Attributes, all")
def get_attributes_all(run):
    if run.version == "1.0":
        raise Absent("PyKMIP wants the Key Format Type of KMIP 1.1 in a Digest of 1.0 too")
    if run.version >= "1.3":
        raise Absent("PyKMIP cannot read the Random Number Generator that came with KMIP 1.3")
    _, found = run.pie.get_attributes(run.key)
    equal({a.attribute_name.value for a in found}, set(run.pie.get_attribute_list(run.key)), "all attributes")


@step("Add Attribute")
def add_attribute(_run):
    raise Absent("PyKMIP has no Add Attribute")


@step("Modify Attribute")
def modify_attribute(run):
    new = run.attribute(enums.AttributeType.NAME, run.name("renamed"), 0)
    identifier, shown = run.pie.modify_attribute(unique_identifier=run.low, attribute=new)
    equal(identifier, run.low, "the identifier")
    equal(shown.attribute_value.name_value.value, run.name("renamed"), "the new Name, as answered")
    equal(run.value(run.low, "Name").name_value.value, run.name("renamed"), "the new Name, as read")
    equal(run.locate((enums.AttributeType.NAME, run.name("renamed"))), [run.low], "the key of the new Name")
    equal(run.locate((enums.AttributeType.NAME, run.name("low"))), [], "the key of the old Name")


@step("Delete Attribute")
def delete_attribute(run):
    identifier, shown = run.pie.delete_attribute(
        unique_identifier=run.low, attribute_name="Name", attribute_index=0)
    equal(identifier, run.low, "the identifier")
    equal(shown.attribute_value.name_value.value, run.name("renamed"), "the deleted Name")
    equal(run.value(run.low, "Name"), None, "a Name that is left")


@step("Activate")
def activate(run):
    run.pie.activate(run.key)
    equal(run.state(run.key), enums.State.ACTIVE, "the State")
    expect(run.value(run.key, "Activation Date").value > 0, "no Activation Date")
    refused(enums.ResultReason.PERMISSION_DENIED, lambda: run.pie.activate(run.key))


@step("Check")
def check(run):
    equal(run.pie.check(run.key, cryptographic_usage_mask=USE), run.key, "the key may do this")


@step("Destroy of an active key")
def destroy_active(run):
    refused(enums.ResultReason.PERMISSION_DENIED, lambda: run.pie.destroy(run.key))
    equal(len(run.pie.get(run.key).value), 32, "the key is still there")


@step("Rekey")
def rekey(run):
    run.newer = run.pie.rekey(run.key)
    expect(run.newer != run.key, "the new key has the old identifier")
    expect(run.pie.get(run.newer).value != run.pie.get(run.key).value, "the new key is the old one")
    equal(run.locate((enums.AttributeType.NAME, run.name("key"))), [run.newer], "who has the Name now")


@step("Rekey with Offset")
def rekey_offset(run):
    equal(run.state(run.newer), enums.State.ACTIVE, "the State of a key that took an active one's place")
    run.newest = run.pie.rekey(run.newer, offset=3600)
    wait = run.value(run.newest, "Activation Date").value - run.value(run.newest, "Initial Date").value
    equal(wait, 3600, "seconds from Initial Date to Activation Date")


@step("Revoke")
def revoke(run):
    run.pie.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, run.newer, "no longer used")
    equal(run.state(run.newer), enums.State.DEACTIVATED, "the State")


@step("Revoke, compromised")
def revoke_compromised(run):
    run.pie.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, run.key, "seen elsewhere", int(time.time()) - 60)
    equal(run.state(run.key), enums.State.COMPROMISED, "the State")


@step("Destroy")
def destroy(run):
    everything = [run.key, run.newer, run.newest, run.low, run.registered, run.secret, run.opaque, run.certificate,
                  run.public, run.private, run.template, run.templated]
    for identifier in everything:
        run.pie.destroy(identifier)
    for identifier in everything:
        refused(enums.ResultReason.ITEM_NOT_FOUND, lambda identifier=identifier: run.pie.get(identifier))
    found = run.pie.locate()
    expect(not set(everything) & set(found), "Locate still finds one")


def pair():
    """An RSA key pair and a certificate of it, in the forms that PyKMIP sends."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test01")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
                   .sign(key, hashes.SHA256()))
    der = serialization.Encoding.DER
    return {
        "certificate": certificate.public_bytes(der),
        "public": key.public_key().public_bytes(der, serialization.PublicFormat.PKCS1),
        "private": key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    }


PAIR = pair()


def report(version, name, outcome, detail=""):
    print(json.dumps({"version": version, "step": name, "outcome": outcome, "detail": detail}), flush=True)


def attempt(run, name, function):
    try:
        function(run)
    except Absent as absent:
        report(run.version, name, "absent", str(absent))
    except Exception as error:  # a row that fails does not hide the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        report(run.version, name, "failed", f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})")
    else:
        report(run.version, name, "ok")


def main(host, port, certificate, key, ca):
    connect = {"host": host, "port": int(port), "cert": certificate, "key": key, "ca": ca}
    for version in VERSIONS:
        run = Run(version, connect)
        for name, function in STEPS:
            attempt(run, name, function)
        run.pie.close()
        run.proxy.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
