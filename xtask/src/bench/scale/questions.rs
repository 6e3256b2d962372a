//! What is asked of the large store, in the words of each: sawlog's, ripgrep's, LogsQL's. A word with a capital is meant as it is
//! written by all of them.

/// A question.
pub(super) struct Question {
    /// The words of the issue for it.
    pub(super) what: &'static str,
    pub(super) sawlog: &'static str,
    /// Its arguments; empty where it cannot answer.
    pub(super) rg: &'static [&'static str],
    pub(super) logsql: &'static str,
    /// Columns of the answers that must be the same; ripgrep's count is that of the first, where it is `n`.
    pub(super) same: &'static [&'static str],
    /// A word decides: a tenth of what ripgrep takes is the goal.
    pub(super) word: bool,
    /// One of the ten that are asked of stores of all sizes.
    pub(super) grows: bool,
}

/// What ripgrep's lines go through where the newest are asked for. Lines begin with their times, some behind a dash.
pub(super) const NEWEST: &str = "| sed 's/^- //' | LC_ALL=C sort | tail -n 100";

const N: &[&str] = &["n"];

/// The questions whose names begin as one of these, which commas part; all where none is named.
pub(super) fn named(names: Option<&str>) -> Vec<&'static Question> {
    let wanted = |question: &&Question| {
        names.is_none_or(|names| names.split(',').any(|name| question.what.starts_with(name.trim())))
    };
    QUESTIONS.iter().filter(wanted).collect()
}

pub(super) const QUESTIONS: &[Question] = &[
    Question {
        what: "needle: a word of one line",
        sawlog: "Needle0000 | stats count() as n",
        rg: &["-w", "Needle0000"],
        logsql: "Needle0000 | stats count() n",
        same: N,
        word: true,
        grows: true,
    },
    Question {
        what: "rare word",
        sawlog: "ReleaseQueryResource | stats count() as n",
        rg: &["-w", "ReleaseQueryResource"],
        logsql: "ReleaseQueryResource | stats count() n",
        same: N,
        word: true,
        grows: false,
    },
    Question {
        what: "absent word",
        sawlog: "Xyzzyplugh | stats count() as n",
        rg: &["-w", "Xyzzyplugh"],
        logsql: "Xyzzyplugh | stats count() n",
        same: N,
        word: true,
        grows: true,
    },
    Question {
        what: "frequent word count",
        sawlog: "SUCCESS | stats count() as n",
        rg: &["-w", "SUCCESS"],
        logsql: "SUCCESS | stats count() n",
        same: N,
        word: true,
        grows: true,
    },
    Question {
        what: "phrase",
        sawlog: "\"Login successfully\" | stats count() as n",
        rg: &["-w", "Login successfully"],
        logsql: "\"Login successfully\" | stats count() n",
        same: N,
        word: true,
        grows: true,
    },
    Question {
        what: "substring",
        sawlog: "*egmentedRaf* | stats count() as n",
        rg: &["egmentedRaf"],
        logsql: "~\"egmentedRaf\" | stats count() n",
        same: N,
        word: false,
        grows: true,
    },
    Question {
        what: "absent substring",
        sawlog: "*Qzjxvkq* | stats count() as n",
        rg: &["Qzjxvkq"],
        logsql: "~\"Qzjxvkq\" | stats count() n",
        same: N,
        word: false,
        grows: false,
    },
    Question {
        what: "regex with a literal",
        sawlog: "/raft.*timeout.*1[0-9]{3}/ | stats count() as n",
        rg: &["raft.*timeout.*1[0-9]{3}"],
        logsql: "~\"raft.*timeout.*1[0-9]{3}\" | stats count() n",
        same: N,
        word: false,
        grows: true,
    },
    Question {
        what: "regex without a literal",
        sawlog: "/[0-9]{6}[a-z]{2}[0-9]/ | stats count() as n",
        rg: &["[0-9]{6}[a-z]{2}[0-9]"],
        logsql: "~\"[0-9]{6}[a-z]{2}[0-9]\" | stats count() n",
        same: N,
        word: false,
        grows: false,
    },
    Question {
        what: "field equals",
        sawlog: "status:=404 | stats count() as n",
        rg: &["^[^ ]+ \\[[^]]*\\] \"[^\"]*\" 404 "],
        logsql: "status:=404 | stats count() n",
        same: N,
        word: false,
        grows: true,
    },
    Question {
        what: "numeric range",
        sawlog: "bytes:>=1000000 | stats count() as n",
        rg: &["^[^ ]+ \\[[^]]*\\] \"[^\"]*\" [0-9]{3} [0-9]{7,} "],
        logsql: "bytes:>=1000000 | stats count() n",
        same: N,
        word: false,
        grows: false,
    },
    Question {
        what: "count by field",
        sawlog: "level:* | stats count() as n by (level)",
        rg: &[],
        logsql: "level:* | stats by (level) count() n",
        same: &["level", "n"],
        word: false,
        grows: true,
    },
    Question {
        what: "top 10 of 22,870 values",
        sawlog: "remote_addr:* | top 10 remote_addr",
        rg: &[],
        logsql: "remote_addr:* | top 10 by (remote_addr) hits as count",
        same: &["count"],
        word: false,
        grows: false,
    },
    Question {
        what: "histogram by minute",
        sawlog: "thread:* | timechart 1m count() as n",
        rg: &[],
        logsql: "thread:* | stats by (_time:1m) count() n",
        same: &["_time", "n"],
        word: false,
        grows: true,
    },
    Question {
        what: "newest 100 matches",
        sawlog: "SegmentedRaftLogWorker | limit 100",
        rg: &["-w", "SegmentedRaftLogWorker"],
        logsql: "SegmentedRaftLogWorker | sort by (_time desc) limit 100",
        same: &["_time"],
        word: true,
        grows: true,
    },
    Question {
        what: "unique count",
        sawlog: "remote_addr:* | stats count_distinct(remote_addr) as n",
        rg: &[],
        logsql: "remote_addr:* | stats count_uniq(remote_addr) n",
        same: N,
        word: false,
        grows: false,
    },
    Question {
        what: "case-insensitive word",
        sawlog: "flush | stats count() as n",
        rg: &["-w", "-i", "flush"],
        logsql: "i(flush) | stats count() n",
        same: N,
        word: true,
        grows: false,
    },
    // Lines of traces are rows of their own for VictoriaLogs, with the time of the line before, and part of a record for sawlog, so that
    // only the number is compared.
    Question {
        what: "sorted by time, 100 rows",
        sawlog: "* | sort _time desc | limit 100",
        rg: &[],
        logsql: "* | sort by (_time desc) limit 100",
        same: &[],
        word: false,
        grows: false,
    },
    // Of equal sizes any may be among the first.
    Question {
        what: "sorted by a field, 100 rows",
        sawlog: "bytes:* | sort bytes desc | limit 100",
        rg: &[],
        logsql: "bytes:* | sort by (bytes desc) limit 100",
        same: &[],
        word: false,
        grows: false,
    },
];
