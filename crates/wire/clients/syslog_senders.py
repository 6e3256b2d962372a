"""util-linux logger and rsyslog in all framings against a real node: syslog_senders.py BINARY FOLDER

What is expected of a row is what the sender itself says that it sent: logger on standard error, rsyslog in a file of the
same template."""

import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone

from checks import Skip, check, run
from node import PATIENCE, Node, certificate, nanoseconds

CONFIG = "".join(
    f"""
[[input]]
id = "{name}"
type = "syslog"
tag = "{name}"
listen = "127.0.0.1:0"
"""
    for name in ("rfc5424_tcp", "rfc5424_udp", "counted", "rfc3164_udp", "rfc3164_tcp", "sd", "lines",
                 "to_udp", "to_tcp", "to_counted", "to_traditional")
)
TLS = """
[[input]]
id = "to_tls"
type = "syslog"
tag = "to_tls"
listen = "127.0.0.1:0"
transports = ["tcp"]
tls_cert = "{folder}/../syslog-certificate/cert.pem"
tls_key = "{folder}/../syslog-certificate/key.pem"
"""
RFC5424 = re.compile(r"<(?P<pri>\d+)>1 (?P<time>\S+) (?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) (?P<msgid>\S+) "
                     r"(?P<sd>-|(?:\[.*?[^\\]\])+)(?: (?P<message>.*))?", re.DOTALL)
RFC3164 = re.compile(r"<(?P<pri>\d+)>(?P<time>\w+ [ \d]\d [\d:]+) (?P<host>\S+) (?P<app>[^:\[]+)(?:\[(?P<pid>\d+)\])?: ?"
                     r"(?P<message>.*)", re.DOTALL)


def expected(line):
    """The fields of a message, read with no more than an expression, and its time in nanoseconds."""
    match = RFC5424.fullmatch(line) or RFC3164.fullmatch(line)
    fields = {key: value for key, value in match.groupdict().items() if value not in (None, "-")}
    data = fields.pop("sd", "")
    for name, parameters in re.findall(r"\[(\S+?)((?: [^ =]+=\"[^\"]*\")*)\]", data):
        for key, value in re.findall(r" ([^ =]+)=\"([^\"]*)\"", parameters):
            fields[f"sd.{name}.{key}"] = value
    if line.startswith(f"<{fields['pri']}>1 "):
        moment = datetime.fromisoformat(fields["time"])
        at = int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000
    else:
        moment = datetime.strptime(f"{datetime.now().year} {fields['time']}", "%Y %b %d %H:%M:%S")
        at = int(moment.replace(tzinfo=timezone.utc).timestamp()) * 10**9
    return at, fields


def compare(node, tag, lines):
    """Every line is a row, byte for byte, with its time and each of its fields."""
    rows = sorted(node.found(f"_tag:{tag}.*", len(lines)), key=lambda row: row["_line"])
    for row, line in zip(rows, sorted(lines)):
        assert row["_line"].removesuffix("\n") == line, (row["_line"], line)
        at, fields = expected(line)
        assert nanoseconds(row["_time"]) == at, (row["_time"], line)
        have = {key: str(value) for key, value in row.items() if not key.startswith("_")}
        have = {key: value for key, value in have.items() if key in fields or key.startswith("sd.")}
        assert have == fields, (have, fields)


def logger(node, tag, arguments, texts):
    """Runs logger for each text; the lines that it sent."""
    if not shutil.which("logger"):
        raise Skip("there is no logger (util-linux)")
    lines = []
    for text in texts:
        command = ["logger", "-s", "-n", "127.0.0.1", "-P", str(node.port(tag)), *arguments, "--", text]
        told = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stderr
        lines.append(told.removesuffix("\n"))
    return lines


TEXTS = ["hello", "größe: 5 \"quoted\" [x y=\"z\"]", "a" * 900, "50 % é", " leading"]


def logger_check(name, tag, arguments, texts=TEXTS):
    @check(f"logger: {name}")
    def sends(node):
        lines = logger(node, tag, arguments, texts)
        compare(node, tag, [re.sub(r"^\d+ (?=<)", "", line) for line in lines])


logger_check("RFC 5424 over TCP", "rfc5424_tcp", ["-T", "-t", "my-app", "-p", "local0.notice"])
logger_check("RFC 5424 over UDP", "rfc5424_udp", ["-d", "-t", "my-app", "-p", "daemon.err", "--id=4242"])
logger_check("RFC 5424 over TCP, octets counted", "counted", ["-T", "--octet-count", "-t", "my-app"])
logger_check("RFC 3164 over UDP", "rfc3164_udp", ["-d", "--rfc3164", "-t", "my-app", "-p", "user.crit"])
logger_check("RFC 3164 over TCP", "rfc3164_tcp", ["-T", "--rfc3164", "-t", "my-app", "--id=77"])
logger_check(
    "RFC 5424 with structured data",
    "sd",
    ["-T", "--rfc5424", "--sd-id", "meniscus@1", "--sd-param", 'tenant="1022"', "--sd-param", 'token="to k"',
     "--sd-id", "x@2", "--sd-param", 'a="1"', "--msgid", "ID47", "--id=4242", "-t", "my-app"],
)


