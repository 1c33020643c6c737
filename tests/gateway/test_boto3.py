#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""boto3, as its users call it: bedrock-runtime, bedrock and sagemaker-runtime."""
import json
import sys

import rig
import tap

rig.enter("boto3")

import boto3  # noqa: E402, from the environment
import botocore.auth  # noqa: E402
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402

MODEL = "embed"
ALIAS = "amazon.titan-embed-text-v2:0"
ONCE = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=120)


def variables(gateway, tls=False, bearer=False, session=False, **changed):
    """What a person would export."""
    key = gateway.session if session else gateway.aws
    who = {"AWS_BEARER_TOKEN_BEDROCK": gateway.token} if bearer else {
        "AWS_ACCESS_KEY_ID": key["id"], "AWS_SECRET_ACCESS_KEY": key["secret"],
        **({"AWS_SESSION_TOKEN": key["session_token"]} if session else {})}
    return {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CA_BUNDLE": gateway.ca,
            "AWS_ENDPOINT_URL": gateway.secure_url if tls else gateway.url, **who, **changed}


def call(gateway, service, operation, how=None, **arguments):
    """One call of a new client."""
    with rig.environ(**variables(gateway, **(how or {}))):
        client = boto3.Session().client(service, config=ONCE)
        return getattr(client, operation)(**arguments)


def invoke(gateway, body, how=None, model=MODEL):
    answer = call(gateway, "bedrock-runtime", "invoke_model", how, modelId=model,
                  body=body if isinstance(body, (bytes, str)) else json.dumps(body))
    return json.loads(answer["body"].read())


def endpoint(gateway, body, how=None, name=MODEL, media="application/json"):
    answer = call(gateway, "sagemaker-runtime", "invoke_endpoint", how, EndpointName=name,
                  ContentType=media, Body=body if isinstance(body, (bytes, str)) else json.dumps(body))
    return json.loads(answer["Body"].read())


def refusal(function, *arguments, **named):
    """(status, code, message) of the client's exception."""
    error = tap.raises(botocore.exceptions.ClientError, function, *arguments, **named).response
    return (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"],
            error["Error"]["Message"])


def refused(status, code, word, function, *arguments, **named):
    got = refusal(function, *arguments, **named)
    tap.same((status, code), got[:2], "status and code")
    tap.has(word, got[2], "message")


# ---- who asks

HOW = [
    ("signed, over HTTP", {}),
    ("signed, over TLS", {"tls": True}),
    ("signed, with a session token", {"session": True}),
    ("a bearer token, over TLS", {"tls": True, "bearer": True}),
]


@tap.each(HOW)
def bedrock_invokes(gateway, how):
    """bedrock-runtime invoke_model"""
    for text in rig.TEXTS:
        answer = invoke(gateway, {"inputText": text}, how)
        rig.vector_is(text, answer["embedding"])
        tap.same(answer["embedding"], answer["embeddingsByType"]["float"], "by type")
        tap.same(rig.tokens(text), answer["inputTextTokenCount"], "tokens")


@tap.each(HOW[:3])
def sagemaker_invokes(gateway, how):
    """sagemaker-runtime invoke_endpoint"""
    one = endpoint(gateway, {"inputs": rig.TEXTS[0]}, how)
    tap.same(1, len(one), "vectors")
    rig.vector_is(rig.TEXTS[0], one[0])
    for text, vector in zip(rig.TEXTS, endpoint(gateway, {"inputs": rig.TEXTS}, how)):
        rig.vector_is(text, vector)


@tap.each(HOW)
def bedrock_lists(gateway, how):
    """bedrock list_foundation_models and get_foundation_model"""
    models = call(gateway, "bedrock", "list_foundation_models", how)["modelSummaries"]
    tap.same([MODEL], [model["modelId"] for model in models], "models")
    one = call(gateway, "bedrock", "get_foundation_model", how, modelIdentifier=MODEL)["modelDetails"]
    tap.same((MODEL, "ACTIVE", ["EMBEDDING"]),
             (one["modelId"], one["modelLifecycle"]["status"], one["outputModalities"]), "model")


@tap.test
def alias(gateway):
    """An alias with characters that are escaped in the path, and once more in the signature"""
    answer = invoke(gateway, {"inputText": rig.TEXTS[0]}, model=ALIAS)
    rig.vector_is(rig.TEXTS[0], answer["embedding"])


WRONG_KEYS = [
    ("another secret", {"AWS_SECRET_ACCESS_KEY": "A" * 43}, 403, "InvalidSignatureException"),
    ("another key", {"AWS_ACCESS_KEY_ID": "AIFKAAAAAAAAAAAAAAAA"}, 403, "UnrecognizedClientException"),
    ("another region", {"AWS_DEFAULT_REGION": "eu-central-1"}, 403, "InvalidSignatureException"),
    ("a session token that was not issued", {"AWS_SESSION_TOKEN": "x" * 43}, 403,
     "UnrecognizedClientException"),
]


