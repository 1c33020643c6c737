#!/bin/bash
# SPDX-License-Identifier: MIT
# What aif-gateway does not start with: files of secrets that others can read, and those
# that are none.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
bin=$PWD/build
cd "$tmp" || exit 1

"$bin/aif" key create --file keys name >/dev/null
"$bin/aif" key tls --folder tls localhost >/dev/null 2>&1
cp tls/server.pem key
mode=$([ "$(id -u)" = 0 ] && echo 0640 || echo 0600)

refused() { # NAME MESSAGE
	try "$bin/aif-gateway" --listen-tls 127.0.0.1:0 --tls-cert tls/server.pem --tls-key key \
		--keys keys --device local --model nowhere
	is "$1" "1 $2" "$status ${err#*error: }"
}

for other in 0644 0604 0666 0700 4600; do
	chmod $other key
	refused "a private key with mode $other" \
		"key: mode $other: others could pass for this machine; chmod $mode key"
done
chmod 600 key
mkfifo fifo
mv key good
mv fifo key
refused "one that is no file" "key: not a regular file"
rm key
refused "one that is not there" "key: No such file or directory"
echo junk >key
chmod 600 key
refused "one that is no key" "key: not a private key in PEM without a password"
openssl pkey -in good -aes256 -passout pass:secret -out key 2>/dev/null
chmod 600 key
refused "one with a password" "key: not a private key in PEM without a password"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key 2>/dev/null
chmod 600 key
refused "one of another kind than the certificate's" "key: not the key of tls/server.pem"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key 2>/dev/null
chmod 600 key
refused "one of another certificate" "key: not the key of tls/server.pem"
mv good key
if [ "$(id -u)" = 0 ]; then
	chown 60123 key
	refused "one of another user" "key: owned by uid 60123: it must be root's, or uid 0's"
	chown 0 key
else
	skip "one of another user" "needs root"
fi
chmod 644 keys
refused "a key file that others can read" \
	"keys: mode 0644: others could be its keys' owners; chmod $mode keys"
chmod 600 keys
try "$bin/aif-gateway" --listen-tls 127.0.0.1:0 --tls-cert tls/server.pem --tls-key key --keys keys \
	--device local --model nowhere
has "with both for their owner alone it goes on, to the model" "model 'nowhere' is not in" "$err"
finish
