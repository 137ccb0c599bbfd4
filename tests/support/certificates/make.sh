#!/bin/sh
# Makes the certificates of this folder: an authority, a server on loopback, a client, and an authority nobody signed by.
set -eu
cd "$(dirname "$0")"

key() { openssl ecparam -name prime256v1 -genkey -noout; }

authority() { # NAME FILE
  key > "$2.key"
  openssl req -x509 -new -key "$2.key" -days 36500 -subj "/CN=$1" -out "$2.pem" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
}

signed() { # NAME FILE EXTENSIONS
  key > "$2.key"
  openssl req -new -key "$2.key" -subj "/CN=$1" -out "$2.csr"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n%s\n' "$3" > "$2.ext"
  openssl x509 -req -in "$2.csr" -CA authority.pem -CAkey authority.key -CAcreateserial -days 36500 -extfile "$2.ext" -out "$2.crt"
  cat "$2.crt" "$2.key" > "$2.pem"
}

authority "buildlock tests" authority
signed "127.0.0.1" server "subjectAltName=IP:127.0.0.1
extendedKeyUsage=serverAuth"
signed "client" client "extendedKeyUsage=clientAuth"
authority "another" another
rm -f ./*.key ./*.csr ./*.ext ./*.crt ./*.srl
