#!/bin/bash
# SPDX-License-Identifier: MIT
# aif key: keys, their file, a certificate that clients take.  Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
aif=$PWD/build/aif
cd "$tmp" || exit 1
umask 022
key() { "$aif" key "$@"; }
field() { # NAME: of the last one created, in JSON
	python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$1" <<<"$out"
}

# ---- create

try key create --file keys app
is "create: quietly in a pipe" "0 " "$status $err"
token=$(sed -n 's/^OPENAI_API_KEY=//p' <<<"$out")
is "create: a bearer key, by its clients' names" \
	"OPENAI_API_KEY=$token AWS_BEARER_TOKEN_BEDROCK=$token" "$(xargs <<<"$out")"
is "create: what it looks like" "1" "$(grep -cE '^aif-AIFK[A-Z2-7]{16}-[A-Za-z0-9_-]{43}$' <<<"$token")"
is "create: the file is the owner's alone" "600" "$(stat -c %a keys)"
is "create: the file does not have the secret" "0" "$(grep -c -- "${token:25}" keys)"
is "create: but its SHA-256" "1" \
	"$(grep -c "$(printf %s "${token:25}" | sha256sum | cut -d' ' -f1)" keys)"
try key create --file keys --type aws --uid 1001 --expires 12h --session --json signer
is "create: aws, with all of it" "0 aws uid:1001 True" "$status $(field type) $(field tenant) $(field session)"
is "create: its secret is in the file, its session token is not" "1 0" \
	"$(grep -c -- "$(field secret)" keys) $(grep -c -- "$(field session_token)" keys)"
signer=$(field id)
now=$(date +%s)
until=$(date -d "$(field expires)" +%s)
is "create: --expires counts from now" "1" "$((until - now > 43100 && until - now <= 43200))"
try key create --file keys --type aws plain
is "create: aws, as its clients read it" "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY" \
	"$(cut -d= -f1 <<<"$out" | xargs)"
try key create --file keys --type basic --cgroup /bank/scoring --expires 2099-01-31T12:00:00Z triton
is "create: basic" "AIF_USER AIF_PASSWORD" "$(cut -d= -f1 <<<"$out" | xargs)"

refused() { # MESSAGE ARGUMENT...
	local message=$1
	shift
	cp keys before
	try key create --file keys "$@"
	is "refused: $message" "2 aif key create: $message" "$status ${err%%$'\n'*}"
	is "and nothing changed: $*" "" "$(cmp keys before 2>&1)"
}

refused "what is the key's name?"
refused "what is the key's name?" two names
refused "'a b' is not a name: 1 to 63 of letters, digits, '.', '_', '-'" "a b"
refused "--type: 'x' is none of: bearer, basic, aws" -t x name
refused "--session goes with --type=aws and --expires" --session name
refused "--session goes with --type=aws and --expires" --session -t aws name
refused "--expires: '2000-01-01T00:00:00Z' is not in the future" -e 2000-01-01T00:00:00Z name
refused "--expires: '0d' is not in the future" -e 0d name
refused "--expires: '1y' is neither like 30d, 12h or 45m nor like 2027-01-31T12:00:00Z" -e 1y name
refused "--expires: '99999999999999999999d' is neither like 30d, 12h or 45m nor like 2027-01-31T12:00:00Z" \
	-e 99999999999999999999d name
refused "'uid:no-such-user' is not a tenant: uid:NUMBER, or cgroup:/PATH from cgroup v2's root" \
	--uid no-such-user name
refused "'cgroup:bank' is not a tenant: uid:NUMBER, or cgroup:/PATH from cgroup v2's root" \
	--cgroup bank name
refused "a key has one tenant: uid:1 is its already" --uid 1 --cgroup /a name

try key create --file none/keys name
is "no folder" "1 aif key create: none/keys.new: No such file or directory" "$status $err"
if [ -w /dev/full ]; then
	"$aif" key create --file keys name >/dev/full 2>err
	is "a secret that cannot be shown" "1 2" "$? $(grep -c 'standard output\|revoke it' err)"
fi

# ---- list, revoke

try key list --file keys
is "list: a line for each, and no secrets" "0 6 0" \
	"$status $(wc -l <<<"$out") $(grep -c -- "${token:25}" <<<"$out")"
has "list: who is charged" "cgroup:/bank/scoring" "$out"
try key revoke --file keys "${token:4:20}" AIFKNOSUCHKEYAAAAAAA
is "revoke: all or none" \
	"1 aif key revoke: keys: no key 'AIFKNOSUCHKEYAAAAAAA'; \`aif key list\` shows all; none was revoked" \
	"$status $err"
is "revoke: none was" "0" "$(grep -c revoked keys)"
try key revoke --file keys "${token:4:20}" "$signer"
is "revoke: two" "0 2" "$status $(grep -c revoked keys)"
is "revoke: their secrets are gone" "1 2" "$(grep -c '"secret"' keys) $(grep -c '"sha256"' keys)"
try key revoke --file keys "$signer"
is "revoke: once more is no error" "0 " "$status $out$err"
try key list --file keys --json
is "list: as JSON" "2" "$(grep -c '"revoked":"' <<<"$out")"
try key revoke --file keys
is "revoke: which?" "2" "$status"
try key list --file keys surplus
is "list: an argument too many" "2" "$status"

