"""OpenStack Barbican's KMIP secret store plugin against a KMIP server: the plugin's own class, configured as Barbican
configures it, without Barbican's API, database and queue around it.

One JSON object a line goes to standard output for each step: {"step": "...", "outcome": "ok" | "failed", "detail": "..."}.

Usage: barbican_store.py HOST PORT CERTIFICATE KEY CA
"""

import base64
import datetime
import json
import logging
import os
import sys
import traceback
import warnings

warnings.filterwarnings("ignore")
HOST, PORT, CERTIFICATE, KEY, CA = sys.argv[1:]
sys.argv = sys.argv[:1]

from barbican.plugin import kmip_secret_store as kmip_store
from barbican.plugin.interface import secret_store as ss
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

logging.disable(logging.CRITICAL)
STEPS = []


def step(name):
    def add(function):
        STEPS.append((name, function))
        return function

    return add


def stored_and_read(store, secret_type, data, key_spec):
    """A secret comes back as it was, and is gone once it is deleted."""
    secret = base64.b64encode(data)
    metadata = store.store_secret(ss.SecretDTO(secret_type, secret, key_spec, "application/octet-stream"))
    got = store.get_secret(secret_type, metadata)
    assert got.type == secret_type, got.type
    assert base64.b64decode(got.secret).strip() == data.strip(), got.secret
    if key_spec.alg is not None:
        assert (got.key_spec.alg, got.key_spec.bit_length) == (key_spec.alg, key_spec.bit_length)
    store.delete_secret(metadata)
    try:
        store.get_secret(secret_type, metadata)
    except ss.SecretGeneralException:
        return
    raise AssertionError("a deleted secret was read")


@step("a symmetric key is stored, read and deleted")
def _(store):
    stored_and_read(store, ss.SecretType.SYMMETRIC, os.urandom(32), ss.KeySpec(ss.KeyAlgorithm.AES, 256))


@step("a triple DES key is stored, read and deleted")
def _(store):
    stored_and_read(store, ss.SecretType.SYMMETRIC, os.urandom(24), ss.KeySpec(ss.KeyAlgorithm.DESEDE, 192))


@step("a passphrase is stored, read and deleted")
def _(store):
    stored_and_read(store, ss.SecretType.PASSPHRASE, b"open sesame", ss.KeySpec())


@step("opaque data is stored, read and deleted")
def _(store):
    stored_and_read(store, ss.SecretType.OPAQUE, bytes(range(256)), ss.KeySpec())


def private_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@step("a private key is stored, read and deleted")
def _(store):
    pem = private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    stored_and_read(store, ss.SecretType.PRIVATE, pem, ss.KeySpec(ss.KeyAlgorithm.RSA, 2048))


@step("a public key is stored, read and deleted")
def _(store):
    pem = private_key().public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    stored_and_read(store, ss.SecretType.PUBLIC, pem, ss.KeySpec(ss.KeyAlgorithm.RSA, 2048))


@step("a certificate is stored, read and deleted")
def _(store):
    key, now = private_key(), datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "barbican")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    stored_and_read(store, ss.SecretType.CERTIFICATE, pem, ss.KeySpec())


@step("a symmetric key is generated")
def _(store):
    metadata = store.generate_symmetric_key(ss.KeySpec(ss.KeyAlgorithm.AES, 256))
    got = store.get_secret(ss.SecretType.SYMMETRIC, metadata)
    assert len(base64.b64decode(got.secret)) == 32
    store.delete_secret(metadata)


def main():
    # Barbican demands this of the file.
    os.chmod(KEY, 0o400)
    options = kmip_store.CONF
    values = {"host": HOST, "port": int(PORT), "certfile": CERTIFICATE, "keyfile": KEY, "ca_certs": CA,
              "username": "barbican", "password": "of its configuration"}
    for name, value in values.items():
        options.set_override(name, value, group="kmip_plugin")
    store = kmip_store.KMIPSecretStore(options)
    for name, function in STEPS:
        try:
            function(store)
            outcome, detail = "ok", ""
        except Exception:
            outcome, detail = "failed", traceback.format_exc()
        print(json.dumps({"step": name, "outcome": outcome, "detail": detail}), flush=True)


main()
