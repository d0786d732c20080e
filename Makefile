# make lab       a virtual rack boots diskless on this machine     make lab-down   removes it without a trace
# make status    the boot timeline of the rack                     make test       everything, the rack included
# make check     the fast subset of the tests (minutes)            make docs       writes the reference pages
# make lab-xen   a Xen dom0 beside the rack, or alone
# make bench     figures against peers                             make build      the collection's tarball
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
LAB_PACKAGES := python3-venv qemu-system-x86 seabios ipxe-qemu mmdebstrap uidmap e2fsprogs squashfs-tools \
  squashfs-tools-ng busybox-static kmod zstd openssh-client iproute2
XEN_PACKAGES := grub-common grub-pc-bin xorriso
TEST_PACKAGES := isc-dhcp-server kea-dhcp4-server dnsmasq-base tftpd-hpa tftp-hpa nginx-light pxelinux syslinux-common \
  openssh-server shellcheck git \
  build-essential cpio createrepo-c python3-rpm python3-solv rpm dnf gnupg curl rsync gpgv python3-gnupg \
  isolinux grub-efi-amd64-bin mtools ovmf ipxe busybox-static chromium subversion
# For tests/run console, on request: windows on a screen that nobody sees.
CONSOLE_PACKAGES := xvfb xterm xdotool tigervnc-viewer tigervnc-standalone-server imagemagick openssh-server

.PHONY: help venv venv-dev packages packages-xen packages-test packages-console lab lab-xen lab-down status check test units sanity lint molecule docs bench build e2e clean

help:
	@sed -n '1,5s/^# //p' Makefile

# Installed as root (or through passwordless sudo); otherwise the command to type is printed.
define need_packages
@missing=$$(for p in $(1); do dpkg-query -Wf '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
if [ -n "$$missing" ]; then \
  if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as=sudo; \
  else echo "Missing packages. As root, run:  apt-get install" $$missing; exit 1; fi; \
  $$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 SYSTEMD_OFFLINE=1 \
    apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
fi
endef

packages:
	$(call need_packages,$(LAB_PACKAGES))

packages-xen: packages
	$(call need_packages,$(XEN_PACKAGES))

packages-test: packages packages-xen
	$(call need_packages,$(TEST_PACKAGES))

packages-console: packages
	$(call need_packages,$(CONSOLE_PACKAGES))

venv: packages $(VENV)/.run
venv-dev: packages-test $(VENV)/.dev

# The collection is importable from the venv by a link, so every tool finds it at any checkout path.
$(VENV)/.run: requirements.txt constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt -c constraints.txt
	@site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	  for top in $$site $(VENV)/collections; do mkdir -p $$top/ansible_collections/xtreemos && \
	  ln -sfn "$(CURDIR)" $$top/ansible_collections/xtreemos/cluster; done
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@

lab: venv
	@$(BIN)/ansible-playbook playbooks/lab_up.yml $(ARGS)

lab-xen: packages-xen venv
	@LAB_DOM0=true $(BIN)/ansible-playbook playbooks/lab_xen.yml $(ARGS)

lab-down: venv
	@LAB_DOM0=true $(BIN)/ansible-playbook playbooks/lab_down.yml $(ARGS)

status: venv
	@$(BIN)/ansible-playbook playbooks/status.yml $(ARGS)

units lint sanity check molecule e2e bench: venv-dev
	@tests/run $@ $(ARGS)

test: venv-dev
	@tests/run $(ARGS) all

docs: venv-dev
	@$(BIN)/python docs/generate.py

build: venv
	@$(BIN)/ansible-galaxy collection build --force

clean:
	@rm -rf $(VENV) .cache tests/output
