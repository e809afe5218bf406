"""Forged and malformed tokens, and tricks with the header that carries them: each is refused, and
nothing of it stands in the log."""

import base64
import contextlib
import hashlib
import json
import re
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lib.client import problem
from lib.nodes import server_or_nodes
from lib.rawhttp import Raw, request_bytes
from lib.server import ADMIN, Server
from lib.tokens import SECRET, Ec, Ed, Rsa, Secret, b64, claims, jwks, signer

RS, RS2 = signer("rsa", "r1"), signer("rsa", "r2")
ES, ED, HS = signer("ec", "e1"), signer("ed", "o1"), Secret()
OURS = {"iss": "https://login.example", "aud": "yard", "sub": "canary-subject"}


REFUSALS_EACH = 50  # of 60 that one server logs in a minute


@pytest.fixture(scope="module")
def begin(tmp_path_factory, store):
    """begin() starts a server that takes our tokens."""
    made = []

    def start(kind=Server):
        folder = tmp_path_factory.mktemp("forged")
        (folder / "jwks.json").write_text(json.dumps(jwks(RS, RS2, ES, ED)))
        made.append(kind(folder / "server", store=store, key=ADMIN, jwks=folder / "jwks.json",
                         jwt_issuer=OURS["iss"], jwt_audience=OURS["aud"], log_level="debug",
                         log_format="json", jwt_tenant_claim="org", auth_failures_max=0,
                         args=["--access-log"], env={"TASKYARD_JWT_SECRET": SECRET}))
        return made[-1].start()

    yield start
    with contextlib.ExitStack() as all_of_them:
        for running in made:
            all_of_them.callback(running.stop)
        for running in made:
            assert SECRET not in running.log() and ADMIN not in running.log()


@pytest.fixture(scope="module")
def server(begin):
    return begin(server_or_nodes)


@pytest.fixture(scope="module")
def loggers(begin):
    """[a server, how many refusals it will log yet]."""
    return [None, 0]


@pytest.fixture
def logging(begin, loggers):
    """A server that will log the next refusal, however many there were."""
    if loggers[1] == 0:
        loggers[:] = [begin(), REFUSALS_EACH]
    loggers[1] -= 1
    return loggers[0]


def good(**more):
    return claims(**{**OURS, **more})


def ask(server, *headers):
    with Raw(server) as raw:
        return raw.send(request_bytes("GET", "/api/v1/tasks", headers=headers)).reply()


def bearer(token):
    return b"Authorization: Bearer " + (token if isinstance(token, bytes) else token.encode())


def parts(token):
    return token.split(".")


def joined(*some):
    return ".".join(some)


def raw_claims(text, by=ES):
    """Well signed claims of exactly these bytes."""
    return by.compose(by.header(), text if isinstance(text, bytes) else text.encode())


def raw_header(text, by=ES):
    return by.compose(text if isinstance(text, bytes) else text.encode(), good())


def said(alg, by=HS, **more):
    """A good token that says another algorithm of itself."""
    return by.compose({"alg": alg, "typ": "JWT", **more}, good())


def unsigned(alg):
    header, body = json.dumps({"alg": alg, "typ": "JWT"}), json.dumps(good())
    return joined(b64(header.encode()), b64(body.encode()), "")


def with_signature(by, signature):
    header, body, _ = parts(by.token(good()))
    return joined(header, body, signature if isinstance(signature, str) else b64(signature))


