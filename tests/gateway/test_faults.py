#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Each row of the one table of faults, as each API's client sees it.

The gateway runs with a service that answers with the errno that its text names.
"""
import contextlib
import datetime
import errno
import json
import signal
import sys

import rig
import tap

rig.enter("faults")

import boto3  # noqa: E402, from the environment
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402
import httpx  # noqa: E402
import openai  # noqa: E402
import tritonclient.http  # noqa: E402
import tritonclient.utils  # noqa: E402

MODEL = "embed"
ONCE = botocore.config.Config(retries={"total_max_attempts": 1})

INVALID = (400, "ValidationException", 400, "ValidationError", None, 400)
THROTTLED = (429, "ThrottlingException", 503, "ServiceUnavailable", None, 429)
GONE = (503, "ServiceUnavailableException", 503, "ServiceUnavailable", None, 503)
POISON = (424, "ModelErrorException", 424, "ModelError", 500, 500)

# errno; OpenAI's status and code; Bedrock's; SageMaker's, with OriginalStatusCode; v2's status
ROWS = [
    ("EINVAL", errno.EINVAL, 400, "invalid_value", *INVALID),
    ("EILSEQ", errno.EILSEQ, 400, "invalid_utf8", *INVALID),
    ("E2BIG", errno.E2BIG, 400, "context_length_exceeded", *INVALID),
    ("EDQUOT", errno.EDQUOT, 429, "rate_limit_exceeded", *THROTTLED),
    ("EAGAIN", errno.EAGAIN, 429, "rate_limit_exceeded", *THROTTLED),
    ("EBUSY", errno.EBUSY, 429, "rate_limit_exceeded", *THROTTLED),
    ("ETIME", errno.ETIME, 504, "timeout", 408, "ModelTimeoutException", 424, "ModelError", 504, 504),
    ("EIO", errno.EIO, 500, "model_failed", *POISON),
    ("EOWNERDEAD", errno.EOWNERDEAD, 500, "model_died", *POISON),
    ("ECANCELED", errno.ECANCELED, 503, "cancelled", *GONE),
    ("EKEYREVOKED", errno.EKEYREVOKED, 503, "revoked", *GONE),
    ("ESHUTDOWN", errno.ESHUTDOWN, 503, "draining", 429, "ModelNotReadyException", 429, "ModelNotReadyException",
     None, 503),
    ("ENODEV", errno.ENODEV, 503, "service_gone", *GONE),
    ("ENOENT", errno.ENOENT, 503, "service_gone", *GONE),
    ("ENOMEM", errno.ENOMEM, 503, "no_memory", *GONE),
    ("ENOSPC", errno.ENOSPC, 503, "no_room", *GONE),
    ("EOPNOTSUPP", errno.EOPNOTSUPP, 501, "not_supported", *INVALID[:-1], 501),
    ("EXDEV", errno.EXDEV, 500, "internal_error", 500, "InternalServerException", 500, "InternalFailure", None,
     500),
]


FAULTY = "build/tests/gateway/aif-gateway-faulty"


def aws(gateway, service, key=None):
    key = key or gateway.aws
    return boto3.Session(key["id"], key["secret"], region_name="us-east-1").client(
        service, endpoint_url=gateway.url, config=ONCE)


def by_openai(gateway, text, status, code):
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=gateway.token, max_retries=0)
    error = tap.raises(openai.APIStatusError, client.embeddings.create, model=MODEL, input=text)
    tap.same((status, code), (error.status_code, error.code), "openai")


def by_bedrock(gateway, text, status, code):
    error = tap.raises(botocore.exceptions.ClientError, aws(gateway, "bedrock-runtime").invoke_model,
                       modelId=MODEL, body=json.dumps({"inputText": text})).response
    tap.same((status, code), (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]),
             "bedrock")
    tap.same(True, bool(error["Error"]["Message"]), "bedrock's message")


def by_sagemaker(gateway, text, status, code, original):
    error = tap.raises(botocore.exceptions.ClientError,
                       aws(gateway, "sagemaker-runtime").invoke_endpoint, EndpointName=MODEL,
                       ContentType="application/json", Body=json.dumps({"inputs": text})).response
    tap.same((status, code), (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]),
             "sagemaker")
    tap.same(original, error.get("OriginalStatusCode"), "OriginalStatusCode")
    tap.same(original is not None, bool(error.get("OriginalMessage")), "OriginalMessage")


def by_triton(gateway, text, status):
    import numpy
    client = tritonclient.http.InferenceServerClient(f"{rig.HOST}:{gateway.port}")
    texts = tritonclient.http.InferInput("text", [1, 1], "BYTES")
    texts.set_data_from_numpy(numpy.array([[text.encode()]], dtype=object))
    error = tap.raises(tritonclient.utils.InferenceServerException, client.infer, MODEL, [texts],
                       headers={"Authorization": "Bearer " + gateway.token})
    client.close()
    tap.same(str(status), error.status(), "triton")


@tap.each(ROWS)
def row(gateway, number, *answers):
    """The executor's answer"""
    text = f"errno {number}"
    by_openai(gateway, text, *answers[0:2])
    by_bedrock(gateway, text, *answers[2:4])
    by_sagemaker(gateway, text, *answers[4:7])
    by_triton(gateway, text, answers[7])


