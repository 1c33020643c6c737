#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""@aws-sdk/client-bedrock-runtime, @aws-sdk/client-sagemaker-runtime and openai on Node."""
import json
import os
import subprocess
import sys
import tempfile

import environment
import rig
import tap

rig.enter("JavaScript clients", NODE_PATH=environment.node)

MODEL = "embed"
ALIAS = "amazon.titan-embed-text-v2:0"


def variables(gateway, tls, **who):
    """What a person would export."""
    url = gateway.secure_url if tls else gateway.url
    return {**os.environ, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": url,
            "OPENAI_BASE_URL": url + "/v1", "NODE_EXTRA_CA_CERTS": gateway.ca, **who}


def signed(gateway):
    return {"AWS_ACCESS_KEY_ID": gateway.aws["id"], "AWS_SECRET_ACCESS_KEY": gateway.aws["secret"],
            "OPENAI_API_KEY": gateway.token}


def ask(client, texts, environ, model=MODEL):
    done = subprocess.run(
        ["node", "tests/gateway/client.js"], env=environ, capture_output=True, text=True,
        input=json.dumps([{"client": client, "model": model, "text": text} for text in texts]),
        timeout=300, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def right(answers, texts):
    for text, answer in zip(texts, answers):
        tap.has("vector", answer)
        rig.vector_is(text, answer["vector"])


def access():
    """The access log's newest request."""
    with open(ACCESS, encoding="utf-8") as log:
        return json.loads(log.readlines()[-1])


@tap.each([("signed, clear text: HTTP/2 with prior knowledge", "bedrock", False, False, 2),
           ("signed, over TLS: HTTP/2 by ALPN", "bedrock", True, False, 2),
           ("a bearer token, over TLS", "bedrock", True, True, 2)])
def bedrock(gateway, client, tls, bearer, http):
    """client-bedrock-runtime"""
    who = {"AWS_BEARER_TOKEN_BEDROCK": gateway.token} if bearer else signed(gateway)
    right(ask(client, rig.TEXTS, variables(gateway, tls, **who)), rig.TEXTS)
    tap.same((http, "/model/embed/invoke"), (access()["http"], access()["target"]))


@tap.test
def alias(gateway):
    """client-bedrock-runtime, a model id with a colon"""
    right(ask("bedrock", rig.TEXTS[:1], variables(gateway, False, **signed(gateway)), ALIAS),
          rig.TEXTS[:1])


@tap.each([("clear text", False), ("over TLS", True)])
def sagemaker(gateway, tls):
    """client-sagemaker-runtime"""
    right(ask("sagemaker", rig.TEXTS, variables(gateway, tls, **signed(gateway))), rig.TEXTS)


@tap.each([("clear text", False), ("over TLS", True)])
def openai(gateway, tls):
    """openai"""
    right(ask("openai", rig.TEXTS, variables(gateway, tls, **signed(gateway))), rig.TEXTS)


WRONG = [
    ("client-bedrock-runtime", "bedrock", 404, "ResourceNotFoundException", 400, "ValidationException"),
    ("client-sagemaker-runtime", "sagemaker", 400, "ValidationError", 400, "ValidationError"),
    ("openai", "openai", 404, "model_not_found", 400, "context_length_exceeded"),
]


@tap.each(WRONG)
def refused(gateway, client, status, code, long_status, long_code):
    """Errors by their names"""
    environ = variables(gateway, False, **signed(gateway))
    one = ask(client, ["a"], environ, "nosuch")[0]
    tap.same((status, code), (one.get("status"), one.get("code")), "an unknown model")
    one = ask(client, ["word " * 300], environ)[0]
    tap.same((long_status, long_code), (one.get("status"), one.get("code")), "a long text")
    tap.has("256", one["message"], "a long text's message")


@tap.test
def wrong_secret(gateway):
    """Another secret is InvalidSignatureException"""
    environ = variables(gateway, False, **{**signed(gateway), "AWS_SECRET_ACCESS_KEY": "A" * 43})
    for client in ("bedrock", "sagemaker"):
        one = ask(client, ["a"], environ)[0]
        tap.same((403, "InvalidSignatureException"), (one.get("status"), one.get("code")), client)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        ACCESS = os.path.join(folder, "access")
        with rig.Gateway("--alias", f"{ALIAS}={MODEL}", "--access-log", ACCESS) as fixture:
            result = tap.run(fixture)
    sys.exit(result)
