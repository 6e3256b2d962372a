//! What liblognorm's documentation shows by example, of version 1 and 2: its rules, and lines that it says are of them or not.

use super::rules::{Case, as_it_stands};

/// The ways that fields are written, and what stands around rules.
fn forms() -> Vec<Case> {
    let listening = [
        "Oct 29 09:47:08 host tag: no longer listening on 127.0.0.1#10514'",
        "Oct 29 09:47:08 host no longer listening on 127.0.0.1#10514'",
    ];
    let firewall = "Oct 29 09:47:08 host fw-: INBOUND DROP-: IN=br0 PHYSIN=eth1 OUT=br0 PHYSOUT=eth0 SRC=1.2.3.4 DST=5.6.7.8 LEN=48 \
                    TOS=0x00 PREC=0x00 TTL=117 ID=1234 DF PROTO=TCP SPT=3005 DPT=80 WINDOW=65535 RES=0x00 ACK SYN URGP=0";
    vec![
        as_it_stands(
            "version=2\ntype=@IPaddr:%ip:ipv4%\ntype=@IPaddr:%ip:ipv6%\nrule=:from %a:@IPaddr% to %.:@IPaddr%\n",
            &["from 1.2.3.4 to ::1", "from fe80::1 to 10.0.0.1", "from x to ::1"],
        ),
        as_it_stands(
            "rule=:%date:date-rfc3164% %host:word% %tag:char-to:\\x3a%: no longer listening on %ip:ipv4%#%port:number%'\n",
            &listening,
        ),
        as_it_stands(
            "version=2\nrule=:%\n      date:date-rfc3164\n      % %\n  host:word\n  % %\n  tag:char-to{\"extradata\":\":\"}\n  \
             %: no longer listening on %\n  ip:ipv4\n  %#%\n  port:number\n  %'\n",
            &listening,
        ),
        as_it_stands(
            "version=2\nrule=:%date:date-rfc3164% %host:word% % tag:char-to{\"extradata\":\":\"}\n      %: no longer listening on \
             %  ip:ipv4  %#%  port:number  %'\n",
            &listening,
        ),
        as_it_stands(
            "version=2\nrule=:%[ {\"type\":\"date-rfc3164\", \"name\":\"date\"},\n {\"type\":\"literal\", \"text\":\" \"},\n \
             {\"type\":\"char-to\", \"name\":\"host\", \"extradata\":\":\"},\n {\"type\":\"literal\", \"text\":\": no longer listening on \
             \"},\n {\"type\":\"ipv4\", \"name\":\"ip\"},\n {\"type\":\"literal\", \"text\":\"#\"},\n {\"type\":\"number\", \
             \"name\":\"port\"}\n        ]%\n",
            &[
                "Oct 29 09:47:08 host: no longer listening on 127.0.0.1#10514",
                "Oct 29 09:47:08 host: listening",
            ],
        ),
        as_it_stands(
            "version=2\nrule=:%{\"type\":\"date-rfc3164\", \"name\":\"date\"}\n % %\n {\"type\":\"char-to\", \"name\":\"host\", \
             \"extradata\":\":\"}\n % no longer listening on %\n {\"type\":\"ipv4\", \"name\":\"ip\"}\n %#%\n {\"type\":\"number\", \
             \"name\":\"port\"}\n        %\n",
            &[
                "Oct 29 09:47:08 host no longer listening on 127.0.0.1#10514",
                "Oct 29 09:47:08 host: no longer listening on 127.0.0.1#1",
            ],
        ),
        as_it_stands(
            "prefix=%date:date-rfc3164% %host:word% %tag:char-to:-\\x3a%:\nrule=:INBOUND%INBOUND:char-to:-\\x3a%: IN=%IN:word% \
             PHYSIN=%PHYSIN:word% OUT=%OUT:word% PHYSOUT=%PHYSOUT:word% SRC=%source:ipv4% DST=%destination:ipv4% LEN=%LEN:number% \
             TOS=%TOS:char-to: % PREC=%PREC:word% TTL=%TTL:number% ID=%ID:number% DF PROTO=%PROTO:word% SPT=%SPT:number% \
             DPT=%DPT:number% WINDOW=%WINDOW:number% RES=0x00 ACK SYN URGP=%URGP:number%\n",
            &[firewall, &firewall.replace("-: ", ":"), "Oct 29 09:47:08 host fw:INBOUND x: IN=br0"],
        ),
        as_it_stands(
            "rule=ssh,user,login,fail:sshd[%pid:number%]: Invalid user %user:word% from %src-ip:ipv4%\n",
            &["sshd[26457]: Invalid user bob from 10.0.0.1", "sshd[x]: Invalid user bob from 10.0.0.1"],
        ),
    ]
}

