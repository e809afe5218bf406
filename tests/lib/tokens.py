"""JWTs made by hand, good ones and forged ones, and the JWKS whose keys sign them."""

import base64
import functools
import hashlib
import hmac
import http.server
import json
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SECRET = "the-secret-of-the-tests-0123456789-abcdef"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Signer:
    """One key: its JWK, and tokens signed with it."""

    def __init__(self, alg, kid=None):
        self.alg, self.kid = alg, kid

    def jwk(self, **more):
        named = {"kid": self.kid} if self.kid else {}
        return {**self.public(), "alg": self.alg, "use": "sig", **named, **more}

    def header(self, **more):
        named = {"kid": self.kid} if self.kid else {}
        return {"alg": self.alg, "typ": "JWT", **named, **more}

    def compose(self, header, claims):
        """`header` and `claims` as values, or as the bytes that stand for them."""
        parts = [part if isinstance(part, bytes) else json.dumps(part).encode()
                 for part in (header, claims)]
        text = ".".join(map(b64, parts))
        return f"{text}.{b64(self.sign(text.encode()))}"

    def token(self, claims, **header):
        return self.compose(self.header(**header), claims)


class Secret(Signer):
    def __init__(self, secret=SECRET, kid=None, digest=hashlib.sha256, alg="HS256"):
        super().__init__(alg, kid)
        self.secret = secret if isinstance(secret, bytes) else secret.encode()
        self.digest = digest

    def public(self):
        return {"kty": "oct", "k": b64(self.secret)}

    def sign(self, text):
        return hmac.new(self.secret, text, self.digest).digest()


class Rsa(Signer):
    def __init__(self, kid=None, bits=2048):
        super().__init__("RS256", kid)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=bits)

    def public(self):
        numbers = self.key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}

    def sign(self, text):
        return self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())


class Ec(Signer):
    def __init__(self, kid=None):
        super().__init__("ES256", kid)
        self.key = ec.generate_private_key(ec.SECP256R1())

    def public(self):
        numbers = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}

    def der(self, text):
        return self.key.sign(text, ec.ECDSA(hashes.SHA256()))

    def sign(self, text):
        r, s = decode_dss_signature(self.der(text))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Ed(Signer):
    def __init__(self, kid=None):
        super().__init__("EdDSA", kid)
        self.key = ed25519.Ed25519PrivateKey.generate()

    def public(self):
        raw = self.key.public_key().public_bytes_raw() if hasattr(
            self.key.public_key(), "public_bytes_raw") else raw_public(self.key)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}

    def sign(self, text):
        return self.key.sign(text)


def raw_public(key):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@functools.lru_cache(maxsize=None)
def signer(kind, kid):
    """The same key for the same name, since RSA keys take a while to find."""
    return {"rsa": Rsa, "ec": Ec, "ed": Ed}[kind](kid)


def jwks(*signers):
    return {"keys": [one if isinstance(one, dict) else one.jwk() for one in signers]}


def claims(**more):
    """Good ones for five minutes; `more` replaces, and ... takes away."""
    now = int(time.time())
    all_of_them = {"sub": "ann", "iat": now, "exp": now + 300, **more}
    return {name: value for name, value in all_of_them.items() if value is not ...}


class KeyServer:
    """An HTTP server on loopback that gives a JWKS away, and counts how often it did."""

    def __init__(self, document, port=0):
        self.document = document  # a value, bytes as they are, or a status
        self.paths = []
        self.hold = None  # an event: answers wait for it
        self.asked = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def url(self, path="/jwks.json"):
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, request):
        with self.asked:
            self.paths.append(request.path)
            document = self.document
            self.asked.notify_all()
        if self.hold:
            self.hold.wait(20)
        status = document if isinstance(document, int) else 200
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        try:
            request.send_response(status)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
        except OSError:
            pass  # the client has had enough

    def wait_asked(self, count, timeout_s=10):
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.paths) >= count, timeout_s), self.paths

    def close(self):
        if self.hold:
            self.hold.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
