#!/bin/sh
# As root, in this directory, with all certificates and keys in it. The programs are in /usr/bin by then.
set -eu
cd "$(dirname "$0")"
for file in probe.pem probe.key ca.pem; do
    [ -f "$file" ] || { echo "error: $file is not here; hint: docs/front.md, step 3" >&2; exit 1; }
done
install -D -m 644 health-proxy.sysusers /usr/lib/sysusers.d/health-proxy.conf
systemd-sysusers
install -D -m 644 health-proxy.tmpfiles /usr/lib/tmpfiles.d/health-proxy.conf
systemd-tmpfiles --create /usr/lib/tmpfiles.d/health-proxy.conf
install -d -m 750 -o root -g health-proxy /etc/health-proxy
install -m 640 -o root -g health-proxy front.toml probe.pem probe.key ca.pem /etc/health-proxy/
health-proxy --config /etc/health-proxy/front.toml --check-config
install -m 644 health-proxy.service /etc/systemd/system/
install -D -m 644 keepalived-health-proxy.conf /etc/systemd/system/keepalived.service.d/health-proxy.conf
install -D -m 644 keepalived.conf /etc/keepalived/keepalived.conf
systemctl daemon-reload
systemctl enable health-proxy keepalived
systemctl restart health-proxy keepalived