/// Types of version 2 with their parameters.
fn types() -> Vec<Case> {
    let numbers = "{\"name\":\"numbers\", \"type\":\"repeat\", \"parser\":[{\"type\":\"number\", \"name\":\"n1\"}, {\"type\":\"literal\", \
                   \"text\":\":\"}, {\"type\":\"number\", \"name\":\"n2\"}], \"while\":";
    vec![
        as_it_stands(
            "version=2\nrule=:a %f:string{\"quoting.char.begin\":\"[\", \"quoting.char.end\":\"]\"}% b\n",
            &["a [test test2] b", "a test b", "a [test b"],
        ),
        as_it_stands(
            "version=2\nrule=:%f:string{\"matching.permitted\":\"abc\"}%\n",
            &["aabbcc", "abcd", "a b"],
        ),
        as_it_stands(
            "version=2\nrule=:%f:string{\"matching.permitted\":[ {\"class\":\"digit\"}, {\"chars\":\"xX\"} ]}%\n",
            &["12x", "xX", "12y"],
        ),
        as_it_stands(
            "version=2\nrule=:%f:string{\"matching.permitted\":[ {\"class\":\"digit\"}, {\"class\":\"alpha\"} ]}%\n",
            &["12ab", "12-"],
        ),
        as_it_stands(
            "version=2\nrule=:%f:string{\"matching.permitted\":[ {\"class\":\"digit\"} ]}%%r:rest%\n",
            &["12:34 56", "12 x"],
        ),
        as_it_stands(
            "version=2\nrule=:%f:string{\"matching.permitted\":[ {\"class\":\"digit\"} ], \"matching.mode\":\"lazy\"}%%r:rest%\n",
            &["12:34 56", "12 x"],
        ),
        as_it_stands(
            "version=2\nrule=:%f:cef%\n",
            &[
                "CEF:0|Vendor|Product|Version|Signature ID|some name|Severity| aa=field1 bb=this is a value cc=field 3",
            ],
        ),
        as_it_stands(
            "version=2\nrule=:%field:checkpoint-lea{\"terminator\": \"]\"}%]\n",
            &["tcp_flags: RST-ACK; src: 192.168.0.1; ]", "tcp_flags: RST-ACK; src: 192.168.0.1;"],
        ),
        as_it_stands(
            "version=2\nrule=:%ifaddr:cisco-interface-spec%\n",
            &[
                "outside:192.168.1.13/50179 (192.168.1.13/50179) (LOCAL\\some.user)",
                "outside:176.97.252.102/50349",
            ],
        ),
        as_it_stands(
            "version=2\nrule=:%field1:json%interim text %field2:json%'\n",
            &["{\"f1\": \"1\"} interim text {\"f2\": 2}'", "{\"f1\": \"1\"} interim text {\"f2\": 2}"],
        ),
        as_it_stands(
            "version=2\nrule=:a % {\"type\":\"alternative\", \"parser\": [ {\"name\":\"num\", \"type\":\"number\"}, {\"name\":\"hex\", \
             \"type\":\"hexnumber\"} ] }% b\n",
            &["a 1234 b", "a 0xff b", "a x b"],
        ),
        as_it_stands(
            &format!("version=2\nrule=:a % {numbers}[ {{\"type\":\"literal\", \"text\":\", \"}} ] }}% b\n"),
            &["a 1:2, 3:4, 5:6, 7:8 b", "a 1:2, 3:4,5:6, 7:8 b", "a 1:2 b"],
        ),
        as_it_stands(
            "version=2\nrule=:a % {\"name\":\"numbers\", \"type\":\"repeat\", \"parser\": {\"type\":\"number\", \"name\":\"n\"}, \"while\": \
             {\"type\":\"literal\", \"text\":\", \"} }% b\n",
            &["a 1, 2, 3, 4 b", "a b"],
        ),
        as_it_stands(
            &format!(
                "version=2\nrule=:a % {numbers}{{\"type\":\"alternative\", \"parser\": [ {{\"type\":\"literal\", \"text\":\", \"}}, \
                 {{\"type\":\"literal\", \"text\":\",\"}} ]}} }}% b\n"
            ),
            &["a 1:2, 3:4,5:6, 7:8 b", "a 1:2 b"],
        ),
        as_it_stands(
            "version=2\nrule=:%-:date-rfc3164% %ip:ipv4% %%ASA-6-106015: Deny TCP (no connection) from %a:cisco-interface-spec% to \
             %b:cisco-interface-spec% flags %{\"name\":\"flags\", \"type\":\"repeat\", \"option.permitMismatchInParser\":true, \
             \"parser\":{\"type\":\"word\", \"name\":\".\"}, \"while\":{\"type\":\"literal\", \"text\":\" \"}}%  on interface %if:word%\n",
            &[
                "Aug 18 13:18:45 192.168.0.1 %ASA-6-106015: Deny TCP (no connection) from 10.252.88.66/443 to 10.79.249.222/52746 \
                 flags RST  on interface outside",
            ],
        ),
        as_it_stands(
            "version=2\nrule=:%x:cee-syslog%\n",
            &["@cee: {\"a\":1}", "@CEE: {\"a\":1}", "@cee: [1]", "@cee: {\"a\":1} x"],
        ),
    ]
}

