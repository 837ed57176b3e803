//! Charts as SVG that stands alone: no script, no font, nothing to load; light or dark as the reader's screen is.
//!
//! One chart has a label for each place on the x axis and some series of values over them, drawn as bars or lines.

use crate::svg::{COLOURS, axis_end, escaped, number, opened, put};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 744.0;
const TOP: f64 = 104.0;
const BOTTOM: f64 = 330.0;
/// Lines across the drawing, and so the numbers at the y axis.
const GRID: u32 = 4;
/// Bars that differ by more than this many times stand on a logarithmic axis: on another the small ones could not be seen.
const LINEAR_MOST: f64 = 20.0;
/// The narrowest bar that has its value written above it, and the narrowest on which that need not be turned.
const LABEL: (f64, f64) = (8.0, 40.0);

/// How the values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bar for each value.
    Bars,
    /// A line for each series.
    Lines,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// One sentence over it.
    pub title: String,
    /// What the values are, with their unit.
    pub unit: String,
    /// The places on the x axis.
    pub labels: Vec<String>,
    /// Names and values; a value for each label.
    pub series: Vec<(String, Vec<f64>)>,
    /// Bars or lines.
    pub shape: Shape,
}

impl Chart {
    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut out = opened(WIDTH, HEIGHT, &self.title, &self.unit);
        let axis = self.axis();
        self.grid(&mut out, axis);
        match self.shape {
            Shape::Bars => self.bars(&mut out, axis),
            Shape::Lines => self.lines(&mut out, axis),
        }
        self.names(&mut out);
        out.push_str("</svg>\n");
        out
    }

    fn axis(&self) -> Axis {
        let values = || self.series.iter().flat_map(|(_, values)| values).copied();
        let most = values().fold(0.0, f64::max);
        let least = values().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        if self.shape == Shape::Bars && most.is_finite() && most > least * LINEAR_MOST {
            // A whole power below the least, so that its bar can be seen.
            let bottom = (least.log10() - 0.1).floor();
            return Axis::Powers { bottom, top: most.log10() + 0.05 };
        }
        Axis::Linear { top: axis_end(most) }
    }

    /// The width of one place on the x axis.
    fn step(&self) -> f64 {
        (RIGHT - LEFT) / (self.labels.len().max(1) as f64)
    }

    fn grid(&self, out: &mut String, axis: Axis) {
        for value in axis.lines() {
            let y = axis.height(value);
            put(
                out,
                format_args!(
                    "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" class=\"f\"/>\
                     <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                    LEFT - 8.0,
                    y + 4.0,
                    number(value)
                ),
            );
        }
        if matches!(axis, Axis::Powers { .. }) {
            put(
                out,
                format_args!("<text x=\"{RIGHT}\" y=\"46\" text-anchor=\"end\">logarithmic axis</text>\n"),
            );
        }
        let turned = self.labels.iter().any(|label| label.len() > 8) && self.labels.len() > 5;
        for (at, label) in self.labels.iter().enumerate() {
            let (x, y) = (LEFT + self.step() * (at as f64 + 0.5), BOTTOM + 18.0);
            let how = if turned {
                format!("text-anchor=\"end\" transform=\"rotate(-30 {x:.1} {y:.1})\"")
            } else {
                "text-anchor=\"middle\"".to_owned()
            };
            put(out, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {how}>{}</text>\n", escaped(label)));
        }
    }

    fn bars(&self, out: &mut String, axis: Axis) {
        let width = self.step() * 0.8 / (self.series.len().max(1) as f64);
        for (number_of, (name, values)) in self.series.iter().enumerate() {
            for (at, value) in values.iter().enumerate() {
                let x = LEFT + self.step() * (at as f64 + 0.1) + width * (number_of as f64);
                let y = axis.height(*value);
                let tip = format!(
                    "{} {}: {}",
                    self.labels.get(at).map_or("", String::as_str),
                    name,
                    number(*value)
                );
                put(
                    out,
                    format_args!(
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                         class=\"c{}\"><title>{}</title></rect>\n",
                        (width - 1.0).max(1.0),
                        BOTTOM - y,
                        number_of % COLOURS,
                        escaped(&tip)
                    ),
                );
                if width >= LABEL.0 && value.is_finite() {
                    put(out, format_args!("{}\n", label(x + width / 2.0, y - 3.0, width, *value)));
                }
            }
        }
    }

    fn lines(&self, out: &mut String, axis: Axis) {
        for (number_of, (_, values)) in self.series.iter().enumerate() {
            let point = |(at, value): (usize, &f64)| {
                format!("{:.1},{:.1}", LEFT + self.step() * (at as f64 + 0.5), axis.height(*value))
            };
            let points: Vec<String> = values.iter().enumerate().map(point).collect();
            // Lines beyond the number of colours are dashed.
            let dash = if number_of < COLOURS { "" } else { " stroke-dasharray=\"6 4\"" };
            put(
                out,
                format_args!(
                    "<polyline points=\"{}\" class=\"l{}\"{dash}/>\n",
                    points.join(" "),
                    number_of % COLOURS
                ),
            );
        }
    }

    /// Which colour is which series, in up to three rows under the title.
    fn names(&self, out: &mut String) {
        if self.series.len() < 2 {
            return;
        }
        let in_row = self.series.len().div_ceil(3).max(3);
        for (at, (name, _)) in self.series.iter().enumerate() {
            let x = 16.0 + (at % in_row) as f64 * (WIDTH - 32.0) / (in_row as f64);
            let y = 62.0 + (at / in_row) as f64 * 15.0;
            let dash = if at < COLOURS { "" } else { " stroke-dasharray=\"6 4\"" };
            put(
                out,
                format_args!(
                    "<path d=\"M{x:.1} {:.1}h18\" class=\"k l{}\"{dash}/>\
                     <text x=\"{:.1}\" y=\"{y:.1}\">{}</text>\n",
                    y - 4.0,
                    at % COLOURS,
                    x + 23.0,
                    escaped(name)
                ),
            );
        }
    }
}

