#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""aws-sdk-go-v2's bedrockruntime."""
import json
import os
import subprocess
import sys

import environment
import rig
import tap

rig.enter("aws-sdk-go-v2", AIF_TEST_GO=environment.go)

MODEL = "embed"
ALIAS = "amazon.titan-embed-text-v2:0"


def ask(gateway, texts, tls=False, model=MODEL, **who):
    """Answers to texts; the environment is what a person would export."""
    environ = {**os.environ, "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
               "AWS_ENDPOINT_URL": gateway.secure_url if tls else gateway.url,
               "AWS_CA_BUNDLE": gateway.ca,
               **(who or {"AWS_ACCESS_KEY_ID": gateway.aws["id"],
                          "AWS_SECRET_ACCESS_KEY": gateway.aws["secret"]})}
    done = subprocess.run(
        [os.environ["AIF_TEST_GO"]], env=environ, capture_output=True, text=True, timeout=300,
        input=json.dumps([{"model": model, "text": text} for text in texts]), check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def right(texts, answers):
    for text, answer in zip(texts, answers):
        tap.has("vector", answer)
        rig.vector_is(text, answer["vector"])
        tap.same(rig.tokens(text), answer["tokens"], "tokens")


@tap.each([("signed, over HTTP", False), ("signed, over TLS", True)])
def signed(gateway, tls):
    """InvokeModel"""
    right(rig.TEXTS, ask(gateway, rig.TEXTS, tls))


@tap.test
def bearer(gateway):
    """InvokeModel: a bearer token, over TLS"""
    right(rig.TEXTS, ask(gateway, rig.TEXTS, True, AWS_BEARER_TOKEN_BEDROCK=gateway.token))


@tap.test
def alias(gateway):
    """InvokeModel: a model id with a colon"""
    right(rig.TEXTS[:1], ask(gateway, rig.TEXTS[:1], model=ALIAS))


WRONG = [
    ("an unknown model", "a", {"model": "nosuch"}, 404, "ResourceNotFoundException"),
    ("a text over the limit", "word " * 300, {}, 400, "ValidationException"),
    ("another secret", "a", {"AWS_SECRET_ACCESS_KEY": "A" * 43}, 403, "InvalidSignatureException"),
    ("another key", "a", {"AWS_ACCESS_KEY_ID": "AIFKAAAAAAAAAAAAAAAA"}, 403,
     "UnrecognizedClientException"),
]


@tap.each(WRONG)
def refused(gateway, text, changed, status, code):
    """Errors by their names"""
    who = {"AWS_ACCESS_KEY_ID": gateway.aws["id"], "AWS_SECRET_ACCESS_KEY": gateway.aws["secret"]}
    answer = ask(gateway, [text], **{**who, **changed})[0]
    tap.same((status, code), (answer.get("status"), answer.get("code")), "status and code")


if __name__ == "__main__":
    with rig.Gateway("--alias", f"{ALIAS}={MODEL}") as fixture:
        result = tap.run(fixture)
    sys.exit(result)
