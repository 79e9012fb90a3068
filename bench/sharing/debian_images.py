#!/usr/bin/env python3
"""How much is saved by sharing, on real images: 26 images on 3 bases, built of Debian packages.

Each layer is a list of packages, fetched by apt, unpacked by dpkg-deb, and packed again in one order with one time, so that the same
packages make the same bytes. The images are pushed by `wharf push` into a new registry, whose `wharf du` says what they take.

    bench/sharing/debian_images.py [--wharf target/release/wharf] [--folder target/sharing]
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import socket
import subprocess
import tarfile
import tempfile
import time

# Layers, each by its packages. Those of a base are shared by all images on it, those of RUNTIMES by the images that name them.
BASES = {
    "static": [["base-files", "busybox-static"]],
    "glibc": [["base-files", "libc6", "libgcc-s1"], ["dash", "coreutils", "libselinux1", "libpcre2-8-0"]],
    "python": [
        ["base-files", "libc6", "libgcc-s1"],
        ["libpython3.11-minimal", "python3.11-minimal", "zlib1g", "libexpat1"],
    ],
}
RUNTIMES = {
    "tls": ["openssl", "libssl3", "ca-certificates"],
    "ncurses": ["libtinfo6", "libncursesw6", "ncurses-base"],
}
# Each image: its base, its runtimes, its own packages.
IMAGES = {
    "static-certificates": ("static", [], ["ca-certificates"]),
    "static-zones": ("static", [], ["tzdata"]),
    "static-mime": ("static", [], ["media-types"]),
    "static-network": ("static", [], ["netbase"]),
    "jq": ("glibc", [], ["jq", "libjq1", "libonig5"]),
    "sqlite": ("glibc", ["ncurses"], ["sqlite3", "libsqlite3-0"]),
    "less": ("glibc", ["ncurses"], ["less"]),
    "nano": ("glibc", ["ncurses"], ["nano"]),
    "procps": ("glibc", ["ncurses"], ["procps", "libproc2-0"]),
    "tree": ("glibc", [], ["tree"]),
    "bc": ("glibc", ["ncurses"], ["bc"]),
    "dc": ("glibc", [], ["dc"]),
    "file": ("glibc", [], ["file", "libmagic1", "libmagic-mgc"]),
    "socat": ("glibc", ["tls"], ["socat"]),
    "wget": ("glibc", ["tls"], ["wget", "libpsl5", "libidn2-0"]),
    "rsync": ("glibc", ["tls"], ["rsync", "libpopt0", "libxxhash0"]),
    "redis-tools": ("glibc", ["tls"], ["redis-tools", "libatomic1"]),
    "stunnel": ("glibc", ["tls"], ["stunnel4"]),
    "xz": ("glibc", [], ["xz-utils", "liblzma5"]),
    "zstd": ("glibc", [], ["zstd", "libzstd1"]),
    "python-yaml": ("python", [], ["python3-yaml", "libyaml-0-2"]),
    "python-requests": ("python", ["tls"], ["python3-requests", "python3-urllib3", "python3-idna", "python3-certifi"]),
    "python-jinja": ("python", [], ["python3-jinja2", "python3-markupsafe"]),
    "python-click": ("python", [], ["python3-click"]),
    "python-docutils": ("python", [], ["python3-docutils"]),
    "python-flask": ("python", ["tls"], ["python3-flask", "python3-werkzeug", "python3-itsdangerous"]),
}
PASSWORD = "a long enough secret of a benchmark"
GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def packed(folder):
    """A folder as a tar, in one order, of one owner, of one time."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            member = archive.gettarinfo(path, arcname=str(path.relative_to(folder)))
            member.uid = member.gid = member.mtime = 0
            member.uname = member.gname = "root"
            if member.isreg():
                with open(path, "rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)
    return data.getvalue()


class Builder:
    """Makes layers of packages, each once."""

    def __init__(self, folder):
        self.packages = folder / "packages"
        self.packages.mkdir(parents=True, exist_ok=True)
        self.layers = {}

    def fetch(self, packages):
        """Downloads those that are not there."""
        missing = sorted({package for package in packages if not self.found(package)})
        if missing:
            ran = subprocess.run(["apt-get", "download", *missing], cwd=self.packages, capture_output=True, text=True)
            if ran.returncode != 0:
                raise SystemExit(f"apt-get download: {ran.stderr}")

    def found(self, package):
        return sorted(self.packages.glob(f"{package}_*.deb"))

    def layer(self, packages):
        """The compressed layer, and the digest of its tar."""
        key = tuple(packages)
        if key not in self.layers:
            with tempfile.TemporaryDirectory() as root:
                for package in packages:
                    subprocess.run(["dpkg-deb", "-x", self.found(package)[-1], root], check=True)
                tar = packed(root)
            self.layers[key] = (gzip.compress(tar, 6, mtime=0), digest(tar))
        return self.layers[key]

    def image(self, folder, base, runtimes, own):
        """Writes an image as an OCI layout."""
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)

        def put(data, media_type):
            (blobs / digest(data).split(":")[1]).write_bytes(data)
            return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

        layers = [self.layer(packages) for packages in BASES[base] + [RUNTIMES[name] for name in runtimes] + [own]]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
            "layers": [put(data, GZIP_LAYER) for data, _ in layers],
        }
        described = put(json.dumps(manifest).encode(), manifest["mediaType"])
        described["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


class Registry:
    """A registry of its own, with an organization and somebody who is logged in."""

    def __init__(self, wharf, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        self.wharf, self.data = wharf, folder / "data"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("WHARF_")}
        self.environment |= {"DOCKER_CONFIG": str(folder), "WHARF_ACCESS_CONTROL": "true", "WHARF_LOG_ACCESS": "off"}
        self.run("admin", "--data", str(self.data), "create", "root", "--password-stdin", input=PASSWORD + "\n")
        command = [wharf, "serve", "--listen", self.host, "--data", self.data]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(tuple([self.host.split(":")[0], int(self.host.split(":")[1])])) == 0:
                    break
            time.sleep(0.1)
        self.run("login", self.host, "-u", "root", "--password-stdin", input=PASSWORD)
        self.run("org", "create", "debian")

    def run(self, *words, **more):
        ran = subprocess.run([self.wharf, *words], env=self.environment, capture_output=True, text=True, **more)
        if ran.returncode != 0:
            raise SystemExit(f"wharf {' '.join(words)}: {ran.stderr}")
        return ran.stdout

    def usage(self):
        """What all takes, once it was counted."""
        self.run("jobs", "run", "usage.count", "--data", str(self.data))
        for _ in range(600):
            usage = json.loads(self.run("du", "--json"))
            if usage.get("stored_bytes", 0) > 0 and usage["manifests"] == len(IMAGES):
                return usage
            time.sleep(0.1)
        raise SystemExit("the usage was not counted within a minute")


def row(name, images, referenced, once):
    saved = referenced - once
    return f"| {name} | {images} | {referenced / 1e6:.1f} MB | {once / 1e6:.1f} MB | {saved / 1e6:.1f} MB | {100 * saved / referenced:.0f} % |"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--wharf", default="target/release/wharf")
    arguments.add_argument("--folder", default="target/sharing", type=pathlib.Path)
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    builder = Builder(options.folder)
    own = [own for _, _, own in IMAGES.values()]
    layers = [layer for base in BASES.values() for layer in base] + list(RUNTIMES.values()) + own
    builder.fetch(package for layer in layers for package in layer)
    with tempfile.TemporaryDirectory(prefix="wharf-sharing-") as made:
        registry = Registry(os.path.abspath(options.wharf), pathlib.Path(made))
        try:
            for name, (base, runtimes, own) in IMAGES.items():
                layout = pathlib.Path(made) / "images" / name
                builder.image(layout, base, runtimes, own)
                registry.run("push", str(layout), f"{registry.host}/debian/{base}-base/{name}:latest")
            usage = registry.usage()
            # The images of each base, by themselves: what a registry would hold that had no others.
            each = json.loads(registry.run("du", "--org", "debian", "--each", "--json"))
            print("| images on | images | named by manifests | each blob once | saved | |")
            print("| --- | --- | --- | --- | --- | --- |")
            for base in BASES:
                mine = {name: image for name, image in IMAGES.items() if image[0] == base}
                of_base = [one for one in each if one["name"].startswith(f"debian/{base}-base/")]
                referenced = sum(one["referenced_bytes"] for one in of_base)
                layers = {
                    tuple(packages)
                    for _, runtimes, own in mine.values()
                    for packages in BASES[base] + [RUNTIMES[name] for name in runtimes] + [own]
                }
                shared = sum(len(builder.layer(packages)[0]) for packages in layers)
                alone = referenced - sum(
                    len(builder.layer(packages)[0])
                    for _, runtimes, own in mine.values()
                    for packages in BASES[base] + [RUNTIMES[name] for name in runtimes] + [own]
                )
                print(row(base, len(mine), referenced, shared + alone))
            print(row("all three", len(IMAGES), usage["referenced_bytes"], usage["stored_bytes"]))
            print(f"\n{usage['blobs']} blobs are stored, and the manifests, for {usage['manifests']} images.")
        finally:
            registry.process.terminate()
            registry.process.wait()


if __name__ == "__main__":
    main()