@tap.each(WRONG_KEYS)
def wrong_key(gateway, changed, status, code):
    """Refused, whichever service"""
    refused(status, code, "", invoke, gateway, {"inputText": "a"}, changed)
    refused(status, code, "", endpoint, gateway, {"inputs": "a"}, changed)
    refused(status, code, "", call, gateway, "bedrock", "list_foundation_models", changed)


@tap.test
def unsigned(gateway):
    """No signature at all"""
    unsigned_config = ONCE.merge(botocore.config.Config(signature_version=botocore.UNSIGNED))
    with rig.environ(**variables(gateway)):
        client = boto3.Session().client("bedrock-runtime", config=unsigned_config)
        refused(403, "MissingAuthenticationTokenException", "", client.invoke_model, modelId=MODEL,
                body=json.dumps({"inputText": "a"}))


@tap.test
def payload_unsigned(gateway):
    """UNSIGNED-PAYLOAD is refused: a signature covers its body here"""
    def leave_body_out(request, **_):
        request.context["payload_signing_enabled"] = False
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    with rig.environ(**variables(gateway)):
        client = boto3.Session().client("bedrock-runtime", config=ONCE)
        client.meta.events.register("request-created.bedrock-runtime", leave_body_out)
        tap.same(403, refusal(client.invoke_model, modelId=MODEL,
                              body=json.dumps({"inputText": "a"}))[0], "status")


@tap.each([("the body", "data"), ("a header", "header"), ("the path", "path")])
def tampered(gateway, part):
    """Changed after it was signed"""
    def change(request, **_):
        if part == "data":
            request.body = request.body.replace(b"mat", b"hat")
        elif part == "header":
            request.headers["Content-Type"] = "application/json; charset=utf-8"
        else:
            request.url = request.url.replace(MODEL, ALIAS)
    with rig.environ(**variables(gateway)):
        client = boto3.Session().client("bedrock-runtime", config=ONCE)
        client.meta.events.register("before-send.bedrock-runtime", change)
        refused(403, "InvalidSignatureException", "", client.invoke_model, modelId=MODEL,
                contentType="application/json", body=json.dumps({"inputText": rig.TEXTS[0]}))


@tap.test
def old(gateway):
    """A signature of six minutes ago"""
    import datetime
    now = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda **how: now(**how) - datetime.timedelta(minutes=6)
    try:
        got = refusal(invoke, gateway, {"inputText": "a"})
    finally:
        botocore.auth.get_current_datetime = now
    tap.same((403, "InvalidSignatureException"), got[:2], "status and code")


# ---- what is asked

LONG = "word " * 300
BAD_BODIES = [
    ("other dimensions", {"inputText": "a", "dimensions": 256}, "dimensions"),
    ("not normalised", {"inputText": "a", "normalize": False}, "normalize"),
    ("bits", {"inputText": "a", "embeddingTypes": ["binary"]}, "embeddingTypes"),
    ("no text", {}, "inputText"),
    ("a number", {"inputText": 5}, "inputText"),
    ("a text over the limit", {"inputText": LONG}, "256"),
    ("no JSON", "{", "JSON"),
    ("no UTF-8", b'{"inputText": "\xff"}', ""),
    ("an empty body", "", "JSON"),
]


@tap.each(BAD_BODIES)
def bedrock_refuses(gateway, body, word):
    """bedrock-runtime ValidationException"""
    refused(400, "ValidationException", word, invoke, gateway, body)


BAD_INPUTS = [
    ("no inputs", {}, "inputs"),
    ("a number in the array", {"inputs": ["a", 5]}, "inputs"),
    ("an empty array", {"inputs": []}, "inputs"),
    ("a text over the limit", {"inputs": ["a", LONG]}, "256"),
    ("no JSON", "{", "JSON"),
]


@tap.each(BAD_INPUTS)
def sagemaker_refuses(gateway, body, word):
    """sagemaker-runtime ValidationError"""
    refused(400, "ValidationError", word, endpoint, gateway, body)


@tap.test
def nobody(gateway):
    """Names that are not here"""
    refused(404, "ResourceNotFoundException", "no.such", invoke, gateway, {"inputText": "a"},
            model="no.such")
    refused(400, "ValidationError", "nosuch", endpoint, gateway, {"inputs": "a"}, name="nosuch")
    refused(404, "ResourceNotFoundException", "no.such", call, gateway, "bedrock",
            "get_foundation_model", modelIdentifier="no.such")


@tap.test
def other_type(gateway):
    """sagemaker-runtime with text/csv is 415"""
    tap.same(415, refusal(endpoint, gateway, "a,b", media="text/csv")[0], "status")


@tap.test
def request_id(gateway):
    """Each answer has an id, and each its own"""
    ids = {call(gateway, "bedrock", "list_foundation_models")["ResponseMetadata"]["RequestId"]
           for _ in range(3)}
    tap.same(3, len(ids), "ids")


if __name__ == "__main__":
    with rig.Gateway("--alias", f"{ALIAS}={MODEL}") as fixture:
        result = tap.run(fixture)
    sys.exit(result)
