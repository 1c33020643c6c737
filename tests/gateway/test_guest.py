#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""boto3, openai, curl and tritonclient on the host, as two tenants, against a gateway behind /dev/aif.

The gateway is in a guest; a port of the host leads to it.  The service answers without
arithmetic, which is slow in an emulated guest: a vector's first number is its text's length.
Shared memory is an application's in the guest; the client only knows its name.
"""
import concurrent.futures
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import rig
import tap

rig.enter("clients on the host")

import boto3  # noqa: E402, from the environment
import botocore.config  # noqa: E402
import openai  # noqa: E402
import tritonclient.http  # noqa: E402
import tritonclient.utils  # noqa: E402

URL = f"https://localhost:{rig.PORT_TLS}"
TENANTS = ("bank", "hospital")
START_S, END_S = 300, 120
LOAD = 30
VECTOR = 384 * 4


def created(path, *options):
    done = subprocess.run(["build/aif", "key", "create", "--file", path, "--json", *options],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


class Guest:
    """A guest with a gateway, until it is asked to finish."""

    def __init__(self, folder):
        self.keys, tls = f"{folder}/keys.json", f"{folder}/tls"
        self.bearer = {t: created(self.keys, "--cgroup", "/" + t, t)["token"] for t in TENANTS}
        self.aws = {t: created(self.keys, "--cgroup", "/" + t, "--type", "aws", t + ".aws")
                    for t in TENANTS}
        subprocess.run(["build/aif", "key", "tls", "--folder", tls, "localhost"], check=True,
                       capture_output=True)
        self.ca, self.tls = f"{tls}/ca.pem", ssl.create_default_context(cafile=f"{tls}/ca.pem")
        self.out = open(f"{folder}/out", "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            ["tests/guest/run", "--name", "gateway_clients", "--timeout", "900", "--forward",
             f"{rig.PORT_TLS}:8443", "--file", f"{self.keys}:/aif/keys.json", "--file",
             f"{tls}/server.pem:/aif/server.pem", "--file", "build/tests/gateway/aifd-faulty",
             "--file", "tests/cli/tap.sh", "--file", "tests/gateway/guest_side", "--",
             "tests/gateway/guest_side"], stdout=self.out, stderr=subprocess.STDOUT)

    def ask(self, path):
        """The status of a GET; None: nobody answers."""
        try:
            with urllib.request.urlopen(URL + path, timeout=10, context=self.tls) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the guest ended: {self.said()}")
        return self.ask("/ready") == 200

    def said(self):
        self.out.seek(0)
        return self.out.read()

    def openai(self, tenant):
        with rig.environ(SSL_CERT_FILE=self.ca):
            return openai.OpenAI(base_url=URL + "/v1", api_key=self.bearer[tenant], max_retries=0)

    def bedrock(self, tenant):
        key = self.aws[tenant]
        return boto3.Session(key["id"], key["secret"], region_name="us-east-1").client(
            "bedrock-runtime", endpoint_url=URL, verify=self.ca,
            config=botocore.config.Config(retries={"total_max_attempts": 1}))


    def triton(self):
        return tritonclient.http.InferenceServerClient(
            f"localhost:{rig.PORT_TLS}", ssl=True, ssl_context_factory=lambda: self.tls)

    def header(self, tenant):
        return {"Authorization": "Bearer " + self.bearer[tenant]}

    def region(self):
        """An application's memory: its key, the bytes of its two texts, where vectors go."""
        key, length, output = re.search(r"^# region (\w+) (\d+) (\d+)$", self.said(), re.M).groups()
        return key, int(length), int(output)


def by_openai(client, text):
    return client.embeddings.create(model="embed", input=text).data[0].embedding[0]


def by_bedrock(client, text):
    answer = client.invoke_model(modelId="embed", body=json.dumps({"inputText": text}))
    return json.loads(answer["body"].read())["embedding"][0]


