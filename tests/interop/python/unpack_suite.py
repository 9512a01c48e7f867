"""Takes PyKMIP's integration suite out of its source distribution, which alone carries it.

Usage: unpack_suite.py SDIST.tar.gz DIRECTORY, which gets `integration/`.
"""

import os
import sys
import tarfile

WITHIN = "kmip/tests/integration/"


def main(sdist, directory):
    with tarfile.open(sdist) as archive:
        for member in archive:
            _, _, path = member.name.partition("/")
            if member.isfile() and path.startswith(WITHIN):
                target = os.path.join(directory, "integration", path.removeprefix(WITHIN))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "wb") as file:
                    file.write(archive.extractfile(member).read())


if __name__ == "__main__":
    main(*sys.argv[1:])