/// Types that only version 1 has, and the rules that are shown with it.
fn first_version() -> Vec<Case> {
    let blocked = [
        "blocked inbound via: 192.168.1.1 from: 1.2.3.4, 16.17.18.0/8, 12.13.14.15, 19.20.21.24/3 to 192.168.1.5",
    ];
    let nets = |rest: &str| {
        format!(
            "rule=:%subnet_addr:ipv4%/%subnet_mask:number%%{rest}:rest%\nrule=:%ip_addr:ipv4%%{rest}:rest%\n"
        )
    };
    let via = |how: &str| {
        format!(
            "rule=:blocked inbound via: %via_ip:ipv4% from: %addresses:tokenized:, :{how}% to %server_ip:ipv4%\n"
        )
    };
    vec![
        as_it_stands("rule=:%my_ips:tokenized:, :ipv4%\n", &["192.168.1.2, 192.168.1.3, 192.168.1.4"]),
        as_it_stands(
            "rule=:%some_nos:tokenized:, :tokenized: \\x3a :tokenized:#:number%\n",
            &["10, 20 : 30#40#50 : 60#70#80, 90 : 100"],
        ),
        as_it_stands(&(nets("tail") + &via("recursive")), &blocked),
        as_it_stands(&(nets("remains") + &via("recursive:remains")), &blocked),
        as_it_stands("rule=:%count:interpret:int:word%\n", &["100", "3F"]),
        as_it_stands(
            "rule=:reclaimed %eden_reclaimed:suffixed:,:b,kb,mb,gb:number% from eden\n",
            &["reclaimed 115mb from eden"],
        ),
        as_it_stands(
            "rule=:reclaimed %eden_reclaimed:named_suffixed:mem:unit:,:b,kb,mb,gb:number% from eden\n",
            &["reclaimed 115mb from eden"],
        ),
        sample(),
    ]
}

/// The rule base that is shown as a sample.
fn sample() -> Case {
    as_it_stands(
        "prefix=%host:char-to:\\x3a%: \nrule=prefixed_code:code=%code:number%\nrule=prefixed_name:name=%name:word%\nprefix=\n\
         rule=tag1:Quantity: %N:number%\nrule=tag2:Weight: %N:number%%unit:word%\nannotate=tag2:+fat=\"free\"\n\
         rule=tag3,percent:\\x25%%\nannotate=percent:+percent=\"100\"\nannotate=tag3:+whole=\"whale\"\nannotate=tag3:+part=\"wha\"\n\
         rule=tag4,tag5,tag6,tag4:literal\nannotate=tag4:+this=\"that\"\n\
         rule=csv:%r1:char-to:,%,%r2:char-to:,%,%r3:char-to:,%,%r4:rest%\n\
         rule=better-csv:CSV: %f1:char-sep:,%,%f2:char-sep:,%,%f3:char-sep:,%\nrule=tale:Snow White and %company:rest%\n\
         rule=ipt:iptables: %dummy:iptables%\nrule=:%date:date-iso% src=%src:ipv4% dst=%dst:ipv4%\n\
         rule=syslog:%date1:date-rfc3164% %host:word% %tag:char-to:\\x3a%: %text:rest%\nrule=rfc3164:%date1:date-rfc3164%\n\
         rule=rfc5424:%date1:date-rfc5424%\nrule=rfc5424:%date1:date-rfc5424% %test:word% %test2:number%\n\
         rule=quote:quoted_string=%quote:quoted-string%\n\
         rule=tokenized_words:tokenized words: %arr:tokenized:; :char-sep:\\x3b%\n",
        &[
            "myhostname: code=23",
            "myhostname: name=somename",
            "Quantity: 555",
            "Weight: 42kg",
            "%%",
            "literal",
            "first field,second field,third field,fourth field",
            "CSV: field1,,field3",
            "Snow White and the Seven Dwarfs",
            "iptables: SRC=192.168.1.134 DST=46.252.161.13 LEN=48 TOS=0x00 PREC=0x00",
            "2012-10-11 src=127.0.0.1 dst=88.111.222.19",
            "Oct 29 09:47:08 server rsyslogd: rsyslogd's groupid changed to 103",
            "Oct 29 09:47:08",
            "1985-04-12T19:20:50.52-04:00",
            "1985-04-12T19:20:50.52-04:00 testing 123",
            "quoted_string=\"Contents of a quoted string cannot include quote marks\"",
            "tokenized words: aaa.org; bbb.com; ccc.net",
        ],
    )
}

pub(super) fn examples() -> Vec<Case> {
    [forms(), types(), first_version()].into_iter().flatten().collect()
}
