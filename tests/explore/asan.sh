#!/bin/sh
# SPDX-License-Identifier: MIT
# The small scopes under ASan and UBSan.
exec "$0.bin" --small