# ---- the file

chmod 644 keys
try key list --file keys
has "mode: who could read the secrets" "mode 0644: others could be its keys' owners; chmod" "$err"
is "mode: nothing is shown" "1 " "$status $out"
try key create --file keys name
is "mode: nothing is added either" "1" "$status"
chmod 600 keys
echo '{"version": 1, "keys": [{}]}' >wrong
chmod 600 wrong
try key list --file wrong
is "a wrong file" "1 aif key list: wrong: key 1: Object item not found: id" "$status $err"
try key list --file missing
is "no file" "1 aif key list: missing: No such file or directory" "$status $err"

for n in 1 2 3 4 5 6 7 8; do key create --file many "n$n" >/dev/null & done
wait
is "eight at once: none is lost" "8" "$(key list --file many --json | wc -l)"
is "nothing is left behind" "before err keys many out wrong" "$(echo *)"

# ---- tls

try key tls --folder tls
is "tls: the files" "0 tls/ca.pem tls/server.pem" "$status $(xargs <<<"$out")"
is "tls: their modes" "ca.key 600 ca.pem 644 server.pem 600" "$(cd tls && stat -c '%n %a' -- * | xargs)"
cp tls/ca.pem first
try key tls --folder tls --days 10 box.example '*.site.lan' 10.0.0.5 fd00::5
is "tls: again, with the same CA, quietly" "0 " "$status $err$(cmp tls/ca.pem first 2>&1)"
if command -v openssl >/dev/null; then
	names=$(openssl x509 -in tls/server.pem -noout -ext subjectAltName | tail -n 1 | xargs)
	is "tls: the names" "DNS:box.example, DNS:*.site.lan, IP Address:10.0.0.5, IP Address:FD00:0:0:0:0:0:0:5" "$names"
	is "tls: 10 days" "1 0" "$(openssl x509 -in tls/server.pem -noout -checkend $((11 * 86400)) >/dev/null
		echo $?) $(openssl x509 -in tls/server.pem -noout -checkend $((9 * 86400)) >/dev/null; echo $?)"
	is "tls: strictly verified, by name" "tls/server.pem: OK" \
		"$(openssl verify -x509_strict -purpose sslserver -verify_hostname a.site.lan -CAfile tls/ca.pem tls/server.pem 2>&1)"
else
	skip "tls: the certificate" "no openssl: apt-get install openssl"
fi
key tls --folder tls >/dev/null
cat >handshake.py <<'END'
import socket, ssl, sys, threading
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain("tls/server.pem")
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    connection, _ = listener.accept()
    try:
        server.wrap_socket(connection, server_side=True).sendall(b"hello")
    except (ssl.SSLError, OSError):
        pass
for name, ca in (("localhost", "tls/ca.pem"), ("127.0.0.1", "tls/ca.pem"),
                 ("other.example", "tls/ca.pem"), ("localhost", "other/ca.pem")):
    threading.Thread(target=serve, daemon=True).start()
    client = ssl.create_default_context(cafile=ca)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with socket.create_connection(listener.getsockname()) as raw:
            with client.wrap_socket(raw, server_hostname=name) as secure:
                print(name, secure.recv(5).decode())
    except ssl.SSLCertVerificationError as error:
        print(name, error.verify_message.split(",")[0].split(" for")[0])
END
key tls --folder other 2>/dev/null >/dev/null
is "tls: clients take it for its names, and trust no other CA" \
	"localhost hello|127.0.0.1 hello|other.example Hostname mismatch|localhost unable to get local issuer certificate" \
	"$(python3 handshake.py 2>&1 | paste -sd'|')"

tls_refused() { # MESSAGE ARGUMENT...
	local message=$1
	shift
	try key tls --folder tls "$@"
	is "tls, refused: $message" "aif key tls: $message" "${err%%$'\n'*}"
}
cp tls/server.pem first
tls_refused "'a,DNS:b' is neither a DNS name nor an IP address" "a,DNS:b"
tls_refused "'' is neither a DNS name nor an IP address" ""
tls_refused "'*.' is neither a DNS name nor an IP address" "*."
tls_refused "--days: '826' is not a number from 1 to 825" --days 826
chmod 640 tls/ca.key
tls_refused "tls/ca.key: owner $(id -u), mode 0640: others could issue certificates"
chmod 600 tls/ca.key
cp tls/ca.pem own
cp other/ca.pem tls/ca.pem
tls_refused "tls/ca.pem: not the certificate of tls/ca.key"
echo junk >tls/ca.pem
tls_refused "tls/ca.pem: not a certificate in PEM"
rm tls/ca.pem
tls_refused "tls/ca.pem: No such file or directory"
cp own tls/ca.pem
is "tls: what was there is there still" "" "$(cmp tls/server.pem first 2>&1)"
mv tls/ca.key away
mkdir tls/ca.pem.new
tls_refused "tls/ca.pem.new: Is a directory"

finish
