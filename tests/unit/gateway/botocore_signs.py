# SPDX-License-Identifier: MIT
"""Random requests signed by botocore, verified by us; then each part changed.

usage: botocore_signs.py VERIFIER [COUNT [SEED]]

botocore's own canonicalisation is the second opinion: what it signs has to be taken,
and no longer after any change that means something.  Prints TAP.
"""
import collections
import copy
import datetime
import hashlib
import json
import os
import random
import string
import subprocess
import sys
import tempfile

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

OK, BODY, MISSING, MALFORMED, UNKNOWN, EXPIRED, SIGNATURE, EXPOSED, FAILED = range(9)
REGION = "us-east-1"
SECRET = "wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEYabc"
TOKEN = "session0123456789session0123456789session01"
PLAIN, SESSION = "AIFKAAAAAAAAAAAAAAAA", "AIFKBBBBBBBBBBBBBBBB"
PATH_CHARS = string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@"
WORDS = string.ascii_letters + string.digits + "-._~!/?:@$&'()*+,;=%\"<>[]{}|\\^`äß水"


class AuthorityAuth(SigV4Auth):
    """As the JavaScript SDK signs over HTTP/2."""

    def headers_to_sign(self, request):
        headers = super().headers_to_sign(request)
        host = headers["host"]
        del headers["host"]
        headers[":authority"] = host
        return headers


