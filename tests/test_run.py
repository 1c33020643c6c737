#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tests/run makes of programs that end in each way.  Prints TAP."""

import json
import os
import subprocess
import sys
import tempfile

RUN = os.path.join(os.path.dirname(os.path.realpath(__file__)), "run")


class Place:
    """A folder of programs and a cache of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.times = os.path.join(folder, "cache", "test-times.json")

    def program(self, name, body):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + body + "\n")
        os.chmod(path, 0o755)

    def record(self, times):
        os.makedirs(os.path.dirname(self.times), exist_ok=True)
        with open(self.times, "w", encoding="utf-8") as file:
            json.dump(times, file)

    def recorded(self):
        with open(self.times, encoding="utf-8") as file:
            return json.load(file)

    def run(self, *arguments):
        """(exit status, lines of output)"""
        done = subprocess.run([RUN, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False,
                              env={**os.environ, "AIF_CACHE": os.path.dirname(self.times)})
        return done.returncode, done.stdout.splitlines()


# Programs, how a run of each ends, its last line, and a line that it must print.
ENDINGS = {
    "good": ("echo 1..2; echo ok 1 - a; echo ok 2 - b", 0, "2 passed, 0 failed, 0 skipped", ""),
    "bad": ("echo ok 1 - a; echo not ok 2 - b; exit 1", 1, "1 passed, 1 failed, 0 skipped",
            "    not ok 2 - b"),
    "bad_and_well": ("echo 1..1; echo not ok 1 - a", 1, "0 passed, 1 failed, 0 skipped",
                     "    not ok 1 - a"),
    "exits": ("echo 1..1; echo ok 1 - a; exit 3", 1, "1 passed, 1 failed, 0 skipped",
              "    exits: ended with 3"),
    "killed": ("echo ok 1 - a; kill -9 $$", 1, "1 passed, 1 failed, 0 skipped",
               "    killed: ended with -9"),
    "short": ("echo 1..3; echo ok 1 - a; echo ok 2 - b", 1, "2 passed, 1 failed, 0 skipped",
              "    short: planned 3, printed 2"),
    "short_of_two": ("echo 1..1; echo ok 1 - a; echo 1..2; echo ok 1 - b", 1,
                     "2 passed, 1 failed, 0 skipped", "    short_of_two: planned 3, printed 2"),
    "silent": ("echo hello", 1, "0 passed, 1 failed, 0 skipped",
               "    silent: printed no result"),
    "only_a_plan": ("echo 1..0", 1, "0 passed, 1 failed, 0 skipped",
                    "    only_a_plan: printed no result"),
    "skips": ("for n in 1 2; do echo ok $n - a '# SKIP no GPU'; done; echo 'ok 3 # skip no time'",
              0, "0 passed, 0 failed, 3 skipped", "    2 skipped: no GPU"),
    "skips_without": ("echo 'ok 1 - a # SKIP'", 0, "0 passed, 0 failed, 1 skipped",
                      "    1 skipped: no reason given"),
    # cmocka's way: not ok, and the reason is the comment before.
    "skips_as_cmocka": ("echo '# no huge pages'; echo 'not ok 1 - a # SKIP a'", 0,
                        "0 passed, 0 failed, 1 skipped", "    1 skipped: no huge pages"),
    "nearly": ("echo okay; echo not okay; echo ok 1 - a", 0, "1 passed, 0 failed, 0 skipped", ""),
}


def endings(place):
    for name, (body, status, last, wanted) in ENDINGS.items():
        place.program(name, body)
        ended, lines = place.run(f"unit:{name}")
        yield f"{name}: {last}", ended == status and lines[-1] == last
        if wanted:
            yield f"{name}: says{wanted.rstrip()[3:]}", wanted in lines


def failures(place):
    ended, lines = place.run("unit:nonesuch")
    yield "a program that is not there", ended == 1 and any("No such file" in x for x in lines)
    place.program("long", "seq 100; echo not ok 1 - a")
    _, lines = place.run("unit:long")
    yield "the end of a failure's output is shown", "    | 100" in lines and "    | 50" not in lines
    with open(os.path.join(place.folder, "build/tests/log/long.log"), encoding="utf-8") as log:
        yield "all of it is kept", log.read().split()[0] == "1"
    ended, lines = place.run("one:good", "two:bad", "one:good_too", "two:silent")
    yield "stages in order", [x for x in lines if x in ("one:", "two:")] == ["one:", "two:"]
    yield "all add up", ended == 1 and lines[-1] == "5 passed, 2 failed, 0 skipped"
    yield "nothing to run", place.run()[0] == 2


def times(place):
    place.record({"good": 7, "other": 5})
    place.run("unit:good")
    seconds = place.recorded()
    yield "times are recorded, beside the others'", seconds["good"] < 7 and seconds.get("other") == 5
    place.run("unit:good", "unit:bad")
    yield "not those of a run that failed", "bad" not in place.recorded()
    place.record({"good": 1, "good_too": 2})
    _, lines = place.run("-j", "1", "unit:good", "unit:good_too")
    order = [line.split(":")[0].strip() for line in lines if line.startswith("  good")]
    yield "what took longest goes first", order == ["good_too", "good"]


def growth(place):
    place.program("slow", "sleep 5.3; echo ok 1 - a")
    place.record({"slow": 0.2, "good": 0})
    ended, lines = place.run("unit:slow", "unit:good", "unit:good_too")
    grew = [line for line in lines if line.startswith("  grew: ")]
    yield "a stage that grew by half is named, and the worst of it", (
        len(grew) == 1 and grew[0].startswith("  grew: unit took ") and "of it slow: " in grew[0])
    yield "and is no failure", ended == 0
    yield "the time is now what it is", place.recorded()["slow"] > 5
    place.program("quick", "sleep 1; echo ok 1 - a")
    place.record({"quick": 0.1})
    _, lines = place.run("unit:quick")
    yield "a second more is none", not any("grew" in line for line in lines)


def cases():
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        place.program("good_too", "echo ok 1 - a; echo ok 2 - b")
        for part in (endings, failures, times, growth):
            yield from part(place)


def main():
    failed = number = 0
    for number, (name, passed) in enumerate(cases(), 1):
        print(f"{'ok' if passed else 'not ok'} {number} - {name}", flush=True)
        failed += not passed
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
