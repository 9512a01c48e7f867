"""MongoDB's client-side encryption against a KMIP server, as its drivers do it: libmongocrypt says what is to be sent, and a
TLS socket of ours carries it. The documents that a driver keeps in a MongoDB are kept in memory.

One JSON object a line goes to standard output for each step: {"step": "...", "outcome": "ok" | "failed", "detail": "..."}.

Usage: mongocrypt_client.py HOST PORT CERTIFICATE KEY CA
"""

import json
import socket
import ssl
import sys
import traceback
import uuid

import bson
from bson.binary import STANDARD, Binary
from bson.codec_options import CodecOptions
from pymongocrypt.mongocrypt import MongoCryptOptions
from pymongocrypt.synchronous.explicit_encrypter import ExplicitEncrypter
from pymongocrypt.synchronous.state_machine import MongoCryptCallback

CODEC = CodecOptions(uuid_representation=STANDARD)
ALGORITHM = "AEAD_AES_256_CBC_HMAC_SHA_512-Random"
SECRET = {"v": "what a document holds"}
TAG_PROTOCOL_VERSION_MINOR = bytes.fromhex("42006b0200000004")


class Driver(MongoCryptCallback):
    """What a driver does for libmongocrypt."""

    def __init__(self, address, context):
        self.address, self.context = address, context
        self.key_vault = {}
        self.minor_versions = []

    def kms_request(self, kms_context):
        host, port = kms_context.endpoint.rsplit(":", 1)
        assert (host, int(port)) == self.address, kms_context.endpoint
        message = kms_context.message
        at = message.index(TAG_PROTOCOL_VERSION_MINOR) + len(TAG_PROTOCOL_VERSION_MINOR)
        self.minor_versions.append(int.from_bytes(message[at : at + 4], "big"))
        with socket.create_connection(self.address, timeout=30) as plain:
            with self.context.wrap_socket(plain, server_hostname=host) as stream:
                stream.sendall(message)
                while kms_context.bytes_needed > 0:
                    data = stream.recv(kms_context.bytes_needed)
                    assert data, "the server closed the connection"
                    kms_context.feed(data)

    def collection_info(self, database, filter):
        raise AssertionError("explicit encryption asks for no collection")

    def mark_command(self, database, cmd):
        raise AssertionError("explicit encryption marks no command")

    def fetch_keys(self, filter):
        asked = bson.decode(filter, codec_options=CODEC)
        wanted = asked["$or"][0]["_id"]["$in"] if asked else list(self.key_vault)
        yield from (bson.encode(self.key_vault[key], codec_options=CODEC) for key in wanted)

    def insert_data_key(self, data_key):
        document = bson.decode(data_key, codec_options=CODEC)
        self.key_vault[document["_id"]] = document
        return document["_id"]

    def bson_encode(self, doc):
        return bson.encode(doc, codec_options=CODEC)

    def close(self):
        pass


class Client:
    """One process of an application: what it knows of keys is what is in the key vault."""

    def __init__(self, address, context, key_vault):
        self.driver = Driver(address, context)
        self.driver.key_vault = key_vault
        providers = {"kmip": {"endpoint": f"{address[0]}:{address[1]}"}}
        options = MongoCryptOptions(providers, bypass_encryption=True)
        self.encrypter = ExplicitEncrypter(self.driver, options)

    def data_key(self, master_key):
        return self.encrypter.create_data_key("kmip", master_key=master_key)

    def encrypt(self, key):
        key = key.bytes if isinstance(key, uuid.UUID) else bytes(key)
        return self.encrypter.encrypt(bson.encode(SECRET), ALGORITHM, key_id=key)

    def decrypts(self, encrypted):
        assert bson.decode(self.encrypter.decrypt(encrypted)) == SECRET
        return self.driver.minor_versions


STEPS = []


def step(name):
    def add(function):
        STEPS.append((name, function))
        return function

    return add


class World:
    def __init__(self, address, context):
        self.address, self.context = address, context
        self.key_vault, self.kept = {}, {}

    def client(self):
        return Client(self.address, self.context, self.key_vault)


def versions(got, expected):
    assert got == expected, f"minor versions that were spoken: {got}, expected {expected}"


@step("a master key is registered as Secret Data, and a data key wrapped with it (1.0)")
def _(world):
    client = world.client()
    key = world.kept["key"] = client.data_key({})
    # Register, Activate, Get.
    versions(client.driver.minor_versions, [0, 0, 0])
    world.kept["encrypted"] = client.encrypt(key)


@step("another process decrypts with what it gets (1.0)")
def _(world):
    versions(world.client().decrypts(world.kept["encrypted"]), [0])


@step("a second data key under the same master key (1.0)")
def _(world):
    client = world.client()
    master = world.key_vault[world.kept["key"]]["masterKey"]["keyId"]
    key = client.data_key({"keyId": master})
    versions(client.driver.minor_versions, [0])
    client.decrypts(client.encrypt(key))


@step("a master key that stays on the server wraps a data key (1.2)")
def _(world):
    client = world.client()
    key = world.kept["delegated"] = client.data_key({"delegated": True})
    # Create, Activate, Encrypt.
    versions(client.driver.minor_versions, [2, 0, 2])
    world.kept["delegated encrypted"] = client.encrypt(key)


@step("another process has the server unwrap it (1.2)")
def _(world):
    versions(world.client().decrypts(world.kept["delegated encrypted"]), [2])


@step("both in one process, in turns (1.0 and 1.2)")
def _(world):
    client = world.client()
    client.decrypts(world.kept["encrypted"])
    versions(sorted(set(client.decrypts(world.kept["delegated encrypted"]))), [0, 2])


@step("data keys are wrapped again under a master key of the other kind")
def _(world):
    client = world.client()
    rewrapped = client.encrypter.rewrap_many_data_key(
        {}, provider="kmip", master_key={"delegated": True}
    )
    documents = bson.decode(rewrapped, codec_options=CODEC)["v"]
    assert len(documents) == len(world.key_vault), documents
    for document in documents:
        world.key_vault[document["_id"]].update(document)
    assert world.client().decrypts(world.kept["encrypted"])[-1] == 2


def main():
    host, port, certificate, key, ca = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    world = World((host, int(port)), context)
    for name, function in STEPS:
        try:
            function(world)
            outcome, detail = "ok", ""
        except Exception:
            outcome, detail = "failed", traceback.format_exc()
        print(json.dumps({"step": name, "outcome": outcome, "detail": detail}), flush=True)


main()
