"""A docker-registry on this machine that has each input as an image of one layer, byte for byte."""
import hashlib
import json
import os
import shutil
import subprocess

from inputs import Input, run, say
from place import free_port, wait_for_port

LAYER = "application/vnd.oci.image.layer.v1.tar+"
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {0}}}}}
http: {{addr: "127.0.0.1:{1}"}}
"""


class Registry:
    def __init__(self, folder):
        self.folder, self.port, self.images = folder, free_port(), {}
        os.makedirs(folder, exist_ok=True)
        config = folder + "/config.yml"
        with open(config, "w", encoding="ascii") as f:
            f.write(CONFIG.format(folder, self.port))
        self.process = subprocess.Popen(["docker-registry", "serve", config],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)

    def image(self, item):
        """Its name there; it is pushed where that is still to be done."""
        if item.name not in self.images:
            self.images[item.name] = self.push(item)
        return self.images[item.name]

    def push(self, item):
        name = f"127.0.0.1:{self.port}/{item.kind}:{item.format}"
        layout = f"{self.folder}/{item.name}"
        say(f"pushing {item.name} to the registry")
        shutil.rmtree(layout, ignore_errors=True)
        write_layout(layout, item)
        run("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false",
            f"oci:{layout}:latest", "docker://" + name, stdout=subprocess.DEVNULL)
        shutil.rmtree(layout)
        return name


def write_layout(folder, item):
    """An OCI image layout: see the specification's image-layout.md."""
    blobs = folder + "/blobs/sha256"
    os.makedirs(blobs)

    def blob(kind, value):
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{blobs}/{digest}", "wb") as f:
            f.write(data)
        return {"mediaType": kind, "digest": "sha256:" + digest, "size": len(data)}

    plain = Input(os.path.dirname(item.path), item.kind + ".tar").load()
    os.symlink(item.path, f"{blobs}/{item.sha256}")
    config = blob("application/vnd.oci.image.config.v1+json", {
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + plain.sha256]}})
    layer = {"mediaType": LAYER + item.format, "digest": "sha256:" + item.sha256,
             "size": item.facts["size"]}
    manifest = blob("application/vnd.oci.image.manifest.v1+json", {
        "schemaVersion": 2, "config": config, "layers": [layer]})
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}),
                        ("index.json", {"schemaVersion": 2, "manifests": [manifest]})):
        with open(f"{folder}/{name}", "w", encoding="ascii") as f:
            json.dump(value, f)