@tap.each([(tenant, tenant) for tenant in TENANTS])
def each_client(guest, tenant):
    """openai, boto3 and curl, as a tenant"""
    tap.same(5, by_openai(guest.openai(tenant), "hello"), "openai")
    tap.same(7, by_bedrock(guest.bedrock(tenant), "hello w"), "boto3")
    done = subprocess.run(
        ["curl", "-sS", "--cacert", guest.ca, "-H", "Authorization: Bearer " + guest.bearer[tenant],
         "-d", json.dumps({"model": "embed", "input": "hel"}), URL + "/v1/embeddings"],
        capture_output=True, text=True, check=True)
    tap.same(3, json.loads(done.stdout)["data"][0]["embedding"][0], "curl")


def in_region(name, length, output):
    """An input of two texts and an output that are in a region, and an output that is not."""
    text = tritonclient.http.InferInput("text", [2], "BYTES").set_shared_memory(name, length)
    embedding = tritonclient.http.InferRequestedOutput("embedding")
    embedding.set_shared_memory(name, 2 * VECTOR, output)
    return {"model_name": "embed", "inputs": [text],
            "outputs": [embedding, tritonclient.http.InferRequestedOutput("counts")]}


@tap.test
def shared_memory(guest):
    """tritonclient registers a region by its key, and infers in it; who opened it pays"""
    client, who, (key, length, output) = guest.triton(), guest.header("bank"), guest.region()
    client.register_system_shared_memory("mine", key, output + 2 * VECTOR, headers=who)
    tap.same([{"name": "mine", "key": key, "offset": 0, "byte_size": output + 2 * VECTOR}],
             client.get_system_shared_memory_status(headers=who), "status")
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        asked = thread.submit(lambda: guest.triton().infer(**in_region("mine", length, output),
                                                           headers=who))
        tap.same(404, guest.ask("/who-pays"), "status")
        answer = asked.result()
    tap.same({"shared_memory_region": "mine", "shared_memory_offset": output,
              "shared_memory_byte_size": 2 * VECTOR}, answer.get_output("embedding")["parameters"], "where")
    tap.same([[3, 0]] * 2, answer.as_numpy("counts").tolist(), "counts")
    tap.same(404, guest.ask("/look"), "status")


@tap.test
def unregistered(guest):
    """A region that another tenant registered, or nobody any more, is refused"""
    client, (_, length, output) = guest.triton(), guest.region()
    bank, hospital = (guest.header(tenant) for tenant in TENANTS)

    def is_refused(who):
        error = tap.raises(tritonclient.utils.InferenceServerException, client.infer,
                           **in_region("mine", length, output), headers=who)
        tap.same("400", error.status(), "status")

    is_refused(hospital)
    client.unregister_system_shared_memory(headers=hospital)    # all that it has: none
    tap.same(1, len(client.get_system_shared_memory_status(headers=bank)), "the bank's")
    client.unregister_system_shared_memory("mine", headers=bank)
    tap.same([], client.get_system_shared_memory_status(headers=bank), "the bank's")
    is_refused(bank)


@tap.test
def death(guest):
    """A worker is killed under load: each request is answered once, and with its own"""
    texts = ["sleep 90" + "x" * i for i in range(LOAD)]
    jobs = [(ask, make(tenant), text) for text in texts for tenant in TENANTS
            for ask, make in ((by_openai, guest.openai), (by_bedrock, guest.bedrock))]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(*job) for job in jobs]
        rig.until(lambda: sum(f.done() for f in waiting) > LOAD // 2, 300)
        tap.same(404, guest.ask("/kill-a-worker"), "status")
        answers = [f.result() for f in waiting]
    tap.same([len(job[2]) for job in jobs], answers, "answers")


@tap.test
def ledger(guest):
    """In the guest: the ledger is even, and all ended well"""
    tap.same(404, guest.ask("/finish"), "status")
    status = guest.process.wait(END_S)
    tap.comment(guest.said())
    tap.same(0, status, "the guest's status")


def main():
    with tempfile.TemporaryDirectory() as folder:
        guest = Guest(folder)
        try:
            rig.until(guest.is_ready, START_S)
            return tap.run(guest)
        finally:
            guest.process.terminate()
            guest.process.wait(30)


if __name__ == "__main__":
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    sys.exit(main())