/// A value over its bar, turned where the bar is narrow.
fn label(x: f64, y: f64, width: f64, value: f64) -> String {
    let text = number(rounded(value));
    if width >= LABEL.1 {
        return format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"s\" text-anchor=\"middle\">{text}</text>");
    }
    let x = x + 3.5;
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"s\" transform=\"rotate(-90 {x:.1} {y:.1})\">{text}</text>"
    )
}

/// Three digits say enough.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(value.abs().log10().floor() - 2.0);
    (value / unit).round() * unit
}

/// From values to places.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Axis {
    /// From 0 on.
    Linear { top: f64 },
    /// Logarithmic: its ends are decimal logarithms.
    Powers { bottom: f64, top: f64 },
}

impl Axis {
    /// The values at which a line crosses the drawing.
    fn lines(self) -> Vec<f64> {
        match self {
            Self::Linear { top } => (0..=GRID).map(|line| top * f64::from(line) / f64::from(GRID)).collect(),
            Self::Powers { bottom, top } => {
                let powers = std::iter::successors(Some(bottom), |power| Some(power + 1.0));
                powers.take_while(|power| *power <= top).map(|power| 10_f64.powf(power)).collect()
            }
        }
    }

    fn height(self, value: f64) -> f64 {
        let part = match self {
            _ if !value.is_finite() => 0.0,
            Self::Linear { top } => value / top,
            Self::Powers { .. } if value <= 0.0 => 0.0,
            Self::Powers { bottom, top } => (value.log10() - bottom) / (top - bottom),
        };
        BOTTOM - (BOTTOM - TOP) * part.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(shape: Shape) -> Chart {
        Chart {
            title: "a < b".into(),
            unit: "ms".into(),
            labels: vec!["one".into(), "two".into()],
            series: vec![("x".into(), vec![1.0, 30.0]), ("y & z".into(), vec![f64::NAN, 4.0])],
            shape,
        }
    }

    #[test]
    fn every_value_is_drawn_inside() {
        let svg = chart(Shape::Bars).svg();
        assert_eq!(svg.matches("<rect x=").count(), 4);
        assert_eq!(svg.matches("<title>").count(), 5);
        assert!(svg.contains("a &lt; b") && svg.contains("y &amp; z") && !svg.contains("NaN\""), "{svg}");
        assert!(chart(Shape::Lines).svg().contains("points=\"243.0,"), "{}", chart(Shape::Lines).svg());
    }

    #[test]
    fn it_stands_alone_and_knows_the_dark() {
        let svg = chart(Shape::Lines).svg();
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert!(!svg.contains("var("), "viewers that are no browsers know no variables");
        assert!(!svg.contains("href") && !svg.contains("url(") && !svg.contains("@import"));
        assert_eq!(svg.matches("http").count(), 1, "the name space is the only address");
    }

    #[test]
    fn small_bars_beside_large_ones_are_seen_and_every_bar_has_its_value() {
        let mut chart = chart(Shape::Bars);
        chart.series = vec![("wall".into(), vec![2.0, 1_190.0])];
        let svg = chart.svg();
        let heights: Vec<f64> = svg
            .split("<rect x=")
            .skip(1)
            .filter_map(|rest| rest.split("height=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert!(heights.len() == 2 && heights[0] > 10.0 && heights[1] <= BOTTOM - TOP, "{heights:?}");
        assert!(
            svg.contains("logarithmic axis") && svg.contains(">1190</text>") && svg.contains(">2</text>"),
            "{svg}"
        );
        assert!(!chart_of(&[10.0, 30.0]).contains("logarithmic"));
    }

    fn chart_of(values: &[f64]) -> String {
        let mut chart = chart(Shape::Bars);
        chart.series = vec![("wall".into(), values.to_vec())];
        chart.svg()
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (most, top) in
            [(0.0, 1.0), (1.0, 1.0), (1.1, 1.2), (37.0, 40.0), (0.07, 0.08), (1_190.0, 1_200.0)]
        {
            assert!((axis_end(most) - top).abs() < top * 1e-9, "{most} {}", axis_end(most));
        }
        assert_eq!([0.0, 1_190.4, 0.012_345].map(rounded).map(number), ["0", "1190", "0.0123"]);
        assert_eq!(
            [0.0, 0.5, 2.0, 250.0, 12_500.0, 4e6].map(number),
            ["0", "0.5", "2", "250", "12.5 k", "4 M"]
        );
    }
}
