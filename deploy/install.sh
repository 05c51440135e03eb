#!/bin/sh
# Installs s3proxy on a machine with systemd, or upgrades it, or removes it again. As root:
#
#   deploy/install.sh [PACKAGE]       PACKAGE: a wheel, a source directory or what else pip takes; default: this tree
#   deploy/install.sh --uninstall     leaves the configuration, the data and the cached blocks
#
# Every run makes a release of its own beside the one that runs and then points /opt/s3proxy/current to it, in one step:
# nothing is ever half replaced, and the release before is kept. Files in /etc/s3proxy are never overwritten. Nothing is
# started, stopped (but by --uninstall) or reloaded: see README.md.
#
# DESTDIR  install below this directory instead, for packages and tests: nothing of the machine itself is touched
# PYTHON   the interpreter, at least 3.11; default: python3
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
home=$root/opt/s3proxy
units=$root/usr/local/lib/systemd/system
sysusers=$root/usr/local/lib/sysusers.d/s3proxy.conf
documents=$root/usr/local/share/doc/s3proxy
command=$root/usr/local/bin/s3proxy
configuration=$root/etc/s3proxy
mount=var-cache-private-s3proxy-memory.mount
group=s3proxy-config

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

has_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

make_release() {
    release=$home/releases/$(date -u +%Y%m%dT%H%M%S)-$$
    trap 'rm -rf "$release"' EXIT
    "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or later is needed"
    mkdir -p "$home/releases"
    "${PYTHON:-python3}" -m venv "$release" || fail "no virtual environment; on Debian: apt install python3-venv"
    "$release/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check --prefer-binary "$1"
    "$release/bin/python" -P -m s3proxy --version
    previous=$(readlink "$home/current" || true)
    ln -s "releases/$(basename "$release")" "$home/current.$$"
    mv -T "$home/current.$$" "$home/current"
    trap - EXIT
    for each in "$home"/releases/*; do
        case $each in
        "$release" | "$home/$previous") ;;
        *) rm -rf "$each" ;;
        esac
    done
}

install_files() {
    install -d "$units" "$(dirname "$sysusers")" "$documents" "$(dirname "$command")"
    install -m 0644 "$here"/systemd/*.service "$here"/systemd/*.socket "$here"/systemd/*.mount "$units"
    install -m 0644 "$here"/systemd/s3proxy.sysusers.conf "$sysusers"
    for each in README.md s3proxy.toml node.toml haproxy.cfg nginx.conf prometheus.yml alerts.yml grafana-dashboard.json; do
        install -m 0644 "$here/$each" "$documents"
    done
    printf '#!/bin/sh\nexec /opt/s3proxy/current/bin/python -P -m s3proxy "$@"\n' >"$command.$$"
    chmod 0755 "$command.$$"
    mv "$command.$$" "$command"
}

install_configuration() {
    install -d -m 0755 "$configuration"
    if [ -z "$root" ]; then
        getent group "$group" >/dev/null || systemd-sysusers "$sysusers" || groupadd --system "$group"
    fi
    if [ ! -e "$configuration/s3proxy.toml" ]; then
        install -m 0640 "$here/s3proxy.toml" "$configuration/s3proxy.toml"
        [ -n "$root" ] || chgrp "$group" "$configuration/s3proxy.toml"
    fi
}

uninstall() {
    if has_systemd; then
        systemctl disable --quiet --now s3proxy.service s3proxy.socket "$mount" || true
    fi
    rm -rf "$home" "$documents"
    rm -f "$command" "$sysusers" "$units/s3proxy.service" "$units/s3proxy.socket" "$units/$mount"
    if has_systemd; then
        systemctl daemon-reload
    fi
    echo "Left where they are: /etc/s3proxy, /var/lib/private/s3proxy, /var/log/private/s3proxy, /var/cache/private/s3proxy"
}

case ${1:-} in
--uninstall)
    uninstall
    ;;
-*)
    fail "unknown option $1; see the head of this file"
    ;;
*)
    [ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "must be run as root, or with DESTDIR"
    make_release "${1:-$here/..}"
    install_files
    install_configuration
    if has_systemd; then
        systemctl daemon-reload
    fi
    echo "Installed. First time: edit /etc/s3proxy/s3proxy.toml, then systemctl enable --now s3proxy"
    echo "Upgrade without a failed request: s3proxy reload; see $documents/README.md"
    ;;
esac
