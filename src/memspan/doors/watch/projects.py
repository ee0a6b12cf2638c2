"""The scope of a project: readable, the same every time, and another for another folder of the same name."""

import re
import unicodedata
from hashlib import blake2b

MAX_NAME_CHARS = 60
_DRIVE = re.compile(r"[A-Za-z]:")


def scope_of(folder: str) -> str:
    """The scope of a project's folder: `code/`, its name, and six characters of a hash of its whole path.

    folder: an absolute path, of this machine or another

    >>> scope_of("/home/ann/shop"), scope_of("/srv/shop/") != scope_of("/home/ann/shop")
    ('code/shop-b035bb', True)
    """
    path = unicodedata.normalize("NFC", folder).replace("\\", "/").rstrip("/")
    if _DRIVE.match(path):
        path = path[0].lower() + path[1:]
    name = re.sub(r"[^\w.-]+", "-", path.rpartition("/")[2]).strip("-.")[:MAX_NAME_CHARS] or "root"
    return f"code/{name}-{blake2b(path.encode('utf-8', 'replace'), digest_size=3).hexdigest()}"
