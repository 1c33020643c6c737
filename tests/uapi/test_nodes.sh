#!/bin/sh
# SPDX-License-Identifier: MIT
# The nodes as they are when nobody says who may serve.
set -eu
# shellcheck source=tests/uapi/boot.sh
. "$(dirname "$0")/boot.sh"
boot "" test_nodes
