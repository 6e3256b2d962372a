//! Plug-ins of Fluentd that there are not, and what does their work here. Knows nothing of those that there are.

use crate::config::{NOT_IN_AGENT, Role};

/// Why a source that only watches Fluentd itself is left out.
pub(super) fn source_without_part(kind: &str) -> Option<&'static str> {
    match kind {
        "monitor_agent"
        | "prometheus"
        | "prometheus_monitor"
        | "prometheus_output_monitor"
        | "prometheus_tail_monitor" => {
            Some("`sawlog status`, the status page and /metrics tell what it would")
        }
        "debug_agent" | "gc_stat" | "object_space" => Some("there is no Ruby to look into"),
        _ => None,
    }
}

/// What to do about a type that is known and not there.
pub(super) fn remedy(role: Role, kind: &str) -> Option<&'static str> {
    const NETWORK: &str = "send to a Fluentd that has it with `forward`, or take this section out";
    let found = match (role, kind) {
        (
            Role::Match,
            "elasticsearch_dynamic"
            | "gcs"
            | "kafka"
            | "kafka2"
            | "kafka_buffered"
            | "rdkafka"
            | "rdkafka2"
            | "azure_blob"
            | "azure-storage-append-blob"
            | "bigquery"
            | "bigquery_insert"
            | "bigquery_load"
            | "cloudwatch_logs"
            | "kinesis_streams"
            | "kinesis_firehose"
            | "splunk_hec"
            | "loki"
            | "datadog"
            | "newrelic"
            | "influxdb"
            | "redis"
            | "sqs"
            | "sns"
            | "td"
            | "tdlog"
            | "amqp"
            | "mqtt"
            | "google_cloud"
            | "logzio"
            | "sumologic"
            | "gelf"
            | "remote_syslog"
            | "mysql"
            | "sql"
            | "graphite",
        ) => NETWORK,
        (Role::Match, "rewrite_tag_filter" | "route" | "retag") => {
            "write a <filter> with `grep` in a <label> for each new tag, and a `relabel` to it"
        }
        (Role::Match, "exec_filter" | "out_exec_filter") => "use the filter `remap`, or `exec` on both sides",
        (Role::Match | Role::Filter, "prometheus" | "flowcounter" | "datacounter" | "numeric_monitor") => {
            "counts of rows stand in the status and in /metrics; take this section out"
        }
        (Role::Match, "secondary_file") => "use `file`",
        (Role::Match, "buffer") => "nothing needs it: the journal keeps rows; take the section out",
        (
            Role::Source,
            "kafka" | "kafka_group" | "rdkafka_group" | "s3" | "sqs" | "mqtt" | "amqp" | "sql"
            | "mysql_replicator",
        ) => "let a Fluentd read it and send it here with `forward`, or take this section out",
        (Role::Source, "windows_eventlog" | "windows_eventlog2" | "systemd" | "systemd_journal") => {
            "let rsyslog or a Fluentd send it here (`syslog`, `forward`), or take this section out"
        }
        (Role::Source, "dummy") => "use `sample`",
        (Role::Filter, "remap") => NOT_IN_AGENT,
        (Role::Filter, "kubernetes_metadata") => {
            "pod, namespace and container stand in the file's name, so in the tag: use `record_transformer`"
        }
        (Role::Filter, "concat" | "detect_exceptions") => {
            "lines that belong together are joined where files are read: <parse> with `@type multiline` in the source"
        }
        (
            Role::Filter,
            "record_modifier" | "typecast" | "rename_key" | "geoip" | "anonymizer" | "dedot" | "throttle",
        ) => "use `record_transformer` or `remap`",
        _ => return None,
    };
    Some(found)
}
