//! The page: inputs, filters and outputs, a table each. Plain HTML that reads in any browser, also one for terminals. Knows
//! nothing of connections.

use std::fmt::Write;

use sawlog_model::PartStatus;

const STYLE: &str = "body{font:15px/1.35 system-ui,sans-serif;margin:1.5em;color-scheme:light dark}\
    table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin-bottom:1.5em}\
    th,td{text-align:right;padding:.15em .7em;border-bottom:1px solid #8884}\
    th:first-child,td:first-child,td.text,th.text{text-align:left}.bad{color:#c22;font-weight:600}";

/// The whole page.
pub(super) fn page(parts: &[PartStatus], version: &str) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Ik Scoreboard</title><style>{STYLE}</style>\
         <h1>Ik Scoreboard</h1><p>sawlog {}</p>",
        escaped(version)
    );
    for (role, title) in [("input", "Inputs"), ("filter", "Filters"), ("output", "Outputs")] {
        let of_role: Vec<_> = parts.iter().filter(|part| part.role == role).collect();
        if !of_role.is_empty() {
            table(&mut out, title, role == "output", &of_role);
        }
    }
    out.push_str("</html>\n");
    out
}

// Writing to a string cannot fail.
fn table(out: &mut String, title: &str, outputs: bool, parts: &[&PartStatus]) {
    let more = if outputs { "<th>Queue<th>Lag<th>Retries<th>Dead letters" } else { "" };
    let _ = write!(
        out,
        "<h2>{title}</h2><table><tr><th>Name<th class=\"text\">Status<th>Records/s<th>Bytes/s<th>Records<th>Bytes<th>Errors{more}\
         <th class=\"text\">Last error"
    );
    for part in parts {
        let errors: u64 = part.errors.iter().map(|(_, count)| count).sum();
        let class = if part.is_up() { "text" } else { "text bad" };
        let _ = write!(
            out,
            "<tr><td>{}<td class=\"{class}\">{}<td>{:.1}<td>{:.0}<td>{}<td>{}<td>{errors}",
            escaped(&part.name),
            state(part.state),
            part.records_per_second,
            part.bytes_per_second,
            part.records,
            part.bytes
        );
        if outputs {
            let (queue, lag) = (part.queue_bytes, part.lag_seconds);
            let _ = write!(out, "<td>{queue}<td>{lag:.1} s<td>{}<td>{}", part.retries, part.dead);
        }
        let _ = write!(out, "<td class=\"text\">{}", escaped(part.last_error.as_deref().unwrap_or_default()));
    }
    out.push_str("</table>");
}

/// As ik writes it.
fn state(state: &'static str) -> &'static str {
    match state {
        "running" => "Running",
        "waiting" => "Waiting",
        "retrying" => "Retrying",
        "stopped" => "Stopped",
        other => other,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