def key_file(folder):
    path = os.path.join(folder, "keys.json")
    common = {"name": "test", "type": "aws", "created": "2026-01-01T00:00:00Z", "secret": SECRET}
    keys = [{"id": PLAIN, **common},
            {"id": SESSION, **common,
             "session_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        json.dump({"version": 1, "keys": keys}, file)
    return path


def some(rng, chars, low, high):
    return "".join(rng.choice(chars) for _ in range(rng.randint(low, high)))


def random_path(rng):
    def segment():
        kind = rng.random()
        if kind < 0.15:
            return rng.choice(["", ".", "..", "...", ".a", "a."])
        pieces = [some(rng, PATH_CHARS, 0, 6) if rng.random() < 0.7
                  else "%" + some(rng, "0123456789abcdefABCDEF", 2, 2) for _ in range(rng.randint(1, 4))]
        return "".join(pieces)
    return "/" + "/".join(segment() for _ in range(rng.randint(0, 6)))


def random_headers(rng):
    headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
    for _ in range(rng.randint(0, 5)):
        name = rng.choice(["X-Amz-Meta-", "x-amzn-bedrock-", "amz-sdk-", "X-"]) + \
            some(rng, string.ascii_letters + string.digits + "-_", 1, 8)
        for _ in range(rng.choice([1, 1, 1, 2])):
            value = some(rng, WORDS.replace("ä", "").replace("ß", "").replace("水", "") + "   \t", 0, 20)
            headers.append((name, value))
    return headers


def signed_request(rng):
    """A request as the gateway receives it."""
    url = "http://box.example:8080" + random_path(rng)
    params = {some(rng, WORDS, 1, 6): some(rng, WORDS, 0, 8)
              for _ in range(rng.choice([0, 0, 1, 2, 5]))}
    body = rng.randbytes(rng.choice([0, 1, 40, 3000]))
    request = AWSRequest(method=rng.choice(["GET", "POST", "PUT"]), url=url, data=body, params=params)
    for name, value in random_headers(rng):
        request.headers.add_header(name, value)
    if rng.random() < 0.3:
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    session = rng.random() < 0.3
    http2 = rng.random() < 0.4
    api = rng.choice(["bedrock", "sagemaker"])
    auth = AuthorityAuth if http2 and rng.random() < 0.7 else SigV4Auth
    auth(Credentials(SESSION if session else PLAIN, SECRET, TOKEN if session else None),
         api, REGION).add_auth(request)
    signed_at = datetime.datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    path, _, query = request.prepare().url[len("http://box.example:8080"):].partition("?")
    headers = [list(pair) for pair in request.headers.items()]
    rng.shuffle(headers)     # of one name they keep their order
    order = collections.defaultdict(list)
    for name, value in request.headers.items():
        order[name.lower()].append(value)
    headers = [[name, order[name.lower()].pop(0)] for name, _ in headers]
    headers.append([":authority" if http2 else "Host", "box.example:8080"])
    if http2:
        headers = [[name.lower(), value] for name, value in headers]
    now = int(signed_at.replace(tzinfo=datetime.timezone.utc).timestamp())
    return {"api": api, "http2": http2, "method": request.method, "path": path or "/",
            "query": query, "headers": headers, "body": body.hex(),
            "now": now + rng.randint(-300, 300)}, now


def header(request, name):
    return next((pair for pair in request["headers"] if pair[0].lower() == name), None)


def signed_names(request):
    return header(request, "authorization")[1].split("SignedHeaders=")[1].split(",")[0].split(";")


def in_authorization(request, old, new):
    pair = header(request, "authorization")
    pair[1] = pair[1].replace(old, new, 1)


def flip(text, at):
    return text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1:]


# ---- changes: each returns whether there was something to change ----

def change_method(rng, r, now):
    r["method"] = "DELETE"
    return True


def change_path(rng, r, now):
    r["path"] += "/changed"
    return True


def encode_path_more(rng, r, now):
    before = r["path"]
    r["path"] = before.replace("%", "%25")
    return r["path"] != before and "/.." not in before


def change_query(rng, r, now):
    r["query"] += ("&" if r["query"] else "") + "more=1"
    return True


def change_query_value(rng, r, now):
    at = r["query"].find("=")
    r["query"] = r["query"][:at + 1] + "x" + r["query"][at + 1:]
    return at >= 0


def change_body(rng, r, now):
    r["body"] += "00"
    return True


def change_signed_value(rng, r, now):
    name = rng.choice(signed_names(r))
    (header(r, name) or header(r, ":authority"))[1] += "x"
    return True


def drop_signed_header(rng, r, now):
    name = rng.choice(signed_names(r))
    r["headers"].remove(header(r, name) or header(r, ":authority"))
    return True


def double_signed_header(rng, r, now):
    name = rng.choice(signed_names(r))
    r["headers"].append(list(header(r, name) or header(r, ":authority")))
    return True


def drop_signed_name(rng, r, now):
    names = signed_names(r)
    gone = rng.choice(names)
    in_authorization(r, ";".join(names), ";".join(name for name in names if name != gone))
    return True


def shuffle_signed_names(rng, r, now):
    names = signed_names(r)
    in_authorization(r, ";".join(names), ";".join(reversed(names)))
    return len(names) > 1


def add_unsigned_amz(rng, r, now):
    r["headers"].append(["X-Amz-Target", "other"])
    return True


def change_signature(rng, r, now):
    pair = header(r, "authorization")
    at = len(pair[1]) - rng.randint(1, 64)
    pair[1] = pair[1][:at] + ("0" if pair[1][at] != "0" else "1") + pair[1][at + 1:]
    return True


def cut_signature(rng, r, now):
    header(r, "authorization")[1] = header(r, "authorization")[1][:-rng.randint(1, 64)]
    return True


def change_region(rng, r, now):
    in_authorization(r, "/" + REGION + "/", "/eu-west-1/")
    return True


def change_service(rng, r, now):
    r["api"] = "bedrock" if r["api"] == "sagemaker" else "sagemaker"
    return True


def change_scope_date(rng, r, now):
    date = header(r, "x-amz-date")[1][:8]
    in_authorization(r, "/" + date + "/", "/20200101/")
    return True


def change_id(rng, r, now):
    in_authorization(r, "Credential=AIFK", "Credential=AIFZ")
    return True


def other_key(rng, r, now):
    ids = (PLAIN, SESSION) if PLAIN in header(r, "authorization")[1] else (SESSION, PLAIN)
    in_authorization(r, *ids)
    return True


def too_late(rng, r, now):
    r["now"] = now + 301
    return True


def too_early(rng, r, now):
    r["now"] = now - 301
    return True


def change_token(rng, r, now):
    pair = header(r, "x-amz-security-token")
    if pair:
        pair[1] = flip(pair[1], rng.randrange(len(pair[1])))
    return pair


def foreign_token(rng, r, now):
    if header(r, "x-amz-security-token"):
        return False
    r["headers"].append(["X-Amz-Security-Token", TOKEN])
    return True


def unsigned_payload(rng, r, now):
    pair = header(r, "x-amz-content-sha256")
    if pair:
        pair[1] = rng.choice(["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", pair[1].upper()])
    return pair


REFUSED = [change_method, change_path, encode_path_more, change_query, change_query_value,
           change_body, change_signed_value, drop_signed_header, double_signed_header,
           drop_signed_name, shuffle_signed_names, add_unsigned_amz, change_signature,
           cut_signature, change_region, change_service, change_scope_date, change_id, other_key,
           too_late, too_early, change_token, foreign_token, unsigned_payload]


# ---- changes that mean nothing ----

def as_it_is(rng, r, now):
    return True


def other_case(rng, r, now):
    if not r["http2"]:
        r["headers"] = [[name.swapcase(), value] for name, value in r["headers"]]
    return not r["http2"]


def more_unsigned(rng, r, now):
    r["headers"] += [["User-Agent", "x"], ["X-Amzn-Trace-Id", "y"], ["content-length", "7"]]
    return True


def shuffle_query(rng, r, now):
    pairs = r["query"].split("&")
    rng.shuffle(pairs)
    r["query"] = "&".join(pairs)
    return len(pairs) > 1


def lower_escapes_in_query(rng, r, now):
    first, *rest = r["query"].split("%")
    r["query"] = "%".join([first] + [piece[:2].lower() + piece[2:] for piece in rest])
    return "%" in r["query"]


def more_spaces(rng, r, now):
    pair = header(r, "authorization")
    pair[1] = pair[1].replace(", ", rng.choice([",", ",   "])).replace("256 ", "256   ")
    return True


TAKEN = [as_it_is, other_case, more_unsigned, shuffle_query, lower_escapes_in_query, more_spaces]


def no_body(rng, r, now):
    r["body"] = None
    return True


def main(arguments):
    verifier = arguments[0]
    count = int(arguments[1]) if len(arguments) > 1 else 300
    seed = int(arguments[2]) if len(arguments) > 2 else 1
    rng = random.Random(seed)
    cases = []      # change, request, verdicts that are right
    for _ in range(count):
        request, now = signed_request(rng)
        for changes, right in ((TAKEN, {OK}), ([no_body], {BODY}),
                               (REFUSED, {MALFORMED, UNKNOWN, SIGNATURE})):
            for change in changes:
                changed = copy.deepcopy(request)
                if change(rng, changed, now):
                    cases.append((change.__name__, changed, right))
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(json.dumps(case[1], ensure_ascii=False) + "\n" for case in cases)
        answers = subprocess.run([verifier, key_file(folder)], input=lines.encode(),
                                 stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    return report(cases, answers)


def report(cases, answers):
    if len(answers) != len(cases):
        print(f"not ok 1 - {len(cases)} requests, {len(answers)} answers\n1..1")
        return 1
    wrong, total = collections.Counter(), collections.Counter()
    for (name, request, right), answer in zip(cases, answers):
        total[name] += 1
        if int(answer.split()[0]) in right:
            continue
        wrong[name] += 1
        if wrong[name] == 1:
            print(f"# {name}: {answer}\n# {json.dumps(request)}")
    for n, (name, seen) in enumerate(total.items(), 1):
        print(f"{'not ' if wrong[name] else ''}ok {n} - {name}: {wrong[name]} of {seen} wrong")
    print(f"1..{len(total)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