def loose(part):
    """The same bytes in another spelling: a bit behind the last byte is set."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4, "this part has no bits to spare"
    return part[:-1] + letters[letters.index(part[-1]) ^ 1]


def spare(make):
    """A token of `make` whose part has bits to spare; claims grow until it has."""
    for n in range(3):
        token = make("x" * n)
        if len(parts(token)[1]) % 4:
            return token
    raise AssertionError("no length leaves bits to spare")


def pss(text):
    return RS.key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def signed_text(by):
    return joined(*parts(by.token(good()))[:2])


def public_bytes(by, encoding, form):
    return by.key.public_key().public_bytes(encoding, form)


def confused(secret, **header):
    """HS256 with something public as its secret."""
    return Secret(secret).token(good(), **header)


def sha1_rsa():
    text = signed_text(RS)
    return f"{text}.{b64(RS.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1()))}"


def ps256():
    head, body = json.dumps({"alg": "PS256", "kid": "r1"}), json.dumps(good())
    text = joined(b64(head.encode()), b64(body.encode()))
    return f"{text}.{b64(pss(text.encode()))}"


def deep(depth):
    return '{"alg":"ES256","kid":"e1","x":' + "[" * depth + "]" * depth + "}"


def many(count):
    return {f"m{i}": i for i in range(count)}


def doubled(name, first, second):
    """Good claims with one member twice, whichever of them a reader takes."""
    body = json.dumps(good())[1:-1]
    rest = [pair for pair in re.split(r", (?=\")", body) if not pair.startswith(f'"{name}"')]
    return raw_claims("{%s,%s,%s}" % (json.dumps(name) + ":" + json.dumps(first), ",".join(rest),
                                      json.dumps(name) + ":" + json.dumps(second)))


def escaped_double():
    body = json.dumps(good(exp=int(time.time()) + 60))
    return raw_claims(body[:-1] + ',"\\u0065xp":9999999999}')


P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
NOW = int(time.time())

FORGED = {  # at least 60, which is counted below
    # form
    "one part": lambda: "canary",
    "two parts": lambda: joined(*parts(ES.token(good()))[:2]),
    "four parts": lambda: ES.token(good()) + ".AAAA",
    "five parts, as an encrypted one has": lambda: "eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC",
    "no header": lambda: "." + joined(*parts(ES.token(good()))[1:]),
    "no claims": lambda: joined(parts(ES.token(good()))[0], "", parts(ES.token(good()))[2]),
    "nothing but dots": lambda: "..",
    "a dot before": lambda: "." + ES.token(good()),
    "a dot behind": lambda: ES.token(good()) + ".",
    "quotes around": lambda: f'"{ES.token(good())}"',
    "a comma and another token": lambda: f"{ES.token(good())},{ES.token(good())}",
    "a blank and another token": lambda: f"{ES.token(good())} {ES.token(good())}",
    "a blank in it": lambda: ES.token(good()).replace(".", ". ", 1),
    "the scheme twice": lambda: "Bearer " + ES.token(good()),
    "padding behind the header": lambda: ES.token(good()).replace(".", "=.", 1),
    "padding behind the signature": lambda: ES.token(good()) + "==",
    "the other alphabet": lambda: with_signature(
        ES, base64.b64encode(b"\xff" * 63 + b"\x01").decode().rstrip("=")),
    "escaped as in a URL": lambda: ES.token(good()).replace(".", "%2e"),
    "bytes that are no ASCII": lambda: ES.token(good()).encode() + b"\xc3\xa4",
    "letters that look like ours": lambda: ES.token(good()).replace("e", "е", 1),
    "spare bits in the signature": lambda: with_signature(ES, loose(parts(ES.token(good()))[2])),
    "spare bits in the claims": lambda: joined(*[
        loose(part) if i == 1 else part
        for i, part in enumerate(parts(spare(lambda pad: ES.token(good(pad=pad)))))]),
    "a part cut short": lambda: ES.token(good())[:-1],
    "a header over the limit": lambda: ES.token(good(), pad="p" * 4000),
    "the JSON form": lambda: json.dumps(dict(zip(("protected", "payload", "signature"),
                                                 parts(ES.token(good()))))),
    # algorithm
    "none": lambda: unsigned("none"),
    "None": lambda: unsigned("None"),
    "NONE": lambda: unsigned("NONE"),
    "nOnE": lambda: unsigned("nOnE"),
    "none, with a signature": lambda: said("none"),
    "an empty algorithm": lambda: said(""),
    "no algorithm": lambda: HS.compose({"typ": "JWT"}, good()),
    "an algorithm that is null": lambda: said(None),
    "an algorithm that is a number": lambda: said(256),
    "a list of algorithms": lambda: said(["HS256"]),
    "lower case": lambda: said("hs256"),
    "a blank before": lambda: said(" HS256"),
    "a NUL behind": lambda: said("HS256\0"),
    "HS384": lambda: Secret(alg="HS384", digest=hashlib.sha384).token(good()),
    "HS512": lambda: Secret(alg="HS512", digest=hashlib.sha512).token(good()),
    "PS256": ps256,
    "RS1": lambda: said("RS1", RS, kid="r1"),
    "an algorithm twice": lambda: raw_header('{"alg":"ES256","kid":"e1","alg":"none"}'),
    "an algorithm twice, once escaped": lambda: raw_header(
        '{"alg":"ES256","kid":"e1","a\\u006cg":"ES256"}'),
    # one kind of key for another
    "a PEM as secret": lambda: confused(public_bytes(RS, *PEM)),
    "a PEM without its last line end": lambda: confused(public_bytes(RS, *PEM).rstrip()),
    "a DER as secret": lambda: confused(public_bytes(RS, *SPKI)),
    "a modulus as secret": lambda: confused(RS.public()["n"]),
    "a point as secret": lambda: confused(public_bytes(ES, *SPKI)),
    "an Ed25519 key as secret": lambda: confused(
        public_bytes(ED, Encoding.Raw, PublicFormat.Raw), kid="o1"),
    "an RSA key's kid on HS256": lambda: confused(RS.public()["n"], kid="r1"),
    "no secret at all": lambda: confused(b""),
    "the text of the JWK as secret": lambda: confused(json.dumps(ES.jwk())),
    "HS256 that says RS256": lambda: said("RS256", HS, kid="r1"),
    "RS256 that says HS256": lambda: said("HS256", RS, kid="r1"),
    "RS256 that says ES256": lambda: said("ES256", RS, kid="e1"),
    "ES256 that says EdDSA": lambda: said("EdDSA", ES, kid="o1"),
    "EdDSA that says ES256": lambda: said("ES256", ED, kid="e1"),
    "ES256 with the kid of an RSA key": lambda: ES.token(good(), kid="r1"),
    # signature
    "no signature": lambda: with_signature(ES, ""),
    "no signature, HS256": lambda: with_signature(HS, ""),
    "a signature of zeros, HS256": lambda: with_signature(HS, bytes(32)),
    "half a signature, HS256": lambda: with_signature(HS, HS.sign(signed_text(HS).encode())[:16]),
    "a signature of zeros, RS256": lambda: with_signature(RS, bytes(256)),
    "a signature of one, RS256": lambda: with_signature(RS, bytes(255) + b"\1"),
    "a signature of zeros, EdDSA": lambda: with_signature(ED, bytes(64)),
    "r and s are zero": lambda: with_signature(ES, bytes(64)),
    "r and s are the order": lambda: with_signature(ES, P256_ORDER.to_bytes(32, "big") * 2),
    "r and s are one": lambda: with_signature(ES, (bytes(31) + b"\1") * 2),
    "a signature in DER": lambda: with_signature(ES, ES.der(signed_text(ES).encode())),
    "a byte more, ES256": lambda: with_signature(ES, ES.sign(signed_text(ES).encode()) + b"\0"),
    "a byte less, ES256": lambda: with_signature(ES, ES.sign(signed_text(ES).encode())[:-1]),
    "a zero before, RS256": lambda: with_signature(RS, b"\0" + RS.sign(signed_text(RS).encode())),
    "SHA-1 below RS256": sha1_rsa,
    "PSS below RS256": lambda: f"{signed_text(RS)}.{b64(pss(signed_text(RS).encode()))}",
    "another secret": lambda: Secret("another-secret-0123456789-0123456789").token(good()),
    "another RSA key with our kid": lambda: Rsa("r1").token(good()),
    "another P-256 key with our kid": lambda: Ec("e1").token(good()),
    "another Ed25519 key with our kid": lambda: Ed("o1").token(good()),
    "the neighbour's kid": lambda: RS.token(good(), kid="r2"),
    "claims of another token": lambda: joined(
        parts(ES.token(good()))[0], parts(ES.token(good(sub="canary-subject-2")))[1],
        parts(ES.token(good()))[2]),
    "a header of another token": lambda: joined(
        parts(ES.token(good(), x=1))[0], *parts(ES.token(good()))[1:]),
    # header
    "a header that is no JSON": lambda: raw_header("alg=ES256"),
    "a header that is an array": lambda: raw_header('[{"alg":"ES256"}]'),
    "a header that is a string": lambda: raw_header('"ES256"'),
    "bytes behind the header": lambda: raw_header('{"alg":"ES256","kid":"e1"} x'),
    "a mark before the header": lambda: raw_header(b'\xef\xbb\xbf{"alg":"ES256","kid":"e1"}'),
    "bad UTF-8 in the header": lambda: raw_header(b'{"alg":"ES256","kid":"e1","x":"\xff"}'),
    "half a surrogate in the header": lambda: raw_header(
        '{"alg":"ES256","kid":"e1","x":"\\ud800"}'),
    "a deep header": lambda: raw_header(deep(70)),
    "a header of many members": lambda: ES.token(good(), **many(140)),
    "crit": lambda: ES.token(good(), crit=["exp"]),
    "crit that is empty": lambda: ES.token(good(), crit=[]),
    "crit that is null": lambda: ES.token(good(), crit=None),
    "b64 off": lambda: ES.token(good(), crit=["b64"], b64=False),
    "another typ": lambda: ES.token(good(), typ="JWE"),
    "a typ that is no string": lambda: ES.token(good(), typ=["JWT"]),
    "a kid that is a number": lambda: ES.token(good(), kid=1),
    "a kid that is null": lambda: ES.token(good(), kid=None),
    "a kid that nobody has": lambda: ES.token(good(), kid="nobody"),
    "a kid twice": lambda: raw_header('{"alg":"ES256","kid":"e1","kid":"e1"}'),
    "a kid that is a path": lambda: Ed("../../../../dev/null").token(good()),
    "a kid that is SQL": lambda: Ed("x' UNION SELECT 'k").token(good()),
    "a long kid": lambda: ES.token(good(), kid="e1" * 200),
    "a kid with a NUL": lambda: ES.token(good(), kid="e1\0"),
    "no kid, and two keys": lambda: RS.compose({"alg": "RS256"}, good()),
    "a key in the header": lambda: Ed("mine").token(good(), jwk=Ed("mine").jwk()),
    "the address of a key": lambda: Ed("mine").token(good(), jku="http://127.0.0.1:1/jwks"),
    # claims, well signed
    "claims that are no JSON": lambda: raw_claims("sub=canary-subject"),
    "claims that are an array": lambda: raw_claims(json.dumps([good()])),
    "claims that are a string": lambda: raw_claims('"canary-subject"'),
    "claims that are empty": lambda: raw_claims(b""),
    "no claim at all": lambda: raw_claims("{}"),
    "too many claims": lambda: ES.token(good(**many(130))),
    "bad UTF-8 in the claims": lambda: raw_claims(
        json.dumps(good()).encode()[:-1] + b',"x":"\xff"}'),
    "bytes behind the claims": lambda: raw_claims(json.dumps(good()) + "{}"),
    "a claim twice": lambda: doubled("sub", "canary-subject", "root"),
    "exp twice": lambda: doubled("exp", NOW + 60, NOW + 9999),
    "exp twice, once escaped": escaped_double,
    "no exp": lambda: ES.token(good(exp=...)),
    "exp that is null": lambda: ES.token(good(exp=None)),
    "exp that is a string": lambda: ES.token(good(exp=str(NOW + 60))),
    "exp that is true": lambda: ES.token(good(exp=True)),
    "exp that is an array": lambda: ES.token(good(exp=[NOW + 60])),
    "exp in milliseconds": lambda: ES.token(good(exp=(NOW + 60) * 1000)),
    "exp beyond all numbers": lambda: raw_claims(json.dumps(good(exp=1)).replace(
        '"exp": 1', '"exp": 1e999')),
    "exp that is negative": lambda: ES.token(good(exp=-1)),
    "exp that is over": lambda: ES.token(good(exp=NOW - 3600)),
    "exp that was just over": lambda: ES.token(good(exp=NOW - 40)),
    "nbf to come": lambda: ES.token(good(nbf=NOW + 3600)),
    "nbf that is a string": lambda: ES.token(good(nbf="0")),
    "nbf that is null": lambda: ES.token(good(nbf=None)),
    "iat to come": lambda: ES.token(good(iat=NOW + 3600)),
    "iat that is a string": lambda: ES.token(good(iat="yesterday")),
    "no iss": lambda: ES.token(good(iss=...)),
    "another iss": lambda: ES.token(good(iss="https://login.example.org")),
    "an iss that begins like ours": lambda: ES.token(good(iss="https://login.example/")),
    "an iss in capitals": lambda: ES.token(good(iss="https://LOGIN.example")),
    "an iss that is a list": lambda: ES.token(good(iss=["https://login.example"])),
    "no aud": lambda: ES.token(good(aud=...)),
    "another aud": lambda: ES.token(good(aud="shop")),
    "an aud that begins like ours": lambda: ES.token(good(aud="yards")),
    "an aud in a text": lambda: ES.token(good(aud="shop yard")),
    "an empty list of aud": lambda: ES.token(good(aud=[])),
    "others in the list of aud": lambda: ES.token(good(aud=["shop", "Yard"])),
    "a number in the list of aud": lambda: ES.token(good(aud=["yard", 1])),
    "an aud that is an object": lambda: ES.token(good(aud={"yard": 1})),
    "an aud that is null": lambda: ES.token(good(aud=None)),
    "no sub": lambda: ES.token(good(sub=...)),
    "an empty sub": lambda: ES.token(good(sub="")),
    "a sub that is a number": lambda: ES.token(good(sub=7)),
    "a sub that is null": lambda: ES.token(good(sub=None)),
    "a long sub": lambda: ES.token(good(sub="s" * 201)),
    "a sub with a line end": lambda: ES.token(good(sub="canary\nsubject")),
    "a sub with a NUL": lambda: ES.token(good(sub="canary\0")),
    "a sub with a DEL": lambda: ES.token(good(sub="canary\x7f")),
    "a sub with a control character of Latin-1": lambda: ES.token(good(sub="canary\x85")),
    "roles that are a number": lambda: ES.token(good(roles=8)),
    "roles that are an object": lambda: ES.token(good(roles={"admin": True})),
    "a number among the roles": lambda: ES.token(good(roles=["admin", 8])),
    "roles that are null": lambda: ES.token(good(roles=None)),
    "a tenant that is a number": lambda: ES.token(good(org=1)),
    "a tenant that is null": lambda: ES.token(good(org=None)),
    "an empty tenant": lambda: ES.token(good(org="")),
    "a tenant with a blank": lambda: ES.token(good(org="a b")),
    "a tenant with a line end": lambda: ES.token(good(org="a\nb")),
    "a long tenant": lambda: ES.token(good(org="t" * 129)),
}


assert len(FORGED) >= 60


def assert_log_free_of(server, token, before):
    """What was logged since then holds no part of it that is long enough to be telling."""
    text = token.decode("latin-1") if isinstance(token, bytes) else token
    fresh = server.log()[before:]
    for part in {text, *re.split(r"[.\s,\"]+", text)}:
        assert len(part) < 8 or part not in fresh, part
    for word in ("canary", SECRET, ADMIN):
        assert word not in fresh, word


@pytest.mark.parametrize("signing", [HS, RS, RS2, ES, ED], ids=["HS", "RS", "RS2", "ES", "Ed"])
def test_the_tokens_that_are_forged_below_are_good_before(server, signing):
    assert ask(server, bearer(signing.token(good()))).status == 200
    assert ask(server, bearer(raw_claims(json.dumps(good())))).status == 200
    assert ask(server, bearer(raw_header('{"alg":"ES256","kid":"e1"}'))).status == 200
    assert ask(server, bearer(raw_header(deep(50)))).status == 200
    assert ask(server, bearer(ES.token(good(**many(100)), **many(100)))).status == 200
    assert ask(server, bearer(ES.token(good(org="acme", roles=["reader"], pad="p" * 4000)))
               ).status == 200


def assert_logged(server, reply, before, *reasons):
    """The refusal has its line in the log since then: there is something to look through."""
    lines = [json.loads(line) for line in server.log()[before:].splitlines()]
    [line] = [one for one in lines if one["message"] == "authentication failed"]
    assert line["requestId"] == reply.headers["x-request-id"]
    assert line["reason"] in reasons and line["key"] == "", line


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_or_malformed_token_is_refused_and_not_logged(logging, name):
    server, before = logging, len(logging.log())
    token = FORGED[name]()
    reply = ask(server, bearer(token))
    assert reply.status == 401, (name, reply.body)
    assert reply.headers["www-authenticate"].startswith("Bearer")
    told = json.loads(reply.body)
    assert told["code"] == "unauthenticated" and told["detail"]
    assert "canary" not in reply.body.decode()
    assert_logged(server, reply, before, "token", "malformed", "unknown")
    assert_log_free_of(server, token, before)


@pytest.mark.parametrize("by", [HS, RS, ES, ED], ids=["HS256", "RS256", "ES256", "EdDSA"])
def test_a_change_of_any_letter_is_refused(server, by):
    """Of the last letter of a part some bits count for nothing, and must be 0."""
    token = by.token(good())
    step = max(1, len(token) // 60)
    with Raw(server) as raw:
        for at in [*range(0, len(token), step), len(token) - 1]:
            for letter in "A_":
                changed = token[:at] + letter + token[at + 1:]
                if changed == token:
                    continue
                reply = raw.send(request_bytes("GET", "/api/v1/tasks",
                                               headers=[bearer(changed)])).reply()
                assert reply.status == 401, (at, letter)


# --- tricks with the header -----------------------------------------------------------------------

def tricks():
    token, other = bearer(HS.token(good())), bearer(ES.token(good()))
    key = b"Authorization: Bearer " + ADMIN.encode()
    return {
        "two tokens": [token, other],
        "the same token twice": [token, token],
        "a token and a forged one": [token, bearer(unsigned("none"))],
        "a forged one and a token": [bearer(unsigned("none")), token],
        "a key and a token": [key, token],
        "a token and an empty one": [token, b"Authorization:"],
        "names in other cases": [token, b"AUTHORIZATION" + token[13:]],
        "two keys": [b"x-api-key: " + ADMIN.encode()] * 2,
        "a key and another": [b"X-Api-Key: " + ADMIN.encode(), b"x-api-key: x"],
        "a header over two lines": [token[:60] + b"\r\n " + token[60:]],
        "a line end in the token": [token[:60] + b"\n" + token[60:]],
        "a carriage return in the token": [token[:60] + b"\r" + token[60:]],
        "a NUL in the token": [token[:60] + b"\0" + token[60:]],
        "a NUL behind the token": [token + b"\0"],
        "a tab in the token": [token[:60] + b"\t" + token[60:]],
        "a DEL in the token": [token[:60] + b"\x7f" + token[60:]],
        "an escape in the token": [token[:60] + b"\x1b[2J" + token[60:]],
        "a blank before the colon": [token.replace(b":", b" :", 1)],
        "a blank before the name": [b" " + token],
        "a NUL in the name": [b"Author\0ization" + token[13:]],
        "a token over the limit": [bearer(ES.token(good(pad="p" * 16000)))],
        "a header larger than any": [token + b"A" * 40000],
        "a token of many headers": [token] * 70,
    }


@pytest.mark.parametrize("name", tricks())
def test_a_trick_with_the_header_is_refused_and_not_logged(server, name):
    before = len(server.log())
    lines = tricks()[name]
    reply = ask(server, *lines)
    assert reply.status in (400, 431), (name, reply)
    assert ADMIN.encode() not in reply.body and b"canary" not in reply.body
    for line in lines:
        assert_log_free_of(server, line.partition(b"Bearer ")[2], before)


@pytest.mark.parametrize("line", [
    b"Authorization: %s", b"Authorization: Basic %s", b"Authorization: JWT %s",
    b"Authorization: Bearer\t%s", b"Authorization: Bearer%s", b"Authorization: Bearer=%s",
    b"Authorization: bearer, %s", b"Proxy-Authorization: Bearer %s", b"X-Api-Key: %s",
    b"Cookie: token=%s", b"X-Authorization: Bearer %s", b"Authorization_: Bearer %s"])
def test_a_token_elsewhere_does_not_count(logging, line):
    server, before = logging, len(logging.log())
    token = HS.token(good()).encode()
    reply = ask(server, line % token)
    assert reply.status == 401
    assert_logged(server, reply, before, "missing", "unknown")
    assert_log_free_of(server, token, before)


def test_a_token_in_the_query_does_not_count(server):
    with Raw(server) as raw:
        path = f"/api/v1/tasks?access_token={HS.token(good())}"
        assert raw.send(request_bytes("GET", path)).reply().status == 401


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"Bearer   "])
def test_the_scheme_is_read_as_the_rfc_says(server, scheme):
    assert ask(server, b"Authorization: " + scheme + HS.token(good()).encode()).status == 200


def test_the_problem_of_two_credentials_says_so(server, make_api):
    reply = ask(server, bearer(HS.token(good())), bearer(HS.token(good())))
    assert reply.status == 400
    assert "Authorization must come only once" in json.loads(reply.body)["detail"]
    api = make_api(server, key=HS.token(good(exp=1)))
    problem(api.get("/tasks"), 401, "unauthenticated")
