#!/bin/sh
# Makes keys and certificates for a trial: a CA, the server's TLS key and
# certificate, and an authentication key for each client.
#
#   tools/make_trial_keys.sh FOLDER HOST CLIENT...
#
# HOST is the name or IP address by which the clients reach the server. Needs
# openssl and ssh-keygen. What is there already is left as it is, so that a
# later call adds clients.
set -eu

if [ $# -lt 3 ]; then
    echo "usage: $0 FOLDER HOST CLIENT..." >&2
    exit 2
fi
folder=$1
host=$2
shift 2
umask 077  # private keys are for their owner alone
mkdir -p "$folder"
cd "$folder"
: >openssl.log
trap 'rc=$?; [ $rc -eq 0 ] || cat openssl.log >&2; rm -f openssl.log; exit $rc' EXIT

case $host in
    *[!0-9.]*) name="DNS:$host" ;;
    *) name="IP:$host" ;;
esac
curve='-newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes'

if [ ! -f ca.key ]; then
    openssl req -x509 $curve -days 365 -keyout ca.key -out ca.crt \
        -subj '/CN=mmpose_raf trial CA' \
        -addext 'basicConstraints=critical,CA:TRUE' \
        -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>>openssl.log
fi
if [ ! -f server.key ]; then
    openssl req $curve -keyout server.key -out server.csr \
        -subj '/CN=superlink' 2>>openssl.log
    printf 'subjectAltName=%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' \
        "$name" >server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key \
        -CAcreateserial -days 365 -extfile server.ext -out server.crt \
        2>>openssl.log
    rm server.csr server.ext
fi
for client in "$@"; do
    [ -f "client_$client" ] || ssh-keygen -q -t ecdsa -b 384 -N '' \
        -C "$client" -f "client_$client"
done
echo "Keys and certificates for $host are in $folder, valid for a year"
