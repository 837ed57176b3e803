//! What all drawings share: an SVG that stands alone, with no script, no font and nothing to load, light or dark as the
//! reader's screen is.

use std::fmt::{Arguments, Write as _};

/// Colours that differ in lightness, too, so that they can be told apart without seeing colours.
pub(crate) const COLOURS: usize = 6;
/// Classes and no variables, which many viewers other than browsers do not know.
const STYLE: &str = "\
text{font:12px sans-serif}.t{font-size:16px;font-weight:bold}.s{font-size:10px}polyline{fill:none;stroke-width:2}.k{stroke-width:4}\
text{fill:#1f2430}.p{fill:#fff}.f{stroke:#d9dde5}.c0{fill:#2563a8}.l0{stroke:#2563a8}.c1{fill:#d9822b}.l1{stroke:#d9822b}.c2{fill:#2f8f5b}.l2{stroke:#2f8f5b}.c3{fill:#a83254}.l3{stroke:#a83254}.c4{fill:#6d5bb8}.l4{stroke:#6d5bb8}.c5{fill:#7a8290}.l5{stroke:#7a8290}.m{fill:none;stroke:#1f2430;stroke-width:2.2}.h{fill:none;stroke:#fff;stroke-width:5}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ef}.p{fill:#14171d}.f{stroke:#333945}.c0{fill:#7ab4f0}.l0{stroke:#7ab4f0}.c1{fill:#f0ae6b}.l1{stroke:#f0ae6b}.c2{fill:#74cf9d}.l2{stroke:#74cf9d}.c3{fill:#ee86a6}.l3{stroke:#ee86a6}.c4{fill:#b3a5f2}.l4{stroke:#b3a5f2}.c5{fill:#a7afbd}.l5{stroke:#a7afbd}.m{stroke:#e6e9ef}.h{stroke:#14171d}}";

/// The beginning of a drawing: its title, and under it a line about it.
pub(crate) fn opened(width: f64, height: f64, title: &str, about: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" class=\"p\"/>\n\
         <text class=\"t\" x=\"16\" y=\"26\">{title}</text>\n<text x=\"16\" y=\"46\">{about}</text>\n",
        title = escaped(title),
        about = escaped(about),
    )
}

pub(crate) fn put(out: &mut String, text: Arguments<'_>) {
    // Writing to a text cannot fail.
    out.write_fmt(text).ok();
}

/// The next round number: 1, 2, 4, 5 or 8 times a power of ten.
pub(crate) fn ceiling(most: f64) -> f64 {
    rounded_up(most, &[1.0, 2.0, 4.0, 5.0, 8.0])
}

/// The same for the end of an axis, closer: 1190 ends at 1200.
pub(crate) fn axis_end(most: f64) -> f64 {
    rounded_up(most, &[1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0])
}

/// The next of these steps, times a power of ten.
fn rounded_up(most: f64, steps: &[f64]) -> f64 {
    if !most.is_finite() || most <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    let step = steps.iter().find(|&&step| most <= step * power * 1.000_001);
    step.copied().unwrap_or(10.0) * power
}

/// A number for people: as many digits as say something.
pub(crate) fn number(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        large if large >= 1e9 => (value / 1e9, " G"),
        large if large >= 1e6 => (value / 1e6, " M"),
        large if large >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let text = match scaled.abs() {
        large if large >= 100.0 => format!("{scaled:.0}"),
        large if large >= 1.0 => format!("{scaled:.2}"),
        _ => format!("{scaled:.4}"),
    };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
