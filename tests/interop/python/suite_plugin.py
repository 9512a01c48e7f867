"""A pytest plugin for PyKMIP's own integration suite: the version to speak, the tests that are expected to fail, and
what the suite takes for granted because PyKMIP's server does it.

Environment: INTEROP_KMIP_VERSION, such as 1.2; INTEROP_EXPECTED, the list of tests that are expected to fail.
"""

import functools
import os
import warnings

import pytest

warnings.filterwarnings("ignore")

from kmip.core import enums, objects
from kmip.pie.client import ProxyKmipClient
from kmip.services.kmip_client import KMIPProxy

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
VERSION = os.environ["INTEROP_KMIP_VERSION"]


def expected():
    """Test -> (how it fails, why it cannot pass)."""
    found = {}
    with open(os.environ["INTEROP_EXPECTED"], encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                test, how, reason = (part.strip() for part in line.split("|"))
                found[test] = (how, reason)
    return found


def pytest_collection_modifyitems(items):
    known = expected()
    for item in items:
        name = f"{item.cls.__name__}.{item.name}"
        if name not in known:
            continue
        how, reason = known.pop(name)
        at = how.removeprefix("fails at ").split(", ") if how.startswith("fails at ") else VERSIONS
        if not (how in ("fails", "never runs") or how.startswith("fails at ")) or not set(at) <= set(VERSIONS):
            raise pytest.UsageError(f"{name} cannot be expected to be {how!r}")
        if VERSION in at:
            # Strict: a test that passes all of a sudden has to leave the list.
            item.add_marker(pytest.mark.xfail(reason=reason, run=how != "never runs", strict=True))
    if known:
        raise pytest.UsageError(f"the list of expected failures names tests that are not there: {sorted(known)}")


def speak_version():
    """Both clients speak KMIP 1.2 unless they are told otherwise, and the suite tells them nothing."""
    version = enums.KMIPVersion[f"KMIP_{VERSION.replace('.', '_')}"]
    for client in (KMIPProxy, ProxyKmipClient):
        client.__init__ = functools.partialmethod(client.__init__, kmip_version=version)


def read_absent_index_as_zero():
    """KMIP 1.4 section 2.1.1: an Attribute Index that is absent is 0. PyKMIP's server always writes it, and the suite
    looks for it."""
    read = objects.Attribute.read

    def reading(self, *arguments, **named):
        read(self, *arguments, **named)
        if self.attribute_index is None:
            self.attribute_index = objects.Attribute.AttributeIndex(0)

    objects.Attribute.read = reading


def name_the_policy():
    """PyKMIP's server gives every object the Operation Policy Name "default", and the suite locates by it. Which policy
    there is by itself is the server's choice (KMIP 1.4 section 3.18), so here the client says it."""
    create = ProxyKmipClient.create

    def creating(self, *arguments, **named):
        named.setdefault("operation_policy_name", "default")
        return create(self, *arguments, **named)

    ProxyKmipClient.create = creating


speak_version()
read_absent_index_as_zero()
name_the_policy()