@check("logger: many lines on one connection")
def many(node):
    if not shutil.which("logger"):
        raise Skip("there is no logger (util-linux)")
    text = "".join(f"line {number} é\n" for number in range(2000))
    command = ["logger", "-s", "-n", "127.0.0.1", "-P", str(node.port("lines")), "-T", "-t", "many"]
    told = subprocess.run(command, check=True, input=text, capture_output=True, text=True).stderr
    compare(node, "lines", told.splitlines())


RSYSLOG = """
global(workDirectory="{folder}")
template(name="token" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% \
[meniscus tenant=\\"1022\\" token=\\"0ebcdb6a-fa82-4241-a806-0e936c01d80a\\"] %msg%\\n")
template(name="line" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% - %msg%\\n")
template(name="old" type="string" string="<%PRI%>%TIMESTAMP% %HOSTNAME% %syslogtag%%msg%\\n")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/in.sock" RateLimit.Interval="0" UsePIDFromSystem="off")
action(type="omfile" file="{folder}/token" template="token")
action(type="omfile" file="{folder}/line" template="line")
action(type="omfile" file="{folder}/old" template="old")
action(type="omfwd" target="127.0.0.1" port="{to_udp}" protocol="udp" template="RSYSLOG_SyslogProtocol23Format")
action(type="omfwd" target="127.0.0.1" port="{to_tcp}" protocol="tcp" template="line")
action(type="omfwd" target="127.0.0.1" port="{to_counted}" protocol="tcp" TCP_Framing="octet-counted" template="token")
action(type="omfwd" target="127.0.0.1" port="{to_traditional}" protocol="tcp" template="RSYSLOG_TraditionalForwardFormat")
"""
RSYSLOG_TLS = """
global(DefaultNetstreamDriverCAFile="{certificate}/cert.pem")
action(type="omfwd" target="localhost" port="{to_tls}" protocol="tcp" StreamDriver="gtls" StreamDriverMode="1"
       StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost" template="line")
"""
# The files that rsyslog writes beside what it sends.
SAME = {"to_udp": "line", "to_tcp": "line", "to_counted": "token", "to_traditional": "old", "to_tls": "line"}
COUNT = 300


class Rsyslog:
    """One rsyslogd for all its checks, fed over its socket."""

    lines = None

    @classmethod
    def sent(cls, node, name):
        if cls.lines is None:
            cls.lines = cls.run(node)
        if name not in node.addresses:
            raise Skip("there is no openssl to make a certificate with")
        return cls.lines[SAME[name]]

    @classmethod
    def run(cls, node):
        program = shutil.which("rsyslogd")
        if not program or not shutil.which("logger"):
            raise Skip("there is no rsyslogd")
        folder = node.folder.parent / "rsyslog"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        ports = {name: node.port(name) for name in SAME if name in node.addresses}
        config = RSYSLOG + (RSYSLOG_TLS if "to_tls" in ports else "")
        for key, value in {"folder": folder, "certificate": node.folder.parent / "syslog-certificate", **ports}.items():
            config = config.replace("{" + key + "}", str(value))
        (folder / "rsyslog.conf").write_text(config)
        command = [program, "-n", "-f", folder / "rsyslog.conf", "-i", folder / "rsyslog.pid"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            cls.until(lambda: (folder / "in.sock").exists(), "rsyslogd listens")
            text = "".join(f"<{8 * (number % 20) + number % 8}>message {number} größe\n" for number in range(COUNT))
            feed = ["logger", "-u", str(folder / "in.sock"), "--socket-errors=on", "--prio-prefix", "-t", "my-app"]
            subprocess.run(feed, check=True, input=text, text=True)
            read = lambda name: (folder / name).read_text().splitlines() if (folder / name).exists() else []
            cls.until(lambda: all(len(read(name)) >= COUNT for name in ("token", "line", "old")), "rsyslogd writes")
            # It goes on until everything is found: what it has not sent yet would be given up at its end.
            for name in ports:
                node.found(f"_tag:{name}.*", COUNT)
            # Its own messages (that it starts) are none of ours.
            return {name: [line for line in read(name) if "my-app" in line] for name in ("token", "line", "old")}
        finally:
            process.terminate()
            process.wait()

    @staticmethod
    def until(condition, what):
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, what
            time.sleep(0.1)


def rsyslog_check(name, tag):
    @check(f"rsyslog: {name}")
    def sends(node):
        compare(node, tag, Rsyslog.sent(node, tag))


rsyslog_check("RFC 5424 over UDP", "to_udp")
rsyslog_check("RFC 5424 over TCP", "to_tcp")
rsyslog_check("template with a token over TCP, octets counted", "to_counted")
rsyslog_check("RFC 3164 over TCP", "to_traditional")
rsyslog_check("RFC 5424 over TLS", "to_tls")

if __name__ == "__main__":
    # Times of RFC 3164 have no zone.
    os.environ["TZ"] = "UTC"
    binary, folder = sys.argv[1:]
    config = CONFIG
    if shutil.which("openssl"):
        certificate(f"{folder}/syslog-certificate")
        config += TLS
    node = Node(binary, f"{folder}/syslog", config)
    try:
        run(node)
    finally:
        node.kill()
