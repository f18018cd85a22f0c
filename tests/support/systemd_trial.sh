#!/bin/sh
# Starts the units of fleet/systemd by a real systemd, in a container over this machine's own files, which stay as they are:
#
#     sh tests/support/systemd_trial.sh PYTHON      # as root, on a machine whose files have a systemd; prints what came of it
#
# PYTHON has kdiag's libraries (.venv/bin/python). Required: systemd-nspawn(1) (Debian: systemd-container), overlayfs.
set -eu
python=${1:?which Python has the libraries of kdiag?}
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
root=$work/root
trap 'umount "$root" "$work" 2>/dev/null; rmdir "$work" 2>/dev/null' EXIT
mount -t tmpfs -o size=1g tmpfs "$work"
mkdir "$root" "$work/upper" "$work/own"
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/own" overlay "$root"

make -s -C "$here/fleet/systemd" install DESTDIR="$root"
mkdir -p "$root/opt/kdiag" "$root/trial" "$root/var/lib/prometheus/node-exporter"
# Copies, since the unit does not see /home, /root and /tmp.
cp -r "$here/kdiag" "$root/opt/kdiag/kdiag"
cp -r "$here/checks" "$root/opt/kdiag/kdiag_checks"
libraries=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
for name in typer click tabulate elftools zstandard shellingham rich markdown_it mdurl pygments jinja2 markupsafe annotated_doc typing_extensions kdiag-*.dist-info; do
    for path in "$libraries"/$name "$libraries/$name.py"; do
        [ ! -e "$path" ] || cp -r "$path" "$root/opt/kdiag/"
    done
done
printf '#!/bin/sh\nexport PYTHONPATH=/opt/kdiag\nexec /usr/bin/python3 -m kdiag "$@"\n' >"$root/usr/bin/kdiag"
chmod 0755 "$root/usr/bin/kdiag"
cd "$root/etc/systemd/system"
for unit in kdiag-check.service kdiag-kernel.service; do
    mkdir "$unit.d"
    printf '[Unit]\nConditionVirtualization=\n[Service]\nNice=0\n' >"$unit.d/trial.conf"
done
mkdir kdiag-check.timer.d
printf '[Timer]\nOnBootSec=\nOnBootSec=1s\nRandomizedDelaySec=0\nAccuracySec=1s\n' >kdiag-check.timer.d/trial.conf
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=trial.service kdiag-check.timer kdiag-kernel.path\n' >trial.target
printf '[Service]\nType=oneshot\nExecStart=/bin/sh /trial/run\nStandardOutput=append:/trial/out\nStandardError=append:/trial/out\n' >trial.service
cat >"$root/trial/run" <<'EOF'
wait_for() { # until a unit that was started has ended
    until systemctl show -p ExecMainExitTimestamp --value "$1" | grep -q .; do sleep 1; done
    while [ "$(systemctl show -p ActiveState --value "$1")" = activating ]; do sleep 1; done
    systemctl show -p Id,Result,ExecMainStatus,TriggeredBy,ActiveState "$1"
}
wait_for kdiag-check.service
ls -l /var/lib/kdiag/latest.json /var/lib/prometheus/node-exporter/kdiag.prom
mkdir -p /usr/lib/modules/9.9.9-trial
wait_for kdiag-kernel.service
journalctl --no-pager -b -u kdiag-check.service -u kdiag-kernel.service
systemctl poweroff --force --force
EOF
cd /
timeout 900 systemd-nspawn -D "$root" --register=no --keep-unit --boot --console=pipe systemd.unit=trial.target \
    </dev/null >"$work/boot.log" 2>&1 || tail -5 "$work/boot.log" >&2
cat "$root/trial/out"
[ "$(grep -c "^Result=success" "$root/trial/out")" = 2 ]