# ---- what is wrong with a request itself: no client would send it, so one that sends anything

def ask(gateway, method, path, status, code, **how):
    headers = {"Authorization": "Bearer " + gateway.token, **how.pop("headers", {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    answer = httpx.request(method, gateway.url + path, headers=headers, timeout=60, **how)
    tap.same(status, answer.status_code, f"{method} {path}")
    body = answer.json()
    if path.startswith("/v1/"):
        tap.same(code, body["error"]["code"], path)
    elif path.startswith("/v2"):
        tap.has("error", body)
    elif path.startswith(("/endpoints", "/invocations")):
        tap.same(code, answer.headers["x-amzn-errortype"], path)
        tap.has("Message", body)
    else:
        tap.same(code, answer.headers["x-amzn-errortype"], path)
        tap.has("message", body)
    for name in ("date", "x-amzn-requestid"):
        tap.has(name, answer.headers)


PATHS = ("/v1/embeddings", "/model/embed/invoke", "/endpoints/embed/invocations",
         "/v2/models/embed/infer")
REQUESTS = [
    ("not as the API says", "POST", PATHS, 400, ("invalid_value", "ValidationException", "ValidationError", None),
     {"content": b"[]", "headers": {"content-type": "application/json"}}),
    ("no such path", "GET", ("/v1/nosuch", "/model/embed", "/endpoints/embed", "/v2/nosuch"), 404,
     ("unknown_url", "UnknownOperationException", "UnknownOperationException", None), {}),
    ("another method", "DELETE", PATHS, 405,
     ("method_not_supported", "UnknownOperationException", "UnknownOperationException", None), {}),
    ("a long body", "POST", PATHS, 413,
     ("request_too_large", "ValidationException", "ValidationError", None), {"content": b"x" * 100001}),
    ("no key", "POST", PATHS, None,
     ("invalid_api_key", "MissingAuthenticationTokenException", "MissingAuthenticationTokenException", None),
     {"headers": {"Authorization": None}}),
    ("an unknown key", "POST", PATHS, None,
     ("invalid_api_key", "UnrecognizedClientException", "UnrecognizedClientException", None),
     {"headers": {"Authorization": "Bearer aif-AIFKAAAAAAAAAAAAAAAA-" + "A" * 43}}),
    ("credentials that are none", "POST", PATHS, None,
     ("invalid_api_key", "IncompleteSignatureException", "IncompleteSignatureException", None),
     {"headers": {"Authorization": "Digest username=a"}}),
    ("another expectation", "POST", PATHS, 417,
     ("expectation", "ValidationException", "ValidationError", None),
     {"headers": {"Expect": "the-unexpected"}, "content": b"{}"}),
]


@tap.each(REQUESTS)
def request(gateway, method, paths, status, codes, how):
    """The request itself"""
    for i, (path, code) in enumerate(zip(paths, codes)):
        expected = status or (401, 403, 403, 401)[i]
        ask(gateway, method, path, expected, code, **dict(how))


@tap.test
def expired(gateway):
    """A key that has expired, as each API's clients see it"""
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    when = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    bearer, signs = gateway.key("--expires", when), gateway.key("--expires", when, "--type", "aws")
    how = {"headers": {"Authorization": "Bearer " + bearer["token"]}}
    rig.until(lambda: "expired" in httpx.get(gateway.url + "/v1/models", **how).text, 30)
    codes = ("invalid_api_key", "ExpiredTokenException", "ExpiredTokenException", None)
    for path, code, status in zip(PATHS, codes, (401, 403, 403, 401)):
        ask(gateway, "POST", path, status, code, **{"headers": dict(how["headers"])})
    for service, call, body in (("bedrock-runtime", "invoke_model", {"modelId": MODEL, "body": "{}"}),
                                ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": MODEL, "Body": "{}"})):
        error = tap.raises(botocore.exceptions.ClientError, getattr(aws(gateway, service, signs), call), **body)
        tap.same((403, "ExpiredTokenException"), (error.response["ResponseMetadata"]["HTTPStatusCode"],
                                                  error.response["Error"]["Code"]), service)


@tap.test
def full(_):
    """More bodies than --max-bodies are throttled, and a model that is not there is not ready"""
    codes = ("rate_limit_exceeded", "ThrottlingException", "ServiceUnavailable", None)
    with rig.Gateway("--max-bodies", "1000", "--sagemaker", "nosuch", binary=FAULTY, ports=rig.AT_ONCE) as small:
        for path, code, status in zip(PATHS, codes, (429, 429, 503, 429)):
            ask(small, "POST", path, status, code, content=b"x" * 2000)
        ask(small, "POST", "/invocations", 429, "ModelNotReadyException", content=b"{}")
        tap.same(503, httpx.get(small.url + "/ping").status_code, "/ping")


ASKS = {PATHS[0]: {"model": MODEL, "input": "hello"}, PATHS[1]: {"inputText": "hello"}, PATHS[2]: {"inputs": "hello"},
        PATHS[3]: {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}]}}


def begun(gateway, method, path, body):
    """A request but for its last byte, on a socket."""
    peer = gateway.connect()
    data = (f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
    peer.sendall(data[:-1])
    return peer, data[-1:]


def status_of(peer):
    got = b""
    while piece := peer.recv(65536):
        got += piece
    return int(got[9:12])


@tap.test
def draining(_):
    """A drain answers what is under way, in each API, and says where it is asked that it drains"""
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(rig.Gateway("--threads", "1", binary=FAULTY, ports=rig.AT_ONCE))
        asked = {path: begun(gateway, "POST", path, json.dumps(body)) for path, body in ASKS.items()}
        asked.update({path: begun(gateway, "GET", path, "") for path in ("/ready", "/ping", "/v2/health/ready")})
        tap.same(200, httpx.get(gateway.url + "/health").status_code, "before it")
        gateway.process.send_signal(signal.SIGTERM)
        rig.until(lambda: not gateway.listens(), 30)
        got = {}
        for path, (peer, last) in asked.items():
            stack.enter_context(peer).sendall(last)
            got[path] = status_of(peer)
    tap.same({**{path: 200 for path in PATHS}, "/ready": 503, "/ping": 503, "/v2/health/ready": 400}, got, "statuses")


@tap.test
def long_head(gateway):
    """A head over the limit: whose path it is was never looked at"""
    answer = httpx.get(gateway.url + "/v1/models", headers={"x-long": "x" * 20000})
    tap.same((431, ["message"]), (answer.status_code, list(answer.json())), "answer")


@tap.test
def slow_device(gateway):
    """A device that is slower than --deadline"""
    by_openai(gateway, "sleep 3000", 504, "timeout")
    by_bedrock(gateway, "sleep 3000", 408, "ModelTimeoutException")


@tap.test
def cut(gateway):
    """A text that the service cut is refused, naming the limit"""
    by_bedrock(gateway, "tokens 300", 400, "ValidationException")


if __name__ == "__main__":
    with rig.Gateway("--max-body", "100000", "--deadline", "1",
                     binary=FAULTY) as fixture:
        result = tap.run(fixture)
    sys.exit(result)
