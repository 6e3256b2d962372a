"""Real senders to the tenants of a real node: tenant_senders.py BINARY FOLDER

util-linux logger, rsyslog and syslog-ng show credentials in structured data; graypy and pygelf reach listeners that are one tenant's; curl's
requests go to Meniscus's API. Each looks for its rows as its tenant, and sees that no other tenant has them."""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from checks import Skip, check, run
from node import PATIENCE, Node

CONFIG = """
tenants = "1022, 7"
[meniscus]
listen = "127.0.0.1:0"
[[input]]
id = "syslog"
type = "syslog"
credentials = "require"
listen = "127.0.0.1:0"
[[input]]
id = "gelf"
type = "gelf"
tenant = "7"
listen = "127.0.0.1:0"
"""


def found(node, tenant, word, count):
    """Waits until a tenant finds a word so often, by the command line."""
    command = [node.binary, "search", word, "--json", "--data", node.folder / "data"]
    until = time.monotonic() + PATIENCE
    while True:
        told = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "SAWLOG_TENANT": tenant})
        rows = told.stdout.splitlines()
        if len(rows) >= count or time.monotonic() > until:
            assert len(rows) == count, (tenant, word, rows)
            return rows
        time.sleep(0.1)


def request(node, method, path, body=None, **headers):
    """Status, headers and JSON of an answer of Meniscus's API."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(node.addresses["meniscus"] + path, data, headers, method=method)
    if data is not None:
        asked.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, error.headers, None


def message_token(node, tenant):
    return request(node, "GET", f"/v1/{tenant}/token")[2]["token"]["valid"]


def log(node, tenant, token, text, *arguments):
    if not shutil.which("logger"):
        raise Skip("there is no logger (util-linux)")
    command = ["logger", "-n", "127.0.0.1", "-P", str(node.port("syslog")), "--rfc5424", "--sd-id", "meniscus@1"]
    command += ["--sd-param", f'tenant="{tenant}"', "--sd-param", f'token="{token}"', "-t", "app", *arguments, "--", text]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@check("logger: credentials choose the tenant")
def by_logger(node):
    token = message_token(node, "1022")
    for number, framing in enumerate((["-T"], ["-T", "--octet-count"], ["-d"])):
        log(node, "1022", token, f"byLogger {number}", *framing)
    rows = found(node, "1022", "byLogger", 3)
    assert not any(token in row for row in rows), rows
    found(node, "7", "byLogger", 0)


@check("logger: a wrong token is refused")
def refused(node):
    log(node, "1022", message_token(node, "7"), "stray", "-T")
    log(node, "1022", message_token(node, "1022"), "afterStray", "-T")
    found(node, "1022", "afterStray", 1)
    for tenant in ("1022", "7", "default"):
        found(node, tenant, "stray", 0)


RSYSLOG = """
global(workDirectory="{folder}")
template(name="token" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% \
[meniscus tenant=\\"1022\\" token=\\"{token}\\"] %msg%\\n")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/in.sock" RateLimit.Interval="0" UsePIDFromSystem="off")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted" template="token")
"""


SYSLOG_NG = """
@version: current
options { keep-hostname(yes); use-dns(no); dns-cache(no); stats-freq(0); };
source in { unix-dgram("{folder}/in.sock"); };
rewrite plain { set("1022" value(".SDATA.meniscus.tenant")); set("{token}" value(".SDATA.meniscus.token")); };
rewrite numbered { set("1022" value(".SDATA.meniscus@1.tenant")); set("{token}" value(".SDATA.meniscus@1.token")); };
destination counted { syslog("127.0.0.1" port({port}) transport("tcp")); };
destination datagrams { syslog("127.0.0.1" port({port}) transport("udp")); };
destination lines { network("127.0.0.1" port({port}) transport("tcp") flags(syslog-protocol) persist-name("lines")); };
log { source(in); rewrite(plain); destination(counted); };
log { source(in); rewrite(numbered); destination(datagrams); destination(lines); };
"""


def daemon(node, name, config, command, word, count):
    """What a daemon of syslog sends of 100 lines from its socket, found so often by the tenant alone that it shows the token of."""
    if not shutil.which("logger"):
        raise Skip("there is no logger (util-linux)")
    folder = node.folder.parent / f"{name}-tenants"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for key, value in {"folder": folder, "token": message_token(node, "1022"), "port": node.port("syslog")}.items():
        config = config.replace("{" + key + "}", str(value))
    (folder / "conf").write_text(config)
    process = subprocess.Popen(command(folder), stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while not (folder / "in.sock").exists():
            assert time.monotonic() < until, f"{name} listens"
            time.sleep(0.1)
        lines = "".join(f"{word} {number}\n" for number in range(100))
        feed = ["logger", "-u", str(folder / "in.sock"), "--socket-errors=on", "-t", "my-app"]
        subprocess.run(feed, check=True, input=lines, text=True)
        found(node, "1022", word, count)
        found(node, "7", word, 0)
    finally:
        process.terminate()
        process.wait()


@check("rsyslog: the template with a token, octets counted")
def by_rsyslog(node):
    program = shutil.which("rsyslogd")
    if not program:
        raise Skip("there is no rsyslogd")
    daemon(node, "rsyslog", RSYSLOG, lambda folder: [program, "-n", "-f", folder / "conf", "-i", folder / "pid"], "byRsyslog", 100)


@check("syslog-ng: credentials in structured data under both names; octets counted, lines, datagrams")
def by_syslog_ng(node):
    # The folder of its package, unpacked: installed it would take the place of rsyslog.
    root = Path(os.environ.get("SYSLOG_NG", ""))
    program, libraries = root / "usr/sbin/syslog-ng", root / "usr/lib/syslog-ng"
    if not program.is_file():
        raise Skip("there is no syslog-ng")
    modules = next(path for path in libraries.iterdir() if path.is_dir())

    def command(folder):
        files = {"-f": "conf", "-p": "pid", "-c": "ctl", "-R": "persist"}
        flags = [word for flag, name in files.items() for word in (flag, folder / name)]
        return ["env", f"LD_LIBRARY_PATH={libraries}", program, "-F", "--no-caps", f"--module-path={modules}", *flags]

    daemon(node, "syslog-ng", SYSLOG_NG, command, "bySyslogNg", 300)


def gelf(node, handler, word):
    logger = logging.getLogger(word)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.info("%s hello", word)
    handler.close()
    found(node, "7", word, 1)
    found(node, "1022", word, 0)


@check("graypy and pygelf: a listener of one tenant")
def by_gelf(node):
    import graypy
    import pygelf

    gelf(node, graypy.GELFUDPHandler("127.0.0.1", node.port("gelf")), "byGraypyUdp")
    gelf(node, graypy.GELFTCPHandler("127.0.0.1", node.port("gelf")), "byGraypyTcp")
    gelf(node, pygelf.GelfUdpHandler("127.0.0.1", node.port("gelf")), "byPygelfUdp")
    gelf(node, pygelf.GelfTcpHandler("127.0.0.1", node.port("gelf")), "byPygelfTcp")


@check("curl: every step of Meniscus's wiki")
def by_curl(node):
    if not shutil.which("curl"):
        raise Skip("there is no curl")
    base = node.addresses["meniscus"]

    def curl(*arguments):
        told = subprocess.run(["curl", "-s", "-i", *arguments], check=True, capture_output=True, text=True).stdout
        head, _, body = told.partition("\n\n") if "\r\n\r\n" not in told else told.partition("\r\n\r\n")
        return int(head.split()[1]), head.lower(), json.loads(body) if body.strip() else None

    kind = ("-H", "Content-Type: application/json")
    assert curl(f"{base}/")[2] == {"v1": "current"}
    status, head, _ = curl("-X", "POST", *kind, "-d", '{"tenant": {"tenant_id": "5164b8f4"}}', f"{base}/v1")
    assert status == 201 and "location: /v1/5164b8f4" in head, head
    producer = '{"event_producer": {"name": "apache", "pattern": "apache2.cee", "durable": true, "encrypted": false}}'
    status, head, _ = curl("-X", "POST", *kind, "-d", producer, f"{base}/v1/5164b8f4/producers")
    assert status == 201 and "location: /v1/5164b8f4/producers/1" in head, head
    token = curl(f"{base}/v1/5164b8f4/token")[2]["token"]["valid"]
    assert curl("-I", "-H", f"MESSAGE-TOKEN: {token}", f"{base}/v1/5164b8f4/token")[0] == 200
    assert curl("-I", "-H", "MESSAGE-TOKEN: x", f"{base}/v1/5164b8f4/token")[0] == 404
    message = '{"log_message": {"host": "tohru", "pname": "apache", "time": "2013-03-19T18:16:48.411029Z", "msg": "byCurl durable"}}'
    publish = ("-X", "POST", *kind, "-H", f"MESSAGE-TOKEN: {token}", "-d")
    status, _, job = curl(*publish, message, f"{base}/v1/5164b8f4/publish")
    assert status == 202, (status, job)
    until = time.monotonic() + PATIENCE
    while curl(job["job_status_uri"])[2]["job_status"] != "complete":
        assert time.monotonic() < until, "the job is complete"
        time.sleep(0.1)
    plain = '{"version": "1.1", "host": "h", "short_message": "byCurl gelf"}'
    assert curl(*publish, plain, f"{base}/v1/tenant/5164b8f4/publish")[0] == 204
    assert curl("-X", "POST", *kind, "-d", plain, f"{base}/v1/5164b8f4/publish")[0] == 401
    found(node, "5164b8f4", "byCurl", 2)
    found(node, "7", "byCurl", 0)


if __name__ == "__main__":
    binary, folder = sys.argv[1:]
    node = Node(binary, f"{folder}/tenants", CONFIG)
    try:
        run(node)
    finally:
        node.kill()
