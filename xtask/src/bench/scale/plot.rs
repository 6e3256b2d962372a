//! A drawing of how figures grow with the data: both axes logarithmic, a line for each question, readable on light and on dark
//! ground. Knows nothing of what is drawn.

use std::fmt::Write;

/// A panel: figures over sizes.
pub(super) struct Panel<'a> {
    pub(super) title: &'a str,
    /// Name of a line, and its figures, one for each size.
    pub(super) lines: Vec<(&'a str, Vec<f64>)>,
    /// Figures below are drawn as this.
    pub(super) least: f64,
}

/// Colours that are told apart on white and on black.
const COLOURS: [&str; 10] = [
    "#3b82c4", "#d9792b", "#3f9c5a", "#c94f4f", "#8a6fc0", "#96705f", "#c56aa8", "#7f8a94", "#9a9a2e",
    "#2fa3b0",
];
/// Of the part of a panel that lines are drawn in.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 260.0;
/// From one panel to the next, and what stands left of and above the lines.
const STEP: f64 = 400.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
/// Of the names of lines.
const NAMES: f64 = 190.0;

/// The drawing; `sizes` are what the figures are over, ascending.
pub(super) fn svg(sizes: &[f64], unit: &str, panels: &[Panel<'_>]) -> String {
    let (width, height) = (LEFT + STEP * panels.len() as f64 + NAMES, TOP + HEIGHT + 50.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>text{{fill:#333}}.axis{{stroke:#999}}.grid{{stroke:#ddd}}\
         @media(prefers-color-scheme:dark){{text{{fill:#ccc}}.axis{{stroke:#777}}.grid{{stroke:#333}}}}</style>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        draw(&mut out, LEFT + STEP * number as f64, sizes, unit, panel);
    }
    let left = LEFT + STEP * panels.len() as f64 - 60.0;
    for (number, (name, _)) in
        panels.first().map(|panel| &panel.lines[..]).unwrap_or_default().iter().enumerate()
    {
        let (y, colour) = (TOP + 10.0 + 20.0 * number as f64, COLOURS[number % COLOURS.len()]);
        let _ = writeln!(
            out,
            "<path d=\"M{left} {y}h20\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{}\">{name}</text>",
            left + 26.0,
            y + 4.0
        );
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, left: f64, sizes: &[f64], unit: &str, panel: &Panel<'_>) {
    let figures =
        || panel.lines.iter().flat_map(|(_, figures)| figures).map(|figure| figure.max(panel.least));
    let low = figures().fold(f64::MAX, f64::min).log10().floor();
    let high = figures().fold(f64::MIN, f64::max).log10().ceil().max(low + 1.0);
    let y = |figure: f64| TOP + HEIGHT * (high - figure.max(panel.least).log10()) / (high - low);
    let (first, last) = (sizes[0].log10(), sizes[sizes.len() - 1].log10());
    let x = |size: f64| left + WIDTH * (size.log10() - first) / (last - first).max(1e-9);
    let _ = writeln!(out, "<text x=\"{left}\" y=\"20\" font-weight=\"bold\">{}</text>", panel.title);
    for power in low as i32..=high as i32 {
        let (figure, at) = (10f64.powi(power), y(10f64.powi(power)));
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{left} {at:.1}h{WIDTH}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{figure}</text>",
            left - 8.0,
            at + 4.0
        );
    }
    for size in sizes {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{size} {unit}</text>",
            x(*size),
            TOP + HEIGHT + 20.0
        );
    }
    let _ = writeln!(out, "<path class=\"axis\" fill=\"none\" d=\"M{left} {TOP}v{HEIGHT}h{WIDTH}\"/>");
    for (number, (_, figures)) in panel.lines.iter().enumerate() {
        let points: Vec<String> = sizes
            .iter()
            .zip(figures)
            .map(|(size, figure)| format!("{:.1},{:.1}", x(*size), y(*figure)))
            .collect();
        let colour = COLOURS[number % COLOURS.len()];
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        );
        for point in &points {
            let (x, y) = point.split_once(',').unwrap_or_default();
            let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_drawn_in_every_panel() {
        let panel =
            |title| Panel { title, lines: vec![("a", vec![1.0, 10.0]), ("b", vec![0.0, 5.0])], least: 0.1 };
        let svg = svg(&[1.0, 16.0], "GB", &[panel("time"), panel("bytes")]);
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert_eq!(svg.matches("<circle").count(), 8);
        assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("16 GB"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
