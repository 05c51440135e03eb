"""Installing and uninstalling on a machine with systemd, as root."""

from tests.deploy.machine import Machine

UNITS = "/usr/local/lib/systemd/system"


def test_configuration_belongs_to_root_and_the_group_of_the_service(machine: Machine) -> None:
    found = machine.run("stat", "-c", "%U:%G %a", "/etc/s3proxy/s3proxy.toml").stdout.strip()
    assert found == "root:s3proxy-config 640"


def test_installing_starts_nothing(machine: Machine) -> None:
    assert machine.show("s3proxy.service", "ActiveState") == "inactive"


def test_tmpfs_is_resized_without_losing_what_is_in_it(machine: Machine) -> None:
    mount = "var-cache-private-s3proxy-memory.mount"
    machine.run("systemctl", "start", mount)
    machine.write("var/cache/private/s3proxy/memory/block", "kept")
    options = "Options=mode=0700,nosuid,nodev,noexec,huge=within_size,size=16M"
    machine.write(f"etc/systemd/system/{mount}.d/size.conf", f"[Mount]\n{options}\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "reload", mount)
    size = machine.run("findmnt", "--noheadings", "--output=SIZE", "/var/cache/private/s3proxy/memory").stdout
    assert size.strip() == "16M"
    assert (machine.root / "var/cache/private/s3proxy/memory/block").read_text() == "kept"


def test_uninstalling_stops_the_service_and_leaves_the_configuration(machine: Machine) -> None:
    machine.run("systemctl", "enable", "--now", "s3proxy.socket")
    machine.run("/srv/tree/deploy/install.sh", "--uninstall")
    assert machine.run("find", UNITS, "-name", "*s3proxy*").stdout == ""
    assert machine.run("findmnt", "/var/cache/private/s3proxy/memory", is_checked=False).returncode == 1
    assert machine.run("systemctl", "is-active", "s3proxy.socket", is_checked=False).stdout.strip() == "inactive"
    assert machine.run("stat", "-c", "%n", "/etc/s3proxy/s3proxy.toml").returncode == 0
