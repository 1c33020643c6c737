#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""The openai package, as its users call it."""
import base64
import struct
import sys

import rig
import tap

rig.enter("openai for Python")

import openai  # noqa: E402, from the environment

MODEL = "embed"


def client(gateway, **options):
    return openai.OpenAI(**{"base_url": gateway.url + "/v1", "api_key": gateway.token,
                            "max_retries": 0, **options})


@tap.test
def no_route(gateway):
    """Nothing but this machine can be reached."""
    tap.same(True, rig.has_no_route(), "no route")


@tap.test
def one_string(gateway):
    """A string, as base64, which is what the client asks for."""
    answer = client(gateway).embeddings.create(model=MODEL, input=rig.TEXTS[0])
    tap.same(1, len(answer.data))
    rig.vector_is(rig.TEXTS[0], answer.data[0].embedding)
    tap.same("list embedding", f"{answer.object} {answer.data[0].object}", "kinds")
    tap.same(MODEL, answer.model, "model")


@tap.test
def many_strings(gateway):
    """An array of strings, in its order."""
    answer = client(gateway).embeddings.create(model=MODEL, input=rig.TEXTS)
    tap.same(list(range(len(rig.TEXTS))), [one.index for one in answer.data], "index")
    for text, one in zip(rig.TEXTS, answer.data):
        rig.vector_is(text, one.embedding)


@tap.test
def as_numbers(gateway):
    """Numbers, asked for by name."""
    answer = client(gateway).embeddings.create(model=MODEL, input=rig.TEXTS[1],
                                               encoding_format="float")
    rig.vector_is(rig.TEXTS[1], answer.data[0].embedding)


@tap.test
def as_base64(gateway):
    """Base64, asked for by name, is little-endian floats."""
    raw = client(gateway).embeddings.with_raw_response.create(
        model=MODEL, input=rig.TEXTS[2], encoding_format="base64").http_response.json()
    data = base64.b64decode(raw["data"][0]["embedding"], validate=True)
    rig.vector_is(rig.TEXTS[2], struct.unpack(f"<{len(data) // 4}f", data))


@tap.test
def usage(gateway):
    """Usage counts what `aif embed` counts."""
    answer = client(gateway).embeddings.create(model=MODEL, input=rig.TEXTS)
    tap.same(rig.tokens(*rig.TEXTS), answer.usage.prompt_tokens, "prompt_tokens")
    tap.same(answer.usage.prompt_tokens, answer.usage.total_tokens, "total_tokens")


@tap.test
def own_dimensions(gateway):
    """The model's own dimensions may be asked for."""
    size = len(rig.embed(rig.TEXTS[0])[0]["embedding"])
    answer = client(gateway).embeddings.create(model=MODEL, input=rig.TEXTS[0], dimensions=size)
    tap.same(size, len(answer.data[0].embedding), "dimensions")


@tap.test
def many_at_once(gateway):
    """Sixteen threads, each answer its own."""
    import concurrent.futures
    texts = [f"text number {i} of many" for i in range(64)]
    one = client(gateway)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda text: one.embeddings.create(model=MODEL, input=text), texts))
    rig.vectors_are(texts, [answer.data[0].embedding for answer in answers])


@tap.test
def by_environment(gateway):
    """Nothing but environment variables says where the machine is, and who asks."""
    with rig.environ(OPENAI_BASE_URL=gateway.url + "/v1", OPENAI_API_KEY=gateway.token):
        answer = openai.OpenAI().embeddings.create(model=MODEL, input=rig.TEXTS[0])
    rig.vector_is(rig.TEXTS[0], answer.data[0].embedding)


@tap.test
def over_tls(gateway):
    """Over TLS, with the machine's own CA in SSL_CERT_FILE."""
    with rig.environ(SSL_CERT_FILE=gateway.ca):
        answer = client(gateway, base_url=gateway.secure_url + "/v1").embeddings.create(
            model=MODEL, input=rig.TEXTS[0])
    rig.vector_is(rig.TEXTS[0], answer.data[0].embedding)


@tap.test
def models(gateway):
    """The models, and one by its name."""
    listed = client(gateway).models.list()
    tap.same([MODEL], [model.id for model in listed.data], "models")
    one = client(gateway).models.retrieve(MODEL)
    tap.same((MODEL, "model"), (one.id, one.object), "the model")
    error = tap.raises(openai.NotFoundError, client(gateway).models.retrieve, "no/such")
    tap.has("no/such", error.body["message"], "a name with a slash is decoded")


BAD_KEYS = [
    ("another secret", lambda gateway: gateway.token[:-4] + "AAAA"),
    ("another key", lambda gateway: "aif-AIFKAAAAAAAAAAAAAAAA" + gateway.token[24:]),
    ("one of OpenAI's", lambda gateway: "sk-proj-0123456789"),
]


@tap.each(BAD_KEYS)
def bad_key(gateway, make):
    """A key that is not known here"""
    error = tap.raises(openai.AuthenticationError, client(gateway, api_key=make(gateway)).models.list)
    tap.same("invalid_api_key", error.code, "code")


TOO_LONG = "word " * 300
BAD = [
    ("another model", openai.NotFoundError, "model_not_found", "nosuch", {"model": "nosuch"}),
    ("token ids", openai.BadRequestError, "invalid_value", "token", {"input": [1, 2, 3]}),
    ("arrays of token ids", openai.BadRequestError, "invalid_value", "token", {"input": [[1, 2], [3]]}),
    ("an empty array", openai.BadRequestError, "invalid_value", "input", {"input": []}),
    ("other dimensions", openai.BadRequestError, "invalid_value", "dimensions", {"dimensions": 7}),
    ("another encoding", openai.BadRequestError, "invalid_value", "encoding_format",
     {"encoding_format": "hex"}),
    ("a text over the limit", openai.BadRequestError, "context_length_exceeded", "256", {"input": TOO_LONG}),
    ("too many texts", openai.BadRequestError, "invalid_value", "2048", {"input": ["a"] * 2049}),
]


@tap.each(BAD)
def refused(gateway, kind, code, word, changed):
    """Refused as the API refuses"""
    error = tap.raises(kind, client(gateway).embeddings.create,
                       **{"model": MODEL, "input": rig.TEXTS[0], **changed})
    tap.same(code, error.code, "code")
    tap.has(word, error.body["message"], "message")
    tap.same({"message", "type", "param", "code"}, set(error.body), "members")
    tap.has("-", error.request_id, "request id")


@tap.test
def truncated(_):
    """With --truncate a text over the limit is cut, as `aif embed` cuts it, and its response says so"""
    with rig.Gateway("--truncate", ports=rig.AT_ONCE) as gateway:
        embeddings = client(gateway).embeddings.with_raw_response
        cut = embeddings.create(model=MODEL, input=[rig.TEXTS[0], TOO_LONG])
        tap.same("true", cut.headers.get("x-aif-truncated"), "x-aif-truncated")
        for text, one in zip((rig.TEXTS[0], TOO_LONG), cut.parse().data):
            rig.vector_is(text, one.embedding)
        tap.same(rig.tokens(rig.TEXTS[0]) + 256, cut.parse().usage.prompt_tokens, "prompt_tokens")
        whole = embeddings.create(model=MODEL, input=rig.TEXTS[0])
        tap.same(None, whole.headers.get("x-aif-truncated"), "x-aif-truncated of a short one")


if __name__ == "__main__":
    with rig.Gateway() as fixture:
        result = tap.run(fixture)
    sys.exit(result)
